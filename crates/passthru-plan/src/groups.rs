//! What each IOMMU group means for passthrough, and each device in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use passthru_model::HostFacts;
use passthru_model::address::{PciAddress, PciSlot};
use passthru_model::finding::Verdict;
use passthru_model::hex::{ClassCode, Hex16};
use passthru_model::iommu::{IommuGroup, ReservedRegion};
use passthru_model::pci::PciFunction;
use schemars::JsonSchema;
use serde::Serialize;

use crate::resets;
use crate::stake::{self, Stake, Stakes};

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
    /// Other functions in this host with the same vendor and device ids: the first of them, where they are very many.
    pub twins: Vec<PciAddress>,
    /// How many more twins there are than are listed.
    pub more_twins: usize,
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

/// How many addresses are listed in one place; of more, only their number is said.
const MOST_LISTED: usize = 32;

/// The view of all groups.
pub fn view(facts: &HostFacts) -> GroupsView {
    let viewer = Viewer::of(facts);
    GroupsView {
        groups: viewer.groups().map(|group| viewer.group(group)).collect(),
        ungrouped: viewer.ungrouped(),
        unknown: viewer.unknown(),
    }
}

/// The facts, sorted once for all groups, so that groups can be viewed one by one, by several threads too.
#[derive(Debug)]
pub struct Viewer<'a> {
    facts: &'a HostFacts,
    stakes: Stakes<'a>,
    /// The functions of each slot but bridges.
    slots: BTreeMap<PciSlot, Vec<PciAddress>>,
    /// Whether a function without a reset is known to have none.
    resets_are_told: bool,
}

/// A group with what is at stake in it.
struct Judged<'a> {
    group: &'a IommuGroup,
    /// All members but harmless bridges, in order of address.
    company: Vec<&'a PciFunction>,
    /// What the host loses where all of it goes, for each that it loses something with.
    stakes: BTreeMap<PciAddress, Vec<Stake>>,
}

impl Judged<'_> {
    fn loss(&self, address: PciAddress) -> Option<&Stake> {
        self.stakes.get(&address).into_iter().flatten().find(|stake| stake.is_loss())
    }

    /// The first member that the host loses something with.
    fn first_loss(&self) -> Option<(PciAddress, &Stake)> {
        self.stakes.keys().find_map(|address| Some((*address, self.loss(*address)?)))
    }

    /// The regions that firmware keeps for itself.
    fn direct(&self) -> impl Iterator<Item = &ReservedRegion> {
        self.group.reserved.iter().filter(|region| region.kind == "direct")
    }
}

impl<'a> Viewer<'a> {
    /// Sorts the facts.
    pub fn of(facts: &'a HostFacts) -> Self {
        let mut slots: BTreeMap<PciSlot, Vec<PciAddress>> = BTreeMap::new();
        for function in facts.functions().filter(|function| !function.is_bridge()) {
            slots.entry(function.address.slot()).or_default().push(function.address);
        }
        let resets_are_told = resets::are_told(facts);
        Self { facts, stakes: Stakes::of(facts), slots, resets_are_told }
    }

    /// The groups, in order of number; none where they are not known.
    pub fn groups(&self) -> impl Iterator<Item = &'a IommuGroup> + use<'a> {
        self.facts.iommu.groups.value().into_iter().flat_map(BTreeMap::values)
    }

    /// Functions without a group, in order of address.
    pub fn ungrouped(&self) -> Vec<DeviceView> {
        let lone = |function: &&PciFunction| function.group.is_none();
        let mut lone = self.facts.functions().filter(lone).peekable();
        if lone.peek().is_none() {
            return Vec::new();
        }
        let members: BTreeSet<PciAddress> =
            self.groups().flat_map(|group| group.members.iter().copied()).collect();
        lone.filter(|function| !members.contains(&function.address))
            .map(|function| self.device(function, None))
            .collect()
    }

    /// Why the groups or functions are not known, where they are not.
    pub fn unknown(&self) -> Option<String> {
        self.facts.pci.because().or(self.facts.iommu.groups.because()).map(str::to_owned)
    }

    /// One group.
    pub fn group(&self, group: &'a IommuGroup) -> GroupView {
        let company = company(self.facts, group);
        let leaving = self.stakes.leaving(company.iter().map(|function| function.address));
        let stakes = company
            .iter()
            .map(|function| (function.address, self.stakes.of_taking(function, &leaving)))
            .filter(|(_, stakes)| !stakes.is_empty())
            .collect();
        let judged = Judged { group, company, stakes };
        let members = group.members.iter().filter_map(|address| self.facts.function(*address));
        let (verdict, reasons) = self.judge(&judged);
        GroupView {
            id: group.id,
            devices: members.map(|function| self.device(function, Some(&judged))).collect(),
            verdict,
            reasons,
        }
    }

