//! Giving functions to vfio-pci while the host runs, and giving them back: by driver override, until the next boot.
//!
//! What the host would lose is judged as for isolation at boot, but by what it does with the functions now; and a driver
//! that cannot let go, because a program has its device open, is not asked to.

mod console;
mod held;
mod modules;

use passthru_model::address::PciAddress;
use passthru_model::intent::DeviceIdentity;
use passthru_model::pci::PciFunction;
use passthru_model::plan::{Action, Effect, Plan, Step};
use passthru_model::rebinding::{DriverGoal, DriverState, Rebinding, VfioDriver};
use passthru_model::{Fact, HostFacts};

use super::{Consent, Reason, Refusal, each_once, select};
use crate::groups::listed;

pub use held::{may_go_back, may_go_on};

/// The plan that gives functions to a driver of VFIO now: those named and, unless `consent.only_named`, the other
/// functions of their slots. One that any driver of VFIO has already is left with it, unless `driver` names another.
pub fn bind(
    facts: &HostFacts,
    named: &[PciAddress],
    driver: Option<&VfioDriver>,
    consent: &Consent,
) -> Result<Plan, Refusal> {
    let mut notes = Vec::new();
    let mut reasons = Vec::new();
    let chosen = chosen(facts, named, consent, &mut notes)?;
    let is_there = |function: &PciFunction| match driver {
        Some(driver) => function.driver.as_deref() == Some(driver.name()),
        None => function.is_on_vfio(),
    };
    let moving: Vec<&PciFunction> =
        chosen.into_iter().filter(|function| apart(function, &mut notes, is_there)).collect();
    let leaving: Vec<PciAddress> = moving.iter().map(|function| function.address).collect();
    // What guests have already is theirs: it neither stays with the host nor stands in the way.
    let there = facts.functions().filter(|function| function.is_on_vfio()).map(|function| function.address);
    let taken: Vec<PciAddress> = leaving.iter().copied().chain(there).collect();
    let mut groups = Vec::new();
    for function in &moving {
        select::stakes(facts, function, &taken, consent, &mut reasons, &mut notes);
        match contained(facts, function) {
            Ok(id) if groups.contains(&id) => {}
            Ok(id) => {
                groups.push(id);
                select::group(facts, function, id, &taken, &mut reasons);
            }
            Err(reason) if reasons.contains(&reason) => {}
            Err(reason) => reasons.push(reason),
        }
        reasons.extend(unreadable(facts, function));
        reasons.extend(silent(facts, function));
        held::judge(facts, function, consent.holders_end, &mut reasons, &mut notes);
        console::notes(facts, function, &mut notes);
    }
    let driver = driver.cloned().unwrap_or_default();
    let load = modules::vfio(facts, &driver, !moving.is_empty(), &mut reasons);
    let goal = |_: &PciFunction| DriverGoal::Vfio { driver: driver.clone() };
    let step = step(&moving, goal, &format!("give {} to {driver}", listed(&leaving)), FOR_GUESTS);
    let title = format!("bind {} to {driver} until the next boot", listed(&leaving));
    finish(title, load, step, notes, reasons)
}

/// Why a function goes to VFIO.
const FOR_GUESTS: &str = "a guest can be given only what a driver of VFIO has";
/// Why a function goes back.
const FOR_HOST: &str = "the host can use only what a driver of its own has";

/// The plan that gives functions back to the host's own drivers now: those named and, unless `consent.only_named`, the
/// other functions of their slots that a driver of VFIO has.
pub fn unbind(facts: &HostFacts, named: &[PciAddress], consent: &Consent) -> Result<Plan, Refusal> {
    let mut notes = Vec::new();
    let mut reasons = Vec::new();
    let chosen = chosen(facts, named, consent, &mut notes)?;
    let at_home = |function: &PciFunction| function.driver.is_some() && !function.is_on_vfio();
    let moving: Vec<&PciFunction> =
        chosen.into_iter().filter(|function| apart(function, &mut notes, at_home)).collect();
    let leaving: Vec<PciAddress> = moving.iter().map(|function| function.address).collect();
    let intent = crate::intent::of(facts).ok().flatten();
    for function in &moving {
        reasons.extend(unreadable(facts, function));
        held::judge(facts, function, consent.holders_end, &mut reasons, &mut notes);
        if intent.as_ref().is_some_and(|intent| intent.isolates(function.address)) {
            notes.push(format!(
                "{0} is isolated at boot, so the next boot gives it to vfio-pci again; `passthru release {0}` ends that",
                function.address
            ));
        }
    }
    let drivers = modules::HostDrivers::of(facts);
    let load = drivers.load(&moving);
    for function in &moving {
        notes.extend(drivers.note(function));
    }
    let step = step(
        &moving,
        |function| drivers.goal(function),
        &format!("give {} back to the host", listed(&leaving)),
        FOR_HOST,
    );
    let title = format!("give {} back to the host’s drivers", listed(&leaving));
    finish(title, load, step, notes, reasons)
}

