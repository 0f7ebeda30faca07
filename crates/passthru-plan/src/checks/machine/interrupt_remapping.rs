//! Whether interrupts are remapped.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "interrupt-remapping",
    title: "interrupts are remapped",
    section: "Enabling IOMMU",
    why: "without it a guest's device could raise any interrupt of the host, so the kernel refuses to give devices away",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.iommu.interrupt_remapping;
    let no_groups = facts.iommu.groups.value().is_some_and(std::collections::BTreeMap::is_empty);
    match fact.value() {
        Some(true) => Outcome::pass("interrupts are remapped").seen(fact),
        _ if no_groups => Outcome::skip("the IOMMU is off, so interrupts are not remapped either"),
        Some(false) if facts.iommu.unsafe_interrupts.value() == Some(&true) => Outcome::warn(
            "interrupts are not remapped, and allow_unsafe_interrupts gives devices away all the same",
        )
        .seen(fact)
        .seen(&facts.iommu.unsafe_interrupts)
        .by_hand("Give devices only to guests that you trust as the host itself"),
        Some(false) => {
            Outcome::fail("interrupts are not remapped, so the kernel refuses to give devices to guests")
                .seen(fact)
                .by_hand(
                    "Look for interrupt remapping or x2APIC in the firmware setup, or for a firmware update",
                )
        }
        None => Outcome::unknown("whether interrupts are remapped", fact.because().unwrap_or_default()),
    }
}
