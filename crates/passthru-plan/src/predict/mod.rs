//! Foretelling IOMMU groups from configuration space and topology alone, by the kernel's own rules, so that they can be
//! known where the IOMMU is off, and explained where it is on.
//!
//! The rules are those of `pci_device_group` (`drivers/iommu/iommu.c`) with `pci_acs_enabled` (`drivers/pci/pci.c`) and the
//! tables of `drivers/pci/quirks.c`. Access control is taken as the kernel sets it when an IOMMU is asked for. What could
//! not be read is taken both ways: a group that comes out alike is certain.

mod advice;
mod aliases;
mod assume;
mod compare;
mod form;
mod isolation;
mod path;
mod quirks;
mod reasons;
mod topology;

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::fact::Fact;
use passthru_model::iommu::{IommuGroup, ReservedRegion};
use passthru_model::pci::PciFunction;

use assume::Guess;
use topology::{Kind, Machine};

pub use advice::{SlotAdvice, slots};
pub use assume::{AcsOverride, Assumptions, OverrideError};
pub use compare::{Difference, compare};
pub use form::Joined;
pub use isolation::{Because, Service};
pub use path::{Hop, Why, why};

/// One function of a foretold group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where it sits.
    pub address: PciAddress,
    /// How it came into the group.
    pub joined: Joined,
    /// The same in a sentence; empty for the first of a group.
    pub because: String,
}

/// One foretold group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictedGroup {
    /// Its number in the order in which the kernel would give them out, from 0.
    pub id: u32,
    /// Its functions in the order in which they come in.
    pub members: Vec<Member>,
    /// Why they are together, a sentence for all that came in in the same way.
    pub reasons: Vec<String>,
    /// Whether what could not be read changes nothing of it.
    pub certain: bool,
    /// Where it does: the groups it would be, if all that could not be read kept devices apart.
    pub at_best: Vec<Vec<PciAddress>>,
}

impl PredictedGroup {
    /// Its functions, in order of address.
    pub fn addresses(&self) -> Vec<PciAddress> {
        let set: BTreeSet<PciAddress> = self.members.iter().map(|member| member.address).collect();
        set.into_iter().collect()
    }
}

/// The groups that a host would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// The groups in order of number.
    pub groups: Vec<PredictedGroup>,
    /// Functions that get no group, and why.
    pub ungrouped: BTreeMap<PciAddress, String>,
    /// What could not be read and why, a sentence for each reason.
    pub unseen: Vec<String>,
}

impl Prediction {
    /// A group by its number.
    pub fn group(&self, id: u32) -> Option<&PredictedGroup> {
        // They are in order of their numbers.
        let index = self.groups.binary_search_by_key(&id, |group| group.id).ok()?;
        self.groups.get(index)
    }

    /// The group of a function.
    pub fn group_of(&self, address: PciAddress) -> Option<&PredictedGroup> {
        self.groups.iter().find(|group| group.members.iter().any(|member| member.address == address))
    }
}

/// An AMD IOMMU's own function, which gets no group: its driver takes it for itself (`drivers/iommu/amd/init.c`).
fn is_amd_iommu(function: &PciFunction) -> bool {
    function.id.vendor.0 == 0x1022 && function.class.base_and_sub() == 0x0806
}

/// Why a function gets no group, where it gets none.
///
/// AMD's table (IVRS) lists the devices of an IOMMU. On every machine seen so far its list begins after the slot of the
/// IOMMU itself, so that the host bridge in that slot is left out.
fn left_out(facts: &HostFacts, function: &PciFunction) -> Option<&'static str> {
    let host_bridge = function.class.base_and_sub() == 0x0600;
    if is_amd_iommu(function) {
        Some("it is the IOMMU itself")
    } else if host_bridge
        && facts.functions().any(|other| other.address.is_sibling_of(function.address) && is_amd_iommu(other))
    {
        Some("it is the host bridge beside an AMD IOMMU, which the firmware does not put under it")
    } else {
        None
    }
}

