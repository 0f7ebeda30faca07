//! Whether the IOMMU serves the display devices.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;
use passthru_model::acpi::DeviceScope;
use passthru_model::pci::PciFunction;

use crate::checks::{Check, Outcome, displays};

pub(super) const CHECK: Check = Check {
    id: "graphics-iommu",
    title: "the IOMMU serves the display devices",
    section: "Enabling IOMMU",
    why: "integrated graphics of Intel have an IOMMU unit of their own, which the kernel can leave off while all others are on",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    if let Some(because) = facts.pci.because().or(facts.iommu.groups.because()) {
        return Outcome::unknown("which devices the IOMMU serves", because);
    }
    let displays = displays(facts);
    if displays.is_empty() {
        return Outcome::skip("this host has no display device");
    }
    if facts.iommu.groups.value().is_none_or(std::collections::BTreeMap::is_empty) {
        return Outcome::skip(match own_unit(facts, &displays) {
            Some(address) => format!("the IOMMU is off; {address} has a unit of its own"),
            None => "the IOMMU is off".to_owned(),
        });
    }
    let without: Vec<&PciFunction> = displays.iter().copied().filter(|one| one.group.is_none()).collect();
    let Some(first) = without.first() else {
        let list: Vec<String> = displays.iter().map(|one| one.address.to_string()).collect();
        return Outcome::pass(format!("the IOMMU serves {}", list.join(", "))).seen(&facts.iommu.units);
    };
    let mut outcome = Outcome::warn(String::new());
    for one in &without {
        outcome = outcome.evidence(one.attribute("iommu_group"), "no such link");
    }
    let list: Vec<String> =
        without.iter().map(|one| format!("{} ({})", one.address, facts.name_of(one))).collect();
    let list = list.join(", ");
    let line = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let items: Vec<&str> = CommandLine::new(line).items("intel_iommu").collect();
    // Intel's integrated graphics are at this place on every board.
    let integrated = first.id.vendor.0 == 0x8086 && first.address.device() == 2 && first.address.bus() == 0;
    let left_out = facts
        .kernel
        .options
        .value()
        .is_some_and(|options| options.is_on("INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF"));
    if let Some(word) = items.iter().find(|item| matches!(**item, "igfx_off" | "intgpu_off")) {
        outcome.summary = format!("‘intel_iommu={word}’ keeps the IOMMU from {list}");
        outcome
            .seen(&facts.kernel.cmdline)
            .by_hand("To give it to a guest, remove that item from the boot loader's settings and reboot")
    } else if integrated && left_out && !items.contains(&"on") {
        outcome.summary =
            format!("this kernel leaves integrated graphics out of the IOMMU by default: {list}");
        outcome.seen(&facts.kernel.options).by_command(
            "Nothing, unless a guest is to have it: isolating it adds intel_iommu=on",
            format!("passthru isolate {}", first.address),
        )
    } else {
        outcome.summary = format!("no unit of the IOMMU serves {list}");
        outcome.seen(&facts.iommu.units).seen(&facts.firmware.dmar).by_hand(
            "Look in the kernel log for lines with DMAR or AMD-Vi; a firmware update may add the unit",
        )
    }
}

/// The display device that the table DMAR gives a unit to itself, where it was read.
fn own_unit(facts: &HostFacts, displays: &[&PciFunction]) -> Option<String> {
    let display = |domain: u16, scope: &DeviceScope| {
        displays.iter().map(|one| one.address).find(|address| scope.address(domain) == Some(*address))
    };
    // A unit that serves other devices as well, as QEMU's does, is nobody's own.
    facts.firmware.dmar()?.units.iter().filter(|unit| !unit.is_catch_all).find_map(|unit| {
        match unit.scope.as_slice() {
            [scope] => display(unit.domain, scope).map(|address| address.to_string()),
            _ => None,
        }
    })
}
