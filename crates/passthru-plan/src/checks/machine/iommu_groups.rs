//! Whether all devices are in groups.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome, count};
use crate::groups::listed;

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
    let outside: Vec<_> =
        facts.functions().filter(|f| f.group.is_none() && !f.is_bridge()).map(|f| f.address).collect();
    let what = format!("{} hold {}", count(groups.len(), "group"), count(members, "PCI function"));
    if outside.is_empty() {
        return Outcome::pass(what).seen(&facts.iommu.groups);
    }
    Outcome::warn(format!("{what}; without a group, so not for guests: {}", listed(&outside)))
        .seen(&facts.iommu.groups)
        .by_hand("For an integrated Intel GPU: intel_iommu=on on the kernel command line, without igfx_off")
}
