//! Which USB controllers a guest can have.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;

use super::subjects::judged;
use crate::checks::{Check, Outcome};
use crate::groups::listed;
use crate::stake::{Stake, Stakes};
use crate::usb;

pub(super) const CHECK: Check = Check {
    id: "usb-controllers",
    title: "a USB controller can go to a guest",
    section: "USB controller",
    why: "a whole controller gives a guest its ports with everything that is plugged in later; it can go only with all of its \
          group, and never with the host's last keyboard",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which USB controllers there are", because);
    }
    let view = usb::view(facts);
    if view.controllers.is_empty() {
        return Outcome::skip("this host has no USB controller");
    }
    let intent = crate::intent::of(facts).ok().flatten().unwrap_or_default();
    let stakes = Stakes::of(facts);
    let leaving = stakes.leaving(intent.isolate.iter().map(|device| device.address));
    let mut remarks = Vec::new();
    for controller in view.controllers.iter().filter(|one| intent.isolates(one.address)) {
        let losses = facts.function(controller.address).map(|function| stakes.of_taking(function, &leaving));
        for stake in losses.into_iter().flatten().filter(Stake::is_loss) {
            let text = format!("{} is chosen for guests, and {}", controller.address, stake.sentence());
            remarks.push((Verdict::Fail, text));
        }
    }
    let free: Vec<&usb::ControllerView> = view
        .controllers
        .iter()
        .filter(|one| {
            one.outlook == crate::groups::ALONE
                || facts.function(one.address).is_some_and(passthru_model::PciFunction::is_on_vfio)
        })
        .collect();
    let addresses: Vec<_> = free.iter().map(|one| one.address).collect();
    let no_groups = facts.iommu.groups.value().is_none_or(std::collections::BTreeMap::is_empty);
    remarks.push(match addresses.as_slice() {
        [] if no_groups => {
            return Outcome::skip(
                "which USB controllers can go to a guest is known once there are IOMMU groups",
            );
        }
        [] => (
            Verdict::Warn,
            match view.controllers.as_slice() {
                [only] => format!("{} is the only USB controller, and {}", only.address, only.outlook),
                all => format!("none of the {} USB controllers can go to a guest alone", all.len()),
            },
        ),
        [one] => (Verdict::Pass, format!("{one} can go to a guest with all that is plugged into it")),
        many => (Verdict::Pass, format!("{} can each go to a guest alone", listed(many))),
    });
    let stuck: Vec<_> = free
        .iter()
        .filter(|one| one.notes.iter().any(|note| note.starts_with(usb::NO_RESET)))
        .map(|one| one.address)
        .collect();
    if !stuck.is_empty() && stuck.len() == free.len() {
        let verb = if stuck.len() == 1 { "has" } else { "have" };
        let text = format!("{} {verb} no reset, and may not come back from a guest", listed(&stuck));
        remarks.push((Verdict::Warn, text));
    }
    let mut outcome = judged(&remarks);
    for controller in &view.controllers {
        let value = match &controller.group {
            Some(group) => format!("group {group}: {}", controller.outlook),
            None => controller.outlook.clone(),
        };
        outcome = outcome.evidence(format!("/sys/bus/pci/devices/{}/iommu_group", controller.address), value);
    }
    match outcome.verdict {
        Verdict::Pass => outcome,
        _ => outcome.by_command(
            "Give the guest single USB devices instead, or put in a card with a USB controller of its own; this shows what hangs where",
            "passthru usb",
        ),
    }
}
