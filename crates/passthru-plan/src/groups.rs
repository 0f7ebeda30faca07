//! What each IOMMU group means for passthrough, and each device in it.

use std::collections::BTreeMap;

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::finding::Verdict;
use passthru_model::hex::{ClassCode, Hex16};
use passthru_model::iommu::IommuGroup;
use passthru_model::pci::PciFunction;
use schemars::JsonSchema;
use serde::Serialize;

use crate::resets;
use crate::stake::{self, Stake};

/// What is said of a device that needs no other with it.
pub(crate) const ALONE: &str = "can go alone";

/// One PCI function in the view of groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeviceView {
    /// Where it sits.
    pub address: PciAddress,
    /// Its name, or class and id where it has none.
    pub name: String,
    /// Who made the chip.
    pub vendor: Hex16,
    /// Which chip it is.
    pub device: Hex16,
    /// Who made the board.
    pub subsystem_vendor: Hex16,
    /// Which board it is.
    pub subsystem_device: Hex16,
    /// What kind of function it is.
    pub class: ClassCode,
    /// The driver bound now.
    pub driver: Option<String>,
    /// Whether the kernel can reset it by itself; null where that could not be read.
    pub reset: Option<bool>,
    /// Reset methods in the order the kernel tries them. Empty, with `reset` true, on kernels before 5.15.
    pub reset_methods: Vec<String>,
    /// Whether the firmware drew on it; null where it does not apply.
    pub boot_vga: Option<bool>,
    /// Whether it is a bridge.
    pub is_bridge: bool,
    /// Other functions in this host with the same vendor and device ids.
    pub twins: Vec<PciAddress>,
    /// Whether it can go to a guest, in a sentence.
    pub outlook: String,
}

/// One IOMMU group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GroupView {
    /// Its number.
    pub id: u32,
    /// Its functions, in order of address.
    pub devices: Vec<DeviceView>,
    /// Whether it can go to a guest: pass yes, warn with something to know, fail not without loss to the host.
    pub verdict: Verdict,
    /// Why, in sentences. Empty only where there is nothing to say.
    pub reasons: Vec<String>,
}

/// The groups of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GroupsView {
    /// The groups, in order of number.
    pub groups: Vec<GroupView>,
    /// Functions without a group, in order of address.
    pub ungrouped: Vec<DeviceView>,
    /// Why the groups or functions are not known, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// Whether a member of a group does not keep the group from being given to a guest (`drivers/vfio`: a member must be
/// without a driver, or on one that does no DMA of its own).
pub(crate) fn is_harmless_bridge(function: &PciFunction) -> bool {
    function.is_bridge()
        && function.driver.as_deref().is_none_or(|driver| {
            matches!(driver, "pcieport" | "pci-stub") || passthru_model::pci::is_vfio_driver(driver)
        })
}

/// The members of a group that a guest would have to take or the host to give up: all but harmless bridges.
pub(crate) fn company<'a>(facts: &'a HostFacts, group: &IommuGroup) -> Vec<&'a PciFunction> {
    group
        .members
        .iter()
        .filter_map(|address| facts.function(*address))
        .filter(|function| !is_harmless_bridge(function))
        .collect()
}

/// The view of all groups.
pub fn view(facts: &HostFacts) -> GroupsView {
    let empty = BTreeMap::new();
    let groups = facts.iommu.groups.value().unwrap_or(&empty);
    let unknown = facts.pci.because().or(facts.iommu.groups.because()).map(str::to_owned);
    let grouped = |function: &&PciFunction| {
        function.group.is_some() || groups.values().any(|group| group.members.contains(&function.address))
    };
    let told = resets::are_told(facts);
    GroupsView {
        groups: groups.values().map(|group| group_view(facts, group, told)).collect(),
        ungrouped: facts
            .functions()
            .filter(|f| !grouped(f))
            .map(|f| device_view(facts, f, None, told))
            .collect(),
        unknown,
    }
}

fn group_view(facts: &HostFacts, group: &IommuGroup, told: bool) -> GroupView {
    let members = group.members.iter().filter_map(|address| facts.function(*address));
    let (verdict, reasons) = judge(facts, group);
    GroupView {
        id: group.id,
        devices: members.map(|function| device_view(facts, function, Some(group), told)).collect(),
        verdict,
        reasons,
    }
}

