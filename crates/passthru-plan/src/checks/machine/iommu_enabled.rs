//! Whether the kernel uses the IOMMU.

use passthru_model::HostFacts;
use passthru_model::iommu::FirmwareTable;

use crate::checks::{Check, Outcome, surroundings};
use crate::planner::{by_hand, off_words};

pub(super) const CHECK: Check = Check {
    id: "iommu-enabled",
    title: "the kernel uses the IOMMU",
    section: "Enabling IOMMU",
    why: "without it there are no groups, and no device can be given to a guest",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(units) = facts.iommu.units.value() else {
        return Outcome::unknown(
            "whether the kernel uses the IOMMU",
            facts.iommu.units.because().unwrap_or_default(),
        );
    };
    let groups = facts.iommu.groups.value().is_some_and(|groups| !groups.is_empty());
    if groups {
        let list: Vec<&str> = units.iter().map(String::as_str).collect();
        let by = if list.is_empty() { String::new() } else { format!(" ({})", list.join(", ")) };
        return Outcome::pass(format!("the kernel uses the IOMMU{by}"))
            .seen(&facts.iommu.units)
            .seen(&facts.iommu.groups);
    }
    let cmdline = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let off = off_words(cmdline);
    if !off.is_empty() {
        return Outcome::fail(format!("‘{}’ on the kernel command line turns the IOMMU off", off.join(" ")))
            .seen(&facts.kernel.cmdline)
            .seen(&facts.iommu.units)
            .by_command(
                format!(
                    "Isolating a device takes that parameter out. By hand: remove it from {}",
                    by_hand(facts)
                ),
                "passthru isolate ADDRESS",
            );
    }
    if let (false, Some(because)) = (units.is_empty(), facts.iommu.groups.because()) {
        return Outcome::unknown("whether the kernel uses the IOMMU that it drives", because)
            .seen(&facts.iommu.units);
    }
    if !units.is_empty() {
        return Outcome::fail("the kernel drives an IOMMU unit and has made no groups")
            .seen(&facts.iommu.units)
            .seen(&facts.iommu.groups)
            .by_hand("Look in the kernel log for lines with DMAR, AMD-Vi or iommu");
    }
    let seen = |outcome: Outcome| {
        outcome.seen(&facts.iommu.tables).seen(&facts.iommu.units).seen(&facts.kernel.cmdline)
    };
    match facts.iommu.tables.value() {
        Some(tables) if tables.contains(&FirmwareTable::Dmar) => {
            seen(Outcome::fail("the firmware offers VT-d and the kernel does not use it")).by_command(
                format!("Isolating a device adds intel_iommu=on. By hand: add it to {}", by_hand(facts)),
                "passthru isolate ADDRESS",
            )
        }
        Some(tables) if !tables.is_empty() => seen(Outcome::fail(
            "the firmware offers an IOMMU and the kernel does not use it, though no parameter turns it off",
        ))
        .by_hand("Look in the kernel log for lines with AMD-Vi or iommu: they say why"),
        Some(_) => {
            let explained = surroundings(facts).map(|text| format!("; {text}")).unwrap_or_default();
            seen(Outcome::skip(format!("there is no IOMMU that the kernel could use{explained}")))
        }
        None => seen(Outcome::unknown(
            "why the kernel uses no IOMMU",
            facts.iommu.tables.because().unwrap_or_default(),
        )),
    }
}