/// The functions that are meant, in order of address.
fn chosen<'a>(
    facts: &'a HostFacts,
    named: &[PciAddress],
    consent: &Consent,
    notes: &mut Vec<String>,
) -> Result<Vec<&'a PciFunction>, Refusal> {
    if named.is_empty() {
        return Err(Reason::NothingNamed.into());
    }
    let reasons: Vec<Reason> = named
        .iter()
        .filter_map(|address| select::can_be_chosen(facts, *address).err())
        // It is made anew after each boot, and nothing here lasts longer.
        .filter(|reason| !matches!(reason, Reason::VirtualFunction { .. }))
        .collect();
    if !reasons.is_empty() {
        return Err(Refusal { reasons });
    }
    let all = select::with_siblings(facts, named, consent, notes);
    Ok(all.into_iter().filter_map(|address| facts.function(address)).collect())
}

/// Whether a function has yet to go to where it is wanted; one that is there already is noted.
fn apart(function: &PciFunction, notes: &mut Vec<String>, is_there: impl Fn(&PciFunction) -> bool) -> bool {
    if is_there(function) {
        let driver = function.driver.as_deref().unwrap_or_default();
        notes.push(format!("{} is with {driver} already", function.address));
        return false;
    }
    true
}

/// The group of a function, without which no guest can have it.
fn contained(facts: &HostFacts, function: &PciFunction) -> Result<u32, Reason> {
    let address = function.address;
    let gap = function.gaps.get("iommu_group").map(String::as_str);
    match (function.group, gap.or(facts.iommu.groups.because()), &facts.iommu.groups) {
        (Some(id), ..) => Ok(id),
        (None, Some(because), _) => {
            Err(select::unknown(facts, &format!("the IOMMU group of {address}"), because))
        }
        (None, None, Fact::Known(groups, _)) if groups.is_empty() => Err(Reason::NoGroupsAtAll),
        (None, None, _) => Err(Reason::NoGroup { address }),
    }
}

/// Why it is not known who has a function.
fn unreadable(facts: &HostFacts, function: &PciFunction) -> Option<Reason> {
    let because = ["driver", "driver_override"].iter().find_map(|name| function.gaps.get(*name))?;
    Some(select::unknown(facts, &format!("which driver has {}", function.address), because))
}

/// A function that has no power or has hung reads as ones. Virtual functions do so always.
fn silent(facts: &HostFacts, function: &PciFunction) -> Option<Reason> {
    let (address, name) = (function.address, facts.name_of(function));
    let silent = function.config.starts_with(&[0xff; 4]) && function.physical_function.is_none();
    silent.then_some(Reason::Silent { address, name })
}

/// The step that moves functions, each from where it is.
fn step(
    moving: &[&PciFunction],
    goal: impl Fn(&PciFunction) -> DriverGoal,
    what: &str,
    why: &str,
) -> Option<Step> {
    let functions: Vec<Rebinding> = moving
        .iter()
        .map(|function| Rebinding {
            device: DeviceIdentity::of(function),
            before: DriverState::of(function),
            after: goal(function),
        })
        .collect();
    (!functions.is_empty()).then(|| Step {
        id: "drivers".to_owned(),
        action: Action::Rebind { functions },
        what: what.to_owned(),
        why: why.to_owned(),
        effect: Effect::Now,
    })
}

fn finish(
    title: String,
    load: Option<Step>,
    step: Option<Step>,
    notes: Vec<String>,
    reasons: Vec<Reason>,
) -> Result<Plan, Refusal> {
    if !reasons.is_empty() {
        return Err(Refusal { reasons });
    }
    let notes = each_once(notes);
    let title = if step.is_some() { title } else { "nothing to do".to_owned() };
    Ok(Plan { title, steps: load.into_iter().chain(step).collect(), notes, guest: None })
}
