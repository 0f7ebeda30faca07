//! Drivers that could not let go: programs have their devices open.

use passthru_model::HostFacts;
use passthru_model::holders::Holder;
use passthru_model::pci::PciFunction;
use passthru_model::plan::Plan;
use passthru_model::rebinding::Rebinding;

use crate::planner::{Reason, Refusal, select};

/// Refuses to take a function from its driver while a program has it open. Nothing insists on it: the attempt would wait
/// in the kernel for as long as the program runs, and could not be ended. Only where these programs end before (`they_end`), whoever
/// carries the plan out waits for that instead.
pub(super) fn judge(
    facts: &HostFacts,
    function: &PciFunction,
    they_end: bool,
    reasons: &mut Vec<Reason>,
    notes: &mut Vec<String>,
) {
    if function.driver.is_none() {
        return;
    }
    let (address, name) = (function.address, facts.name_of(function));
    let Some(found) = facts.holders.value() else {
        let because = facts.holders.because().unwrap_or_default();
        // Without root nothing is carried out, and with it all is seen.
        if facts.surroundings.root {
            let what = format!("which programs have {address} ({name}) open");
            reasons.push(select::unknown(facts, &what, because));
        } else {
            notes.push(format!(
                "which programs have the functions open is looked at when the plan is carried out; now it is not \
                 known: {because}"
            ));
        }
        return;
    };
    let who = |holder: &Holder, files: &[&str]| {
        format!("{} (process {}: {})", holder.program, holder.process, files.join(", "))
    };
    let (mut keep, mut lose) = (Vec::new(), Vec::new());
    for holder in found.of(address) {
        let files: Vec<&str> = holder.files_that_keep(address).collect();
        if files.is_empty() {
            lose.push(who(holder, &holder.files_of(address).collect::<Vec<_>>()));
        } else {
            keep.push(who(holder, &files));
        }
    }
    if !lose.is_empty() {
        notes.push(format!(
            "{address} ({name}): what is plugged into it goes too, and is open in {}",
            lose.join(", ")
        ));
    }
    if found.unseen > 0 {
        notes.push(format!(
            "of {} processes could not be seen which devices they have open; root sees all",
            found.unseen
        ));
    }
    if they_end && !keep.is_empty() {
        notes.push(format!(
            "{address} ({name}) is open in {}, which must end with the desktop: that is waited for, and all is put back where it does not",
            keep.join(", ")
        ));
    } else if !keep.is_empty() {
        let advice = if function.is_on_vfio() { "Stop the guest first" } else { "End these programs first" };
        let advice = advice.to_owned();
        reasons.push(Reason::Held { address, name, holders: keep, advice });
    }
}

/// Whether what a plan moved can be moved back: no program may have any of it open with the driver that must let go.
pub fn may_go_back(facts: &HostFacts, plan: &Plan) -> Result<(), Refusal> {
    may_move(facts, plan, |rebinding, driver| rebinding.before.driver.as_deref() == Some(driver))
}

/// The same for what a plan has yet to move.
pub fn may_go_on(facts: &HostFacts, plan: &Plan) -> Result<(), Refusal> {
    may_move(facts, plan, |rebinding, driver| rebinding.after.is_met_by(Some(driver)))
}

fn may_move(facts: &HostFacts, plan: &Plan, stays: impl Fn(&Rebinding, &str) -> bool) -> Result<(), Refusal> {
    let (mut reasons, mut notes) = (Vec::new(), Vec::new());
    for rebinding in plan.rebindings() {
        let Some(function) = facts.function(rebinding.device.address) else { continue };
        if !function.driver.as_deref().is_some_and(|driver| stays(rebinding, driver)) {
            judge(facts, function, false, &mut reasons, &mut notes);
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(Refusal { reasons }) }
}
