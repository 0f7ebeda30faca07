//! Whether a list of modules not to be loaded takes a driver that the host itself needs.

use passthru_model::HostFacts;

use crate::binding::{blacklisted, claimants, meant_for_guests};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, displays};

pub(super) const CHECK: Check = Check {
    id: "driver-blacklist",
    title: "the host keeps the drivers of its own devices",
    section: "Isolating the GPU",
    why: "a blacklist line is for all devices of a driver: where the host's own card has the same driver, its screen stays dark",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    if let Some(because) = facts.binding.modprobe.because() {
        return Outcome::unknown("what modprobe is told", because);
    }
    let listed = blacklisted(facts);
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which devices there are", because);
    }
    let guests: Vec<_> = meant_for_guests(facts).iter().map(|function| function.address).collect();
    let mut remarks = Remarks::default();
    let mut others = 0;
    for display in displays(facts).into_iter().filter(|display| !guests.contains(&display.address)) {
        others += 1;
        let drivers = claimants(facts, display);
        let built_in = facts.possible_drivers.value().into_iter().flatten().any(|kernel| {
            let drivers = kernel.drivers.value().and_then(|drivers| drivers.get(&display.address));
            drivers.is_some_and(|drivers| !drivers.built_in.is_empty())
        });
        let lost: Vec<&String> = drivers.iter().filter(|module| listed.contains_key(*module)).collect();
        if let (Some(first), false) = (lost.first(), built_in || lost.len() < drivers.len()) {
            let place = listed.get(*first).cloned().unwrap_or_default();
            remarks
                .fail(format!(
                    "{} ({}) has no other driver than {first}, which {place} keeps from being loaded",
                    display.address,
                    facts.name_of(display)
                ))
                .seen(place.clone(), format!("keeps {first} from being loaded"))
                .by_hand(format!(
                    "Remove the line from {place}; a card is kept from its driver by ‘passthru isolate’"
                ));
        }
    }
    let vfio = listed.get("vfio_pci").or(listed.get("vfio"));
    if let Some(place) = vfio {
        remarks
            .fail(format!("{place} keeps vfio-pci itself from being loaded"))
            .seen(place.clone(), "keeps vfio-pci from being loaded")
            .by_hand(format!("Remove the line from {place}"));
    }
    if others == 0 && listed.is_empty() {
        return Outcome::skip("no display device stays on the host, and no driver is on a list");
    }
    remarks.outcome("no display device of the host is without its driver by a list")
}