/// Foretells the groups. A host whose functions are not known has none.
pub fn predict(facts: &HostFacts, assumptions: &Assumptions) -> Prediction {
    let machine = Machine::new(facts, assumptions);
    let shared = form::form(&machine, Guess::Shared);
    let apart: Vec<BTreeSet<PciAddress>> = form::form(&machine, Guess::Apart)
        .into_iter()
        .map(|members| members.into_iter().map(|(address, _)| address).collect())
        .collect();
    let apart_of: BTreeMap<PciAddress, usize> =
        (0..).zip(&apart).flat_map(|(index, set)| set.iter().map(move |address| (*address, index))).collect();
    let mut groups = Vec::with_capacity(shared.len());
    for (id, members) in (0..).zip(shared) {
        let set: BTreeSet<PciAddress> = members.iter().map(|(address, _)| *address).collect();
        let parts: BTreeSet<usize> =
            set.iter().filter_map(|address| apart_of.get(address).copied()).collect();
        let at_best: Vec<Vec<PciAddress>> = parts
            .into_iter()
            .filter_map(|index| apart.get(index))
            .map(|other| other.iter().copied().collect())
            .collect();
        let certain = at_best.len() == 1 && at_best.iter().all(|other| other.len() == set.len());
        let member = |(address, joined)| Member {
            address,
            because: reasons::sentence(&machine, &[address], &joined),
            joined,
        };
        groups.push(PredictedGroup {
            id,
            reasons: reasons::of_group(&machine, &members),
            members: members.into_iter().map(member).collect(),
            certain,
            at_best: if certain { Vec::new() } else { at_best },
        });
    }
    let ungrouped = facts
        .functions()
        .filter_map(|function| Some((function.address, left_out(facts, function)?.to_owned())))
        .collect();
    Prediction { groups, ungrouped, unseen: unseen(&machine) }
}

/// What could not be read of functions whose kind or services count, in few sentences.
fn unseen(machine: &Machine<'_>) -> Vec<String> {
    let mut by_reason: BTreeMap<String, Vec<PciAddress>> = BTreeMap::new();
    for node in machine.nodes.values() {
        if node.kind == Kind::Unknown || machine.isolation(node).apart.is_none() {
            by_reason.entry(node.unseen()).or_default().push(node.address());
        } else if aliases::are_hidden(node.function) {
            let why = "it uses requester IDs that only its own memory tells";
            by_reason.entry(why.to_owned()).or_default().push(node.address());
        }
    }
    by_reason
        .into_iter()
        .map(|(why, all)| match all.as_slice() {
            [one] => format!("{one}: {why}"),
            [first, second, third, _, ..] => {
                format!("{first}, {second}, {third} and {} more: {why}", all.len() - 3)
            }
            few => format!("{}: {why}", crate::groups::listed(few)),
        })
        .collect()
}

/// The same host with the foretold groups in place of its own, so that all that judges groups can judge these.
///
/// Memory that the firmware keeps for itself stays with the functions whose group shows it now.
pub fn with_groups(facts: &HostFacts, prediction: &Prediction) -> HostFacts {
    let mut facts = facts.clone();
    let mut groups = BTreeMap::new();
    let mut group_of = BTreeMap::new();
    let now = groups_now(&facts);
    for group in &prediction.groups {
        let members = group.addresses();
        let reserved = reserved(&facts, &now, &members);
        group_of.extend(members.iter().map(|member| (*member, group.id)));
        groups.insert(group.id, IommuGroup { id: group.id, members, kind: None, reserved });
    }
    if let Fact::Known(functions, _) = &mut facts.pci {
        for function in functions.values_mut() {
            function.group = group_of.get(&function.address).copied();
        }
    }
    facts.iommu.groups = match facts.pci.because() {
        Some(because) => Fact::unknown(because),
        None => Fact::known(groups, "/sys/bus/pci/devices", "foretold from configuration space"),
    };
    facts
}

/// The groups that functions are in now.
fn groups_now(facts: &HostFacts) -> BTreeMap<PciAddress, BTreeSet<u32>> {
    let mut now: BTreeMap<PciAddress, BTreeSet<u32>> = BTreeMap::new();
    for group in facts.iommu.groups.value().into_iter().flat_map(BTreeMap::values) {
        for member in &group.members {
            now.entry(*member).or_default().insert(group.id);
        }
    }
    now
}

/// The reserved regions of the groups that functions are in now, each once.
fn reserved(
    facts: &HostFacts,
    now: &BTreeMap<PciAddress, BTreeSet<u32>>,
    members: &[PciAddress],
) -> Vec<ReservedRegion> {
    let ids: BTreeSet<u32> = members.iter().filter_map(|member| now.get(member)).flatten().copied().collect();
    let mut found: Vec<ReservedRegion> = Vec::new();
    for group in ids.iter().filter_map(|id| facts.iommu.groups.value()?.get(id)) {
        for region in &group.reserved {
            if !found.contains(region) {
                found.push(region.clone());
            }
        }
    }
    found
}