fn judge(facts: &HostFacts, group: &IommuGroup) -> (Verdict, Vec<String>) {
    let company = company(facts, group);
    if company.is_empty() {
        return (Verdict::Pass, vec!["only bridges, which stay with the host".to_owned()]);
    }
    let mut verdict = Verdict::Pass;
    let mut reasons = Vec::new();
    let mut add = |worse: Verdict, reason: String| {
        verdict = verdict.max(worse);
        reasons.push(reason);
    };
    let taken: Vec<_> = company.iter().map(|function| function.address).collect();
    for function in &company {
        for stake in stake::of_taking(facts, function, &taken) {
            let worse = if stake.is_loss() { Verdict::Fail } else { Verdict::Warn };
            add(worse, format!("{}: {}", function.address, stake.sentence()));
        }
    }
    for region in group.reserved.iter().filter(|region| region.kind == "direct") {
        add(
            Verdict::Fail,
            format!(
                "the firmware requires {:#x}-{:#x} to be mapped one to one, so the kernel refuses to give the group to a guest",
                region.start, region.end
            ),
        );
    }
    let mut slots: Vec<_> = company.iter().map(|function| function.address.slot()).collect();
    slots.dedup();
    if slots.len() > 1 {
        let list: Vec<_> = slots.iter().map(ToString::to_string).collect();
        add(
            Verdict::Warn,
            format!("devices of {} slots can only go together: {}", slots.len(), list.join(", ")),
        );
        if let Some(card) = company.iter().find(|f| f.class.is_display() && !f.parents.is_empty()) {
            add(
                Verdict::Warn,
                format!(
                    "‘passthru groups --why {}’ says why, and which slot would keep the card apart",
                    card.address
                ),
            );
        }
    }
    for slot in slots {
        let elsewhere: Vec<_> = facts
            .functions()
            .filter(|f| f.address.slot() == slot && !f.is_bridge() && !group.members.contains(&f.address))
            .map(|f| f.address.to_string())
            .collect();
        if !elsewhere.is_empty() {
            add(
                Verdict::Pass,
                format!("other functions of {slot} are in other groups: {}", elsewhere.join(", ")),
            );
        }
    }
    for function in company.iter().filter(|f| f.class.is_display()) {
        let twins = stake::twins(facts, function);
        if !twins.is_empty() {
            add(
                Verdict::Pass,
                format!("{} has twins with the same PCI ID: {}", function.address, listed(&twins)),
            );
        }
    }
    (verdict, reasons)
}

fn device_view(
    facts: &HostFacts,
    function: &PciFunction,
    group: Option<&IommuGroup>,
    told: bool,
) -> DeviceView {
    DeviceView {
        address: function.address,
        name: facts.name_of(function),
        vendor: function.id.vendor,
        device: function.id.device,
        subsystem_vendor: function.subsystem.vendor,
        subsystem_device: function.subsystem.device,
        class: function.class,
        driver: function.driver.clone(),
        reset: resets::can(function, told),
        reset_methods: function.reset_methods.clone(),
        boot_vga: function.boot_vga,
        is_bridge: function.is_bridge(),
        twins: stake::twins(facts, function),
        outlook: outlook(facts, function, group),
    }
}

/// Whether a function can go to a guest, in a sentence that follows its name.
fn outlook(facts: &HostFacts, function: &PciFunction, group: Option<&IommuGroup>) -> String {
    if function.is_bridge() {
        return "stays with the host, because it is a bridge".to_owned();
    }
    let Some(group) = group else {
        return if facts.iommu.groups.value().is_some_and(|groups| !groups.is_empty()) {
            "cannot, because it has no IOMMU group".to_owned()
        } else {
            "cannot yet, because there are no IOMMU groups".to_owned()
        };
    };
    if group.reserved.iter().any(|region| region.kind == "direct") {
        return "cannot, because the firmware keeps memory of its group for itself".to_owned();
    }
    let company = company(facts, group);
    let taken: Vec<_> = company.iter().map(|function| function.address).collect();
    let lost = |of: &PciFunction| stake::of_taking(facts, of, &taken).into_iter().find(Stake::is_loss);
    if let Some(part) = stake::chipset_part(function) {
        return format!("stays with the host, which cannot do without its {part}");
    }
    if let Some(stake) = lost(function) {
        return format!("cannot without loss: {}", stake.sentence());
    }
    for other in &company {
        if let Some(stake) = lost(other) {
            return format!("cannot, because {} goes with it: {}", other.address, stake.sentence());
        }
    }
    let others: Vec<PciAddress> =
        company.iter().map(|f| f.address).filter(|address| *address != function.address).collect();
    if others.is_empty() { ALONE.to_owned() } else { format!("needs {} with it", listed(&others)) }
}

pub(crate) fn listed(addresses: &[PciAddress]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
