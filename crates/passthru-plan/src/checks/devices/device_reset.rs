//! Whether what guests are to have can be reset between two of them.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use super::subjects::{Subjects, cards, judged, subjects};
use crate::checks::{Check, Outcome};
use crate::groups::listed;
use crate::resets;

pub(super) const CHECK: Check = Check {
    id: "device-reset",
    title: "a guest's devices can be reset",
    section: "Passing through a device that does not support resetting",
    why: "without a reset a device keeps the state in which one guest left it, so that it works once and then only after the \
          host was started anew; what the file reset_method lists counts, not that there is a file reset",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let card = cards(facts, &subjects.functions);
    let real: Vec<&PciFunction> =
        card.iter().copied().filter(|function| function.physical_function.is_none()).collect();
    if card.is_empty() {
        return Outcome::skip("none of the chosen devices is in this host");
    }
    if !resets::are_told(facts) {
        return Outcome::unknown(
            "how devices can be reset",
            "no function of this host has a file reset_method",
        );
    }
    let mut remarks = Vec::new();
    let mut slots: Vec<_> = real.iter().map(|function| function.address.slot()).collect();
    slots.dedup();
    for slot in slots {
        let functions: Vec<&PciFunction> =
            real.iter().copied().filter(|function| function.address.slot() == slot).collect();
        remarks.push(of_card(&subjects, &functions));
    }
    if remarks.is_empty() {
        remarks.push((Verdict::Pass, "virtual functions are reset by themselves".to_owned()));
    }
    let mut outcome = judged(&remarks);
    for function in &real {
        let value = match function.gaps.get("reset_method") {
            Some(why) => why.clone(),
            None if function.reset_methods.is_empty() => "is not there".to_owned(),
            None => function.reset_methods.join(" "),
        };
        outcome = outcome.evidence(function.attribute("reset_method"), value);
    }
    if outcome.verdict > Verdict::Unknown {
        return outcome.by_hand(
            "Give all functions of the card to one guest, and start that guest no more than once between two starts of the \
             host if it does not come back; a firmware update of the card may bring a reset",
        );
    }
    outcome
}

/// One card, by its functions.
fn of_card(subjects: &Subjects<'_>, functions: &[&PciFunction]) -> (Verdict, String) {
    let all: Vec<_> = functions.iter().map(|function| function.address).collect();
    if let Some(function) = functions.iter().find(|function| resets::is_gap(function)) {
        let why = function.gaps.get("reset_method").cloned().unwrap_or_default();
        return (Verdict::Unknown, format!("how {} is reset is not known: {why}", function.address));
    }
    let bus_only = |function: &&&PciFunction| function.reset_methods.iter().all(|method| method == "bus");
    let without: Vec<_> = functions.iter().filter(|function| function.reset_methods.is_empty()).collect();
    let has_bus =
        functions.iter().any(|function| function.reset_methods.iter().any(|method| method == "bus"));
    if without.len() == functions.len() {
        return (Verdict::Warn, format!("{} cannot be reset: the kernel has no method for it", listed(&all)));
    }
    // A reset of the bus is one of all functions on it, and is refused while somebody else has one of them.
    let needs_all = functions.iter().filter(bus_only).count() > 0 && has_bus;
    let elsewhere: Vec<_> = functions
        .iter()
        .filter(|function| {
            subjects.chosen
                && !function.is_on_vfio()
                && !subjects.functions.iter().any(|one| one.address == function.address)
        })
        .map(|function| function.address)
        .collect();
    let methods: Vec<String> = functions
        .iter()
        .filter(|function| !function.reset_methods.is_empty())
        .map(|function| format!("{} by {}", function.address, function.reset_methods.join(", ")))
        .collect();
    if needs_all && !elsewhere.is_empty() {
        return (
            Verdict::Fail,
            format!(
                "{} can be reset only together with {}, which no guest is to have",
                listed(&all.iter().copied().filter(|one| !elsewhere.contains(one)).collect::<Vec<_>>()),
                listed(&elsewhere)
            ),
        );
    }
    if let Some(alone) = without.iter().find(|_| !has_bus) {
        return (Verdict::Warn, format!("{} can be reset, and {} not", methods.join("; "), alone.address));
    }
    let note = if needs_all && functions.len() > 1 { ", all functions of the card at once" } else { "" };
    (Verdict::Pass, format!("{}{note}", methods.join("; ")))
}
