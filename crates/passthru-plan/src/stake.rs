//! What the host would lose with a device.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::facts::{HostUse, InUse};
use passthru_model::hex::PciId;
use passthru_model::pci::PciFunction;

/// One thing that is at stake with a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stake {
    /// A part of the chipset that the host cannot do without.
    Chipset(&'static str),
    /// The host would have no display.
    OnlyDisplay,
    /// The host draws on it, and has another.
    Display(String),
    /// Storage that is in use.
    Storage(String),
    /// Network that is in use.
    Network(String),
    /// The host would have no keyboard.
    LastKeyboard(String),
}

impl Stake {
    /// Whether it is lost to the host without a replacement.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Self::Display(_))
    }

    /// What is at stake, in words that follow "ADDRESS:".
    pub fn sentence(&self) -> String {
        match self {
            Self::Chipset(what) => format!("the host cannot do without its {what}"),
            Self::OnlyDisplay => "it is the host's only display".to_owned(),
            Self::Display(what) => {
                format!("the host draws on it now ({what}) and would use its other display")
            }
            Self::Storage(what) => format!("the host uses its storage: {what}"),
            Self::Network(what) => format!("the host uses its network: {what}"),
            Self::LastKeyboard(what) => format!("it carries the host's last keyboard: {what}"),
        }
    }
}

/// What is at stake with one function, taken alone.
pub fn of(facts: &HostFacts, function: &PciFunction) -> Vec<Stake> {
    of_taking(facts, function, &[function.address])
}

/// What is at stake with one function where all of `taken` leave the host together. For many functions, see `Stakes`.
pub fn of_taking(facts: &HostFacts, function: &PciFunction, taken: &[PciAddress]) -> Vec<Stake> {
    let stakes = Stakes::of(facts);
    stakes.of_taking(function, &stakes.leaving(taken.iter().copied()))
}

/// What hosts use their functions for and which functions are alike, sorted once, so that to judge all functions of a
/// host costs in proportion to their number.
#[derive(Debug)]
pub(crate) struct Stakes<'a> {
    uses: BTreeMap<PciAddress, Vec<&'a InUse>>,
    displays: BTreeSet<PciAddress>,
    keyboards: BTreeSet<PciAddress>,
    /// Functions by their ids, in order of address; bridges, which have no twins, are left out.
    alike: BTreeMap<PciId, Vec<PciAddress>>,
}

/// Functions that leave the host together, and what stays behind.
#[derive(Debug)]
pub(crate) struct Leaving {
    display_remains: bool,
    keyboard_remains: bool,
}

impl<'a> Stakes<'a> {
    /// Those of a host.
    pub(crate) fn of(facts: &'a HostFacts) -> Self {
        let in_use = facts.in_use.value().map(Vec::as_slice).unwrap_or_default();
        let mut uses: BTreeMap<PciAddress, Vec<&InUse>> = BTreeMap::new();
        for used in in_use {
            uses.entry(used.address).or_default().push(used);
        }
        let mut alike: BTreeMap<PciId, Vec<PciAddress>> = BTreeMap::new();
        for function in facts.functions().filter(|function| !function.is_bridge()) {
            alike.entry(function.id).or_default().push(function.address);
        }
        let keyboards = in_use.iter().filter(|used| used.kind == HostUse::Keyboard);
        Self {
            uses,
            displays: facts.functions().filter(|f| is_host_display(f)).map(|f| f.address).collect(),
            keyboards: keyboards.map(|used| used.address).collect(),
            alike,
        }
    }

    /// What stays behind where these leave.
    pub(crate) fn leaving(&self, taken: impl IntoIterator<Item = PciAddress>) -> Leaving {
        let taken: BTreeSet<PciAddress> = taken.into_iter().collect();
        let remains = |all: &BTreeSet<PciAddress>| all.iter().any(|address| !taken.contains(address));
        let (display_remains, keyboard_remains) = (remains(&self.displays), remains(&self.keyboards));
        Leaving { display_remains, keyboard_remains }
    }

    /// What is at stake with one function where others leave with it.
    pub(crate) fn of_taking(&self, function: &PciFunction, leaving: &Leaving) -> Vec<Stake> {
        let mut stakes: Vec<Stake> = chipset_part(function).map(Stake::Chipset).into_iter().collect();
        let uses = self.uses.get(&function.address).map(Vec::as_slice).unwrap_or_default();
        if is_host_display(function) {
            let display = uses.iter().find(|used| used.kind == HostUse::Display);
            if !leaving.display_remains {
                stakes.push(Stake::OnlyDisplay);
            } else if let Some(used) = display {
                stakes.push(Stake::Display(used.what.clone()));
            }
        }
        for used in uses {
            match used.kind {
                HostUse::Storage => stakes.push(Stake::Storage(used.what.clone())),
                HostUse::Network => stakes.push(Stake::Network(used.what.clone())),
                HostUse::Keyboard if !leaving.keyboard_remains => {
                    stakes.push(Stake::LastKeyboard(used.what.clone()));
                }
                HostUse::Keyboard | HostUse::Display => {}
            }
        }
        stakes
    }

    /// How many functions have the ids of this one, itself included; none where it is a bridge.
    pub(crate) fn count_alike(&self, function: &PciFunction) -> usize {
        self.alike.get(&function.id).filter(|_| !function.is_bridge()).map_or(0, Vec::len)
    }

    /// Other functions with the same vendor and device ids, in order of address.
    pub(crate) fn twins(&self, function: &PciFunction) -> impl Iterator<Item = PciAddress> {
        let alike = self.alike.get(&function.id).filter(|_| !function.is_bridge());
        let own = function.address;
        alike.into_iter().flatten().copied().filter(move |address| *address != own)
    }
}

/// Whether a display function is the host's: one that vfio-pci holds already is not.
fn is_host_display(function: &PciFunction) -> bool {
    function.class.is_display() && !function.is_on_vfio()
}

/// The part of the chipset that a function is, where it is one. Bridges between PCI buses are judged elsewhere.
pub(crate) fn chipset_part(function: &PciFunction) -> Option<&'static str> {
    match function.class.base_and_sub() {
        0x0601 => Some("ISA bridge"),
        0x0c05 => Some("SMBus"),
        0x0806 => Some("IOMMU"),
        _ if function.is_bridge() => None,
        0x0500 | 0x0580 if function.address.bus() == 0 => Some("memory controller"),
        _ => None,
    }
}
