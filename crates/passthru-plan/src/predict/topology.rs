//! The machine as the kernel sees it when it forms groups: what kind each function is, what is above it, and in which
//! order the functions come.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::config_space::{self, PortType, Seen};
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::iommu::FirmwareTable;
use passthru_model::pci::PciFunction;

use super::aliases::{self, DevFn};
use super::assume::{AcsOverride, Assumptions};

/// What kind a function is, as far as grouping asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Conventional PCI or PCI-X.
    Conventional,
    /// PCI Express.
    Express(PortType),
    /// Its capabilities could not be read.
    Unknown,
}

/// One function.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) function: &'a PciFunction,
    pub(super) kind: Kind,
    /// Whether the kernel takes it for one of several functions of a device (`pci_scan_slot`, `pci_setup_device`,
    /// `drivers/pci/probe.c`; virtual functions never are: `pci_iov_add_virtfn`, `drivers/pci/iov.c`).
    pub(super) multifunction: bool,
    /// Requester IDs that it uses beside its own, on its bus.
    pub(super) aliases: Vec<DevFn>,
    /// The function whose requester ID its DMA carries instead (`pci_real_dma_dev`): Intel VMD, for what is behind it.
    pub(super) requester: Option<PciAddress>,
    /// Whether no IOMMU is expected to cover it.
    pub(super) left_out: bool,
}

impl Node<'_> {
    pub(super) fn address(&self) -> PciAddress {
        self.function.address
    }

    pub(super) fn devfn(&self) -> DevFn {
        aliases::devfn(self.address().device(), self.address().function())
    }

    /// The kind as the kernel knows it; `None` for conventional PCI and where it is not known.
    pub(super) fn express(&self) -> Option<PortType> {
        match self.kind {
            Kind::Express(kind) => Some(kind),
            Kind::Conventional | Kind::Unknown => None,
        }
    }

    /// Why something of its configuration space is not known.
    pub(super) fn unseen(&self) -> String {
        if let Some(why) = self.function.gaps.get("config") {
            // Without the address, so that the same reason of many functions is one.
            return why.replace(&self.function.attribute(""), "");
        }
        match self.function.config.len() {
            0 => "its configuration space was not read".to_owned(),
            _ if !config_space::answers(&self.function.config) => {
                "it answers nothing, as a function without power does".to_owned()
            }
            bytes => format!("only {bytes} bytes of its configuration space could be read"),
        }
    }
}

/// A bus, by domain and number.
type Bus = (u32, u8);

/// The functions of a machine in their surroundings.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    pub(super) nodes: BTreeMap<PciAddress, Node<'a>>,
    /// The order in which the kernel gives out groups: that of registration, in which a bus comes before those below it
    /// (`pci_scan_child_bus_extend`, `drivers/pci/probe.c`). Virtual functions come last.
    pub(super) order: Vec<PciAddress>,
    /// The functions of each bus, in that order.
    pub(super) buses: BTreeMap<Bus, Vec<PciAddress>>,
    /// What the override patch is told.
    pub(super) acs_override: Option<AcsOverride>,
    /// Whether the kernel was told to set access control otherwise than it does by itself, so that only the registers tell.
    pub(super) registers_decide: bool,
    /// Whether the firmware describes an AMD IOMMU.
    pub(super) amd_iommu: bool,
}

impl<'a> Machine<'a> {
    pub(super) fn new(facts: &'a HostFacts, assumptions: &Assumptions) -> Self {
        let functions: BTreeMap<PciAddress, &PciFunction> =
            facts.functions().map(|function| (function.address, function)).collect();
        let slots: BTreeSet<_> = functions
            .values()
            .filter(|function| function.address.function() > 0 && function.physical_function.is_none())
            .map(|function| function.address.slot())
            .collect();
        let mut nodes = BTreeMap::new();
        for (address, function) in &functions {
            let kind = kind(&functions, function);
            let multifunction = function.physical_function.is_none()
                && (config_space::is_multifunction(&function.config) == Some(true)
                    || slots.contains(&address.slot())
                    || is_alternative_routing(&functions, function));
            let node = Node {
                function,
                kind,
                multifunction,
                aliases: aliases::of(function),
                requester: volume_manager(&functions, *address),
                left_out: super::left_out(facts, function).is_some(),
            };
            nodes.insert(*address, node);
        }
        let order = order(&functions);
        let mut buses: BTreeMap<Bus, Vec<PciAddress>> = BTreeMap::new();
        for address in &order {
            buses.entry((address.domain(), address.bus())).or_default().push(*address);
        }
        let told = |word: &str| {
            let cmdline = facts.kernel.cmdline.value();
            cmdline.is_some_and(|line| {
                line.split_whitespace().any(|part| part.starts_with("pci=") && part.contains(word))
            })
        };
        Self {
            amd_iommu: has_amd_iommu(facts),
            registers_decide: told("config_acs=") || told("disable_acs_redir="),
            acs_override: assumptions.acs_override.clone(),
            nodes,
            order,
            buses,
        }
    }

