//! Whether all devices are in groups.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome, count};
use crate::groups::listed;

/// The class of an IOMMU that is itself a PCI function, as AMD's are (PCI Code and ID Assignment Specification, 08h 06h). The
/// kernel leaves it without a group.
const IOMMU: u16 = 0x0806;

pub(super) const CHECK: Check = Check {
    id: "iommu-groups",
    title: "devices are in IOMMU groups",
    section: "Ensuring that the groups are valid",
    why: "a group is the smallest set of devices that the IOMMU can tell apart, and goes to one guest as a whole",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(groups) = facts.iommu.groups.value() else {
        return Outcome::unknown("which groups there are", facts.iommu.groups.because().unwrap_or_default());
    };
    if groups.is_empty() {
        return Outcome::fail("there are no IOMMU groups: the IOMMU is off or absent")
            .seen(&facts.iommu.groups);
    }
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which devices the groups should hold", because).seen(&facts.iommu.groups);
    }
    let members: usize = groups.values().map(|group| group.members.len()).sum();
    let outside: Vec<_> = facts
        .functions()
        .filter(|one| one.group.is_none() && !one.is_bridge() && one.class.base_and_sub() != IOMMU)
        .collect();
    let what = format!("{} hold {}", count(groups.len(), "group"), count(members, "PCI function"));
    if outside.is_empty() {
        return Outcome::pass(what).seen(&facts.iommu.groups);
    }
    let display = outside.iter().any(|one| one.class.is_display());
    let outside: Vec<_> = outside.iter().map(|one| one.address).collect();
    Outcome::warn(format!("{what}; without a group, so not for guests: {}", listed(&outside)))
        .seen(&facts.iommu.groups)
        .by_hand(if display {
            "For an integrated Intel GPU: intel_iommu=on on the kernel command line, without igfx_off"
        } else {
            "Nothing, unless a guest is to have one of them: then look in the kernel log for lines with DMAR or AMD-Vi"
        })
}
