//! Whether the firmware offers an IOMMU.

use passthru_model::HostFacts;
use passthru_model::iommu::FirmwareTable;

use crate::checks::{Check, Outcome, surroundings};

pub(super) const CHECK: Check = Check {
    id: "iommu-firmware",
    title: "the firmware offers an IOMMU",
    section: "Enabling IOMMU",
    why: "the IOMMU keeps a guest's device to the guest's own memory; the kernel learns of it from a table of the firmware",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(tables) = facts.iommu.tables.value() else {
        return Outcome::unknown(
            "what the firmware offers",
            facts.iommu.tables.because().unwrap_or_default(),
        );
    };
    if let Some(table) = tables.first() {
        let name = match table {
            FirmwareTable::Dmar => "VT-d (table DMAR)",
            FirmwareTable::Ivrs => "AMD-Vi (table IVRS)",
            FirmwareTable::Iort => "an SMMU (table IORT)",
            FirmwareTable::Viot => "a virtio-iommu (table VIOT)",
        };
        let seen = |outcome: Outcome| outcome.seen(&facts.iommu.tables).seen(&facts.firmware.board);
        let sums_up =
            (facts.firmware.dmar.value().and_then(Option::as_ref).is_none_or(|table| table.sums_up))
                && facts.firmware.ivrs.value().and_then(Option::as_ref).is_none_or(|table| table.sums_up);
        if !sums_up {
            return seen(Outcome::warn(format!(
                "the firmware offers {name}, and the table's checksum is wrong"
            )))
            .by_hand("Look for a firmware update: the kernel refuses AMD's table when it is broken");
        }
        return seen(Outcome::pass(format!("the firmware offers {name}")));
    }
    let driven = facts.iommu.units.value().is_some_and(|units| !units.is_empty());
    if driven {
        return Outcome::pass("the kernel drives an IOMMU, though no table of the firmware is to be seen")
            .seen(&facts.iommu.units);
    }
    let none = "no table of the firmware offers an IOMMU (DMAR, IVRS)";
    match (&facts.surroundings.container, surroundings(facts)) {
        (Some(_), Some(explained)) => Outcome::new(passthru_model::Verdict::Unknown, format!("{none}; {explained}")).seen(&facts.iommu.tables),
        (_, Some(explained)) => Outcome::fail(none).seen(&facts.iommu.tables).by_hand(format!("Give this machine an IOMMU: {explained}")),
        (_, None) => Outcome::fail(none).seen(&facts.iommu.tables).by_hand(
            "Turn it on in the firmware setup: ‘VT-d’ on Intel, ‘IOMMU’ or ‘AMD-Vi’ on AMD, not ‘Auto’. Then boot and look again",
        ),
    }
}