    pub(super) fn node(&self, address: PciAddress) -> Option<&Node<'a>> {
        self.nodes.get(&address)
    }

    /// The bridges above a function, from the nearest to the one on the root bus.
    pub(super) fn above(&self, address: PciAddress) -> impl Iterator<Item = &Node<'a>> {
        let parents = self.node(address).map_or(&[][..], |node| &node.function.parents);
        parents.iter().rev().filter_map(|parent| self.node(*parent))
    }

    /// The other functions on the bus of one, in the kernel's order.
    pub(super) fn beside(&self, address: PciAddress) -> impl Iterator<Item = &Node<'a>> {
        let all = self.buses.get(&(address.domain(), address.bus())).map_or(&[][..], Vec::as_slice);
        all.iter().filter(move |other| **other != address).filter_map(|other| self.node(*other))
    }

    /// Functions directly below a bridge.
    pub(super) fn below(&self, bridge: PciAddress) -> impl Iterator<Item = &Node<'a>> {
        self.nodes.values().filter(move |node| node.function.parents.last() == Some(&bridge))
    }
}

fn parent<'a>(
    functions: &BTreeMap<PciAddress, &'a PciFunction>,
    function: &PciFunction,
) -> Option<&'a PciFunction> {
    function.parents.last().and_then(|parent| functions.get(parent).copied())
}

fn is_port(config: &[u8]) -> bool {
    matches!(config_space::port_type(config), Seen::There(PortType::RootPort | PortType::Downstream))
}

/// What kind a function is. What it does not say itself may follow from what is above it.
fn kind(functions: &BTreeMap<PciAddress, &PciFunction>, function: &PciFunction) -> Kind {
    // A virtual function reads all ones where its ids would be, and is PCI Express always (SR-IOV 1.1, 3.4.1.1).
    if function.physical_function.is_some() {
        return Kind::Express(PortType::Endpoint);
    }
    let above = parent(functions, function).map(|parent| parent.config.as_slice());
    match config_space::port_type(&function.config) {
        // Ports that cannot be what they say: a switch's two sides alternate (`set_pcie_port_type`).
        Seen::There(PortType::Downstream) if above.is_some_and(is_port) => Kind::Express(PortType::Upstream),
        Seen::There(PortType::Upstream)
            if above
                .is_some_and(|above| config_space::port_type(above) == Seen::There(PortType::Upstream)) =>
        {
            Kind::Express(PortType::Downstream)
        }
        Seen::There(kind) => Kind::Express(kind),
        Seen::Absent => Kind::Conventional,
        // A link leads to PCI Express only.
        Seen::Unseen if above.is_some_and(is_port) && !function.class.is_bridge() => {
            Kind::Express(PortType::Endpoint)
        }
        Seen::Unseen => Kind::Unknown,
    }
}

/// Whether the device number is a part of the function number: behind a link there is only device 0.
fn is_alternative_routing(functions: &BTreeMap<PciAddress, &PciFunction>, function: &PciFunction) -> bool {
    let behind_link = parent(functions, function).is_some_and(|parent| is_port(&parent.config));
    behind_link && (function.address.device() > 0 || function.address.function() > 0)
}

/// The Intel VMD controller that a function is behind. Its domains begin at 0x10000 and are given out in the order in
/// which the controllers are probed (`vmd_find_free_domain`, `drivers/pci/controller/vmd.c`).
fn volume_manager(functions: &BTreeMap<PciAddress, &PciFunction>, address: PciAddress) -> Option<PciAddress> {
    const IDS: &[u16] = &[0x201d, 0x28c0, 0x467f, 0x4c3d, 0x7d0b, 0x9a0b, 0xa77f, 0xad0b, 0xb06f, 0xb60b];
    let number = address.domain().checked_sub(0x1_0000)?;
    let managers = functions.values().filter(|function| {
        function.id.vendor.0 == 0x8086
            && IDS.contains(&function.id.device.0)
            && function.address.domain() <= 0xffff
    });
    managers.map(|function| function.address).nth(usize::try_from(number).ok()?)
}

fn has_amd_iommu(facts: &HostFacts) -> bool {
    facts.iommu.tables.value().is_some_and(|tables| tables.contains(&FirmwareTable::Ivrs))
        || facts.functions().any(super::is_amd_iommu)
}

/// The order in which functions are registered.
fn order(functions: &BTreeMap<PciAddress, &PciFunction>) -> Vec<PciAddress> {
    let mut below: BTreeMap<Option<PciAddress>, Vec<PciAddress>> = BTreeMap::new();
    for (address, function) in functions {
        if function.physical_function.is_none() {
            let bridge = function.parents.last().copied().filter(|bridge| functions.contains_key(bridge));
            below.entry(bridge).or_default().push(*address);
        }
    }
    let mut order = Vec::with_capacity(functions.len());
    // The root buses one after the other, each whole before what is below its bridges.
    let mut roots: BTreeMap<Bus, Vec<PciAddress>> = BTreeMap::new();
    for address in below.remove(&None).unwrap_or_default() {
        roots.entry((address.domain(), address.bus())).or_default().push(address);
    }
    let mut waiting: Vec<Vec<PciAddress>> = roots.into_values().rev().collect();
    while let Some(bus) = waiting.pop() {
        order.extend_from_slice(&bus);
        waiting.extend(bus.iter().rev().filter_map(|bridge| below.remove(&Some(*bridge))));
    }
    order.extend(functions.values().filter(|f| f.physical_function.is_some()).map(|f| f.address));
    order
}
