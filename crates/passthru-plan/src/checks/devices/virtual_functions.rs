//! SR-IOV: physical functions and their virtual ones.

use passthru_model::HostFacts;
use passthru_model::device_state::SriovState;
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use super::subjects::judged;
use crate::checks::{Check, Outcome, count};
use crate::sriov;

pub(super) const CHECK: Check = Check {
    id: "virtual-functions",
    title: "virtual functions and their physical function do not exclude each other",
    section: "Passing though other devices",
    why: "a device with SR-IOV goes to guests either whole or as virtual functions: vfio-pci refuses a physical function while \
          it has virtual ones, and these are gone after a reboot unless something makes them anew",
    run,
};

/// Of more devices than this, their number is told.
const MOST_TOLD: usize = 4;

fn run(facts: &HostFacts) -> Outcome {
    if let Some(because) = facts.device_states.because() {
        return Outcome::unknown("which devices have SR-IOV", because);
    }
    let capable: Vec<(&PciFunction, SriovState)> = facts
        .functions()
        .filter(|function| !function.is_bridge() && function.physical_function.is_none())
        .filter_map(|function| Some((function, sriov::of(facts, function).filter(|one| one.total > 0)?)))
        .collect();
    if capable.is_empty() {
        return Outcome::skip("no device of this host shows SR-IOV");
    }
    let intent = crate::intent::of(facts).ok().flatten().unwrap_or_default();
    let mut remarks = Vec::new();
    let mut outcome_evidence = Vec::new();
    for (function, state) in &capable {
        let at = function.address;
        let given = intent.isolates(at) || function.is_on_vfio();
        let children = facts.functions().filter(|one| one.physical_function == Some(at));
        let chosen = children.filter(|one| intent.isolates(one.address)).count();
        outcome_evidence
            .push((function.attribute("sriov_numvfs"), format!("{} of {}", state.enabled, state.total)));
        remarks.push(match (given, state.enabled) {
            (true, 1..) => (
                Verdict::Fail,
                format!("{at} is chosen for guests whole, and has {}", count(usize::from(state.enabled), "virtual function")),
            ),
            (_, 1..) if chosen > 0 => (
                Verdict::Warn,
                format!("{} of {at} chosen for guests; after a reboot they are there only if something makes them anew", count(chosen, "virtual function")),
            ),
            (_, 0) => (Verdict::Pass, format!("{at} can have {}, and has none now", count(usize::from(state.total), "virtual function"))),
            (_, on) => (Verdict::Pass, format!("{at} has {on} of {}", count(usize::from(state.total), "virtual function"))),
        });
    }
    let gone = intent.isolate.iter().filter(|device| facts.function(device.address).is_none());
    for device in gone
        .filter(|device| capable.iter().any(|(function, _)| function.address.bus() == device.address.bus()))
    {
        remarks.push((
            Verdict::Warn,
            format!("{} is chosen for guests and not there; it may be a virtual function that nobody has made since the boot", device.address),
        ));
    }
    let mut outcome = judged(&remarks);
    if outcome.verdict == Verdict::Pass && capable.len() > MOST_TOLD {
        let on = capable.iter().filter(|(_, state)| state.enabled > 0).count();
        outcome.summary = format!(
            "{} have SR-IOV, {on} of them with virtual functions now",
            count(capable.len(), "function")
        );
    }
    for (path, value) in outcome_evidence {
        outcome = outcome.evidence(path, value);
    }
    match outcome.verdict {
        Verdict::Fail => outcome.by_hand("Write 0 to its file sriov_numvfs before the guest is started, or choose virtual functions instead"),
        Verdict::Warn => outcome.by_hand("Have them made at each start of the host: passthru isolate --virtual-functions ADDRESS=NUMBER"),
        _ => outcome,
    }
}
