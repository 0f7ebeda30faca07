//! Memory that the firmware keeps devices mapped to, read from its tables while there are no groups to say it.

use std::collections::BTreeMap;

use passthru_model::HostFacts;
use passthru_model::acpi::{DeviceScope, ScopeKind};
use passthru_model::address::PciAddress;
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "firmware-mappings",
    title: "the firmware's tables keep no device to themselves",
    section: "Ensuring that the groups are valid",
    why: "memory that the firmware wants mapped one to one (RMRR on Intel, IVMD on AMD) makes the kernel refuse the device to \
          guests; the tables tell it before the IOMMU is on",
    run,
};

/// A range that devices are kept mapped to, and these devices.
struct Kept<'a> {
    table: &'static str,
    start: u64,
    end: u64,
    functions: Vec<&'a PciFunction>,
}

/// Devices that are named; the rest is counted.
const SHOWN: usize = 4;

fn run(facts: &HostFacts) -> Outcome {
    if facts.iommu.groups.value().is_some_and(|groups| !groups.is_empty()) {
        return Outcome::skip("the IOMMU is on, so the groups tell it: see ‘reserved-regions’");
    }
    let (dmar, ivrs) = (&facts.firmware.dmar, &facts.firmware.ivrs);
    if let Some(because) = dmar.because().or(ivrs.because()).or(facts.pci.because()) {
        return Outcome::unknown("which memory the firmware keeps devices mapped to", because);
    }
    if facts.firmware.dmar().is_none() && facts.firmware.ivrs().is_none() {
        return Outcome::skip("the firmware has neither of the tables that could say it").seen(dmar);
    }
    let kept: Vec<Kept<'_>> =
        on_intel(facts).into_iter().chain(on_amd(facts)).filter(|one| !one.functions.is_empty()).collect();
    if kept.is_empty() {
        return Outcome::pass("the firmware keeps no device to itself that a guest could have")
            .seen(dmar)
            .seen(ivrs);
    }
    let intent = crate::intent::of(facts).ok().flatten().unwrap_or_default();
    let mut outcome = Outcome::warn(String::new());
    let mut names: BTreeMap<PciAddress, String> = BTreeMap::new();
    for one in &kept {
        for function in &one.functions {
            names.insert(function.address, format!("{} ({})", function.address, facts.name_of(function)));
            if function.class.is_display() || intent.isolates(function.address) {
                outcome.verdict = Verdict::Fail;
            }
        }
        outcome = outcome.evidence(
            format!("/sys/firmware/acpi/tables/{}", one.table),
            format!("{:#x}-{:#x} for {}", one.start, one.end, listed(&one.functions)),
        );
    }
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<String> = names.into_values().take(SHOWN).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    outcome.summary =
        format!("once the IOMMU is on, the kernel will refuse these to guests: {}{more}", shown.join(", "));
    outcome.by_hand(
        "Look in the firmware setup for an option that ends it (pre-boot DMA protection, RMRR, shared memory), or for an update",
    )
}

/// RMRRs, but for those of display and USB devices, which the kernel lets go (`device_rmrr_is_relaxable`,
/// `drivers/iommu/intel/iommu.c`).
fn on_intel(facts: &HostFacts) -> Vec<Kept<'_>> {
    let Some(dmar) = facts.firmware.dmar() else { return Vec::new() };
    let kept = |range: &passthru_model::acpi::DmarReserved| Kept {
        table: "DMAR",
        start: range.start,
        end: range.end,
        functions: range
            .scope
            .iter()
            .flat_map(|scope| named(facts, range.domain, scope))
            .filter(|one| !one.is_bridge() && !one.class.is_display() && one.class.base_and_sub() != 0x0c03)
            .collect(),
    };
    dmar.reserved.iter().map(kept).collect()
}

/// IVMDs. The kernel makes no exception here (`amd_iommu_get_resv_regions`, `drivers/iommu/amd/iommu.c`).
fn on_amd(facts: &HostFacts) -> Vec<Kept<'_>> {
    let Some(ivrs) = facts.firmware.ivrs() else { return Vec::new() };
    let kept = |memory: &passthru_model::acpi::IvrsMemory| Kept {
        table: "IVRS",
        start: memory.start,
        end: memory.start.saturating_add(memory.length).saturating_sub(1),
        functions: facts.functions().filter(|one| !one.is_bridge() && memory.covers(one.address)).collect(),
    };
    ivrs.memory.iter().filter(|memory| memory.is_direct()).map(kept).collect()
}

/// The functions that a scope names: its way is walked down from its first bus, by what hangs below each bridge.
fn named<'a>(facts: &'a HostFacts, domain: u16, scope: &DeviceScope) -> Vec<&'a PciFunction> {
    let mut at: Option<&PciFunction> = None;
    for (device, function) in &scope.path {
        let fits = |one: &&PciFunction| {
            let place = one.address;
            let here = match at {
                None => place.domain() == u32::from(domain) && place.bus() == scope.bus,
                Some(above) => one.parents.last() == Some(&above.address),
            };
            here && place.device() == *device && place.function() == *function
        };
        at = facts.functions().find(fits);
        if at.is_none() {
            return Vec::new();
        }
    }
    match (at, scope.kind) {
        (Some(bridge), ScopeKind::Bridge) => {
            facts.functions().filter(|one| one.parents.contains(&bridge.address)).collect()
        }
        (Some(one), ScopeKind::Endpoint) => vec![one],
        _ => Vec::new(),
    }
}

fn listed(functions: &[&PciFunction]) -> String {
    let shown: Vec<String> = functions.iter().take(SHOWN).map(|one| one.address.to_string()).collect();
    let more = functions.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
