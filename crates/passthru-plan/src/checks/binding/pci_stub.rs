//! Whether pci-stub holds devices without having been chosen for it: vfio-pci does it better.

use passthru_model::HostFacts;
use passthru_model::intent::Method;

use crate::binding::ids;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};
use crate::groups::listed;
use crate::planner::texts;

pub(super) const CHECK: Check = Check {
    id: "pci-stub",
    title: "pci-stub is not used in the place of vfio-pci",
    section: "Using pci-stub (legacy method, pre-4.1 kernels)",
    why: "pci-stub only keeps other drivers away: it leaves the device awake, and a guest needs vfio-pci all the same",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let unseen = facts.binding.modprobe.because().or(facts.kernel.cmdline.because());
    let mut remarks = Remarks::default();
    // What was asked for in so many words is not advised against.
    let intent = crate::intent::of(facts).ok().flatten().filter(|intent| intent.method == Method::PciStub);
    let wanted = intent.as_ref().map(texts::ids);
    for setting in ids(facts, "pci_stub").iter().filter(|one| Some(&one.value) != wanted.as_ref()) {
        remarks
            .warn(format!("pci-stub is given ids ({}), as kernels before 4.1 needed it", setting.place))
            .seen(setting.place.clone(), format!("ids={}", setting.value))
            .by_hand("Give these ids to vfio-pci instead, or choose the devices with ‘passthru isolate’");
    }
    let held: Vec<_> = facts
        .functions()
        .filter(|function| function.driver.as_deref() == Some("pci-stub"))
        .filter(|function| !intent.as_ref().is_some_and(|intent| intent.isolates(function.address)))
        .map(|function| function.address)
        .collect();
    if !held.is_empty() {
        remarks
            .warn(format!("{} {} on pci-stub", listed(&held), if held.len() == 1 { "is" } else { "are" }))
            .by_command("Put the devices on vfio-pci", "passthru isolate ADDRESS");
    }
    if let (true, Some(because)) = (remarks.is_empty(), unseen) {
        return Outcome::unknown("what pci-stub is told", because);
    }
    remarks.outcome(if intent.is_some() {
        "pci-stub holds what the intent gives to it, until a guest starts"
    } else {
        "pci-stub holds nothing"
    })
}
