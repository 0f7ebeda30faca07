//! Whether the firmware keeps memory of devices for itself.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;

use crate::checks::{Check, Outcome};
use crate::groups::company;

pub(super) const CHECK: Check = Check {
    id: "reserved-regions",
    title: "the firmware keeps no memory of a device for itself",
    section: "Ensuring that the groups are valid",
    why: "where the firmware requires a one-to-one mapping (RMRR), the kernel refuses to give the device to a guest",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let groups = match facts.iommu.groups.value() {
        Some(groups) if groups.is_empty() => return Outcome::skip("there are no IOMMU groups"),
        Some(groups) => groups,
        None => {
            return Outcome::unknown(
                "which regions are reserved",
                facts.iommu.groups.because().unwrap_or_default(),
            );
        }
    };
    let intent = crate::intent::of(facts).ok().flatten().unwrap_or_default();
    let mut outcome =
        Outcome::pass("no group has a region that the firmware requires to be mapped one to one");
    let mut hit = Vec::new();
    for group in groups.values() {
        let Some(region) = group.reserved.iter().find(|region| region.kind == "direct") else { continue };
        let members = company(facts, group);
        let matters =
            members.iter().any(|member| member.class.is_display() || intent.isolates(member.address));
        outcome.verdict = outcome.verdict.max(if matters { Verdict::Fail } else { Verdict::Warn });
        let names: Vec<String> =
            members.iter().map(|member| format!("{} ({})", member.address, facts.name_of(member))).collect();
        hit.push(format!("group {}: {}", group.id, names.join(", ")));
        outcome = outcome.evidence(
            format!("/sys/kernel/iommu_groups/{}/reserved_regions", group.id),
            format!("{:#x} {:#x} {}", region.start, region.end, region.kind),
        );
    }
    if hit.is_empty() {
        return outcome;
    }
    outcome.summary =
        format!("the firmware keeps memory of devices, which no guest can have: {}", hit.join("; "));
    let opt_in = facts.firmware.dmar().is_some_and(|dmar| dmar.platform_opt_in);
    outcome.by_hand(if opt_in {
        "This firmware protects itself from devices before the system starts: turn that off in its setup (pre-boot DMA \
         protection, Kernel DMA Protection), or look for an update"
    } else {
        "A firmware update, or its option for this device (RMRR, shared memory), may lift it"
    })
}
