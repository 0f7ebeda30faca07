//! Forming the groups (`pci_device_group`, `drivers/iommu/iommu.c`).

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::config_space::PortType;
use passthru_model::address::PciAddress;
use schemars::JsonSchema;
use serde::Serialize;

use super::assume::Guess;
use super::topology::{Kind, Machine, Node};

/// How a function came into its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Joined {
    /// It is the first of its group.
    First,
    /// A bridge above it puts its own requester ID, or one for its whole bus, on what comes from below.
    Bridge {
        /// The bridge, which is in the group.
        bridge: PciAddress,
    },
    /// On its way to the root, something does not keep devices apart.
    Upstream {
        /// The bridge above it that is in the group.
        bridge: PciAddress,
        /// The bridge that does not keep devices apart: the same one, or one further up.
        blocked: PciAddress,
    },
    /// It uses the requester ID of another function, or the other way round.
    Alias {
        /// The function of the group that it, or the bridge above it, shares an ID with.
        with: PciAddress,
    },
    /// It, or the bridge above it, is one of several functions that are not kept apart.
    Slot {
        /// The function of the slot: itself, or the bridge above it.
        function: PciAddress,
        /// The other function of the slot, which is in the group or leads to it.
        with: PciAddress,
    },
    /// Its DMA carries the requester ID of the controller that it is behind.
    Controller {
        /// The controller.
        controller: PciAddress,
    },
}

/// The groups as the kernel gives them out, in their order, with the way in which each function came in.
pub(super) type Groups = Vec<Vec<(PciAddress, Joined)>>;

/// Forms the groups of a machine.
pub(super) fn form(machine: &Machine<'_>, guess: Guess) -> Groups {
    let mut former = Former { machine, guess, of: BTreeMap::new(), groups: Vec::new() };
    for address in &machine.order {
        if let Some(node) = machine.node(*address)
            && !node.left_out
        {
            former.place(node);
        }
    }
    former.groups
}

struct Former<'a> {
    machine: &'a Machine<'a>,
    guess: Guess,
    of: BTreeMap<PciAddress, usize>,
    groups: Groups,
}

impl Former<'_> {
    fn group(&self, address: PciAddress) -> Option<usize> {
        self.of.get(&address).copied()
    }

    fn place(&mut self, node: &Node<'_>) {
        let address = node.address();
        let (group, joined) = self.find(node).unwrap_or_else(|| {
            self.groups.push(Vec::new());
            (self.groups.len() - 1, Joined::First)
        });
        self.of.insert(address, group);
        if let Some(members) = self.groups.get_mut(group) {
            members.push((address, joined));
        }
    }

    /// The group that a function joins; `None`: a new one.
    fn find(&self, node: &Node<'_>) -> Option<(usize, Joined)> {
        let mut anchor = node.address();
        if let Some(controller) = node.requester {
            if let Some(group) = self.group(controller) {
                return Some((group, Joined::Controller { controller }));
            }
            anchor = controller;
        }
        // Up through everything that changes the requester ID (`pci_for_each_dma_alias`, `drivers/pci/search.c`).
        for bridge in self.machine.above(anchor).collect::<Vec<_>>() {
            if takes_over(bridge) {
                let bridge = bridge.address();
                anchor = bridge;
                if let Some(group) = self.group(bridge) {
                    return Some((group, Joined::Bridge { bridge }));
                }
            }
        }
        // Further up, until all of the way to the root keeps devices apart.
        for bridge in self.machine.above(anchor).map(Node::address).collect::<Vec<_>>() {
            let Some(blocked) = self.machine.blocked(bridge, self.guess) else { break };
            anchor = bridge;
            if let Some(group) = self.group(bridge) {
                return Some((group, Joined::Upstream { bridge, blocked }));
            }
        }
        let anchor = self.machine.node(anchor)?;
        let mut tested = BTreeSet::new();
        self.by_alias(anchor, &mut tested).or_else(|| self.by_slot(anchor, &mut tested))
    }

    /// The group of a function, or of one that shares a requester ID with it (`get_pci_alias_group`).
    fn by_alias(&self, node: &Node<'_>, tested: &mut BTreeSet<u8>) -> Option<(usize, Joined)> {
        if !tested.insert(node.devfn()) {
            return None;
        }
        if let Some(group) = self.group(node.address()) {
            return Some((group, Joined::Alias { with: node.address() }));
        }
        let shares = |other: &&Node<'_>| {
            node.aliases.contains(&other.devfn()) || other.aliases.contains(&node.devfn())
        };
        for other in self.machine.beside(node.address()).filter(shares).collect::<Vec<_>>() {
            let found = self.by_alias(other, tested).or_else(|| self.by_slot(other, tested));
            if let Some((group, _)) = found {
                return Some((group, Joined::Alias { with: other.address() }));
            }
        }
        None
    }

    /// The group of a function of the same slot, where neither keeps apart (`get_pci_function_alias_group`).
    fn by_slot(&self, node: &Node<'_>, tested: &mut BTreeSet<u8>) -> Option<(usize, Joined)> {
        let apart = |node: &Node<'_>| self.machine.isolation(node).apart(self.guess);
        if !node.multifunction || apart(node) {
            return None;
        }
        let slot = node.address().slot();
        for other in self.machine.beside(node.address()).collect::<Vec<_>>() {
            if other.address().slot() == slot
                && !apart(other)
                && let Some((group, _)) = self.by_alias(other, tested)
            {
                return Some((group, Joined::Slot { function: node.address(), with: other.address() }));
            }
        }
        None
    }
}

/// Whether what comes from below a bridge carries the bridge's ID.
fn takes_over(bridge: &Node<'_>) -> bool {
    match bridge.kind {
        Kind::Conventional => true,
        Kind::Express(kind) => matches!(kind, PortType::ToPci | PortType::FromPci),
        Kind::Unknown => false,
    }
}
