//! Whether interrupts are remapped.

use passthru_formats::cmdline::CommandLine;
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
        Some(false) => not_remapped(facts),
        None => Outcome::unknown("whether interrupts are remapped", fact.because().unwrap_or_default()),
    }
}

/// Says why, where something tells.
fn not_remapped(facts: &HostFacts) -> Outcome {
    let what = "interrupts are not remapped, so the kernel refuses to give devices to guests";
    let seen =
        |because: &str| Outcome::fail(format!("{what}{because}")).seen(&facts.iommu.interrupt_remapping);
    let line = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let line = CommandLine::new(line);
    if line.has("nointremap") || line.items("intremap").any(|item| item == "off") {
        return seen(": ‘intremap=off’ or ‘nointremap’ turns it off")
            .seen(&facts.kernel.cmdline)
            .by_hand("Take that word out of the boot loader's settings and reboot");
    }
    if facts.kernel.options.value().is_some_and(|options| !options.is_on("IRQ_REMAP")) {
        return seen(": the kernel was built without it (IRQ_REMAP)")
            .seen(&facts.kernel.options)
            .by_hand("Boot the distribution's own kernel");
    }
    let firmware = "Look for interrupt remapping or x2APIC in the firmware setup, or for a firmware update";
    if facts.firmware.dmar().is_some_and(|dmar| !dmar.interrupt_remapping) {
        return seen(": the firmware says that the platform does not support it (table DMAR)")
            .seen(&facts.firmware.dmar)
            .by_hand(firmware);
    }
    let cannot = facts
        .iommu
        .registers
        .value()
        .and_then(|units| units.iter().find(|(_, unit)| !unit.remaps_interrupts()).map(|(name, _)| name));
    if let Some(name) = cannot {
        return seen(&format!(": the unit {name} cannot do it")).seen(&facts.iommu.registers).by_hand(
            "No setting helps. With consent to the risk, ‘vfio_iommu_type1.allow_unsafe_interrupts=1’ gives devices away all the same",
        );
    }
    seen("").by_hand(firmware)
}