    fn judge(&self, judged: &Judged<'_>) -> (Verdict, Vec<String>) {
        let company = &judged.company;
        if company.is_empty() {
            return (Verdict::Pass, vec!["only bridges, which stay with the host".to_owned()]);
        }
        let mut verdict = Verdict::Pass;
        let mut reasons = Vec::new();
        let mut add = |worse: Verdict, reason: String| {
            verdict = verdict.max(worse);
            reasons.push(reason);
        };
        for (address, stakes) in &judged.stakes {
            for stake in stakes {
                let worse = if stake.is_loss() { Verdict::Fail } else { Verdict::Warn };
                add(worse, format!("{address}: {}", stake.sentence()));
            }
        }
        for region in judged.direct() {
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
            add(
                Verdict::Warn,
                format!("devices of {} slots can only go together: {}", slots.len(), some_of(&slots)),
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
        let members: BTreeSet<PciAddress> = judged.group.members.iter().copied().collect();
        for slot in slots {
            let functions = self.slots.get(&slot).into_iter().flatten();
            let elsewhere: Vec<_> = functions.copied().filter(|address| !members.contains(address)).collect();
            if !elsewhere.is_empty() {
                add(
                    Verdict::Pass,
                    format!("other functions of {slot} are in other groups: {}", listed(&elsewhere)),
                );
            }
        }
        for function in company.iter().filter(|f| f.class.is_display()) {
            let (twins, more) = self.twins(function);
            if !twins.is_empty() {
                let list = and_more(&twins, more);
                add(Verdict::Pass, format!("{} has twins with the same PCI ID: {list}", function.address));
            }
        }
        (verdict, reasons)
    }

    /// The first twins of a function, and how many more there are.
    fn twins(&self, function: &PciFunction) -> (Vec<PciAddress>, usize) {
        let mut twins = self.stakes.twins(function);
        let first: Vec<PciAddress> = twins.by_ref().take(MOST_LISTED).collect();
        // To count them one by one would be quadratic where all functions of a host are alike.
        let more = self.stakes.count_alike(function).saturating_sub(first.len() + 1);
        (first, more)
    }

    fn device(&self, function: &PciFunction, judged: Option<&Judged<'_>>) -> DeviceView {
        let (twins, more_twins) = self.twins(function);
        DeviceView {
            address: function.address,
            name: self.facts.name_of(function),
            vendor: function.id.vendor,
            device: function.id.device,
            subsystem_vendor: function.subsystem.vendor,
            subsystem_device: function.subsystem.device,
            class: function.class,
            driver: function.driver.clone(),
            reset: resets::can(function, self.resets_are_told),
            reset_methods: function.reset_methods.clone(),
            boot_vga: function.boot_vga,
            is_bridge: function.is_bridge(),
            twins,
            more_twins,
            outlook: self.outlook(function, judged),
        }
    }

    /// Whether a function can go to a guest, in a sentence that follows its name.
    fn outlook(&self, function: &PciFunction, judged: Option<&Judged<'_>>) -> String {
        if function.is_bridge() {
            return "stays with the host, because it is a bridge".to_owned();
        }
        let Some(judged) = judged else {
            return if self.groups().next().is_some() {
                "cannot, because it has no IOMMU group".to_owned()
            } else {
                "cannot yet, because there are no IOMMU groups".to_owned()
            };
        };
        if judged.direct().next().is_some() {
            return "cannot, because the firmware keeps memory of its group for itself".to_owned();
        }
        if let Some(part) = stake::chipset_part(function) {
            return format!("stays with the host, which cannot do without its {part}");
        }
        if let Some(stake) = judged.loss(function.address) {
            return format!("cannot without loss: {}", stake.sentence());
        }
        if let Some((other, stake)) = judged.first_loss() {
            return format!("cannot, because {other} goes with it: {}", stake.sentence());
        }
        let mut others =
            judged.company.iter().map(|member| member.address).filter(|address| *address != function.address);
        let first: Vec<PciAddress> = others.by_ref().take(MOST_LISTED).collect();
        let more = judged.company.len().saturating_sub(first.len() + 1);
        if first.is_empty() { ALONE.to_owned() } else { format!("needs {} with it", and_more(&first, more)) }
    }
}

/// Addresses in a sentence; of very many, the first ones and the number of the others.
pub(crate) fn listed(addresses: &[PciAddress]) -> String {
    some_of(addresses)
}

fn some_of(things: &[impl fmt::Display]) -> String {
    let first = things.get(..MOST_LISTED).unwrap_or(things);
    and_more(first, things.len() - first.len())
}

fn and_more(things: &[impl fmt::Display], more: usize) -> String {
    let mut list = String::new();
    for (position, thing) in things.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        let _ = write!(list, "{comma}{thing}");
    }
    if more > 0 {
        let _ = write!(list, " and {more} more");
    }
    list
}
