//! Which slot would do better: where the ports of this machine keep devices apart, and what is in them.

use passthru_formats::config_space::{PortType, Seen};
use passthru_formats::pci_ports;
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;

use super::assume::{Assumptions, Guess};
use super::predict;
use super::topology::{Machine, Node};

/// To what a port belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Processor,
    Unknown,
    Switch,
    Chipset,
}

impl Place {
    fn words(self) -> &'static str {
        match self {
            Self::Processor => "of the processor",
            Self::Chipset => "of the chipset",
            Self::Switch => "of a switch",
            Self::Unknown => "of the root complex",
        }
    }
}

/// To what a port belongs, as far as its place and maker tell.
///
/// Intel has its chipset's root ports in devices 1b to 1d and the processor's in 01 and 06; AMD's chipsets are switches
/// below a root port of the processor.
fn place(machine: &Machine<'_>, port: &Node<'_>) -> Place {
    const INTEL: u16 = 0x8086;
    const AMD: &[u16] = &[0x1002, 0x1022];
    const ASMEDIA: u16 = 0x1b21;
    let vendor = port.function.id.vendor.0;
    let upstream = machine.above(port.address()).find(|node| node.express() == Some(PortType::Upstream));
    if let Some(upstream) = upstream {
        let maker = upstream.function.id.vendor.0;
        let root = machine.above(port.address()).last().map(|root| root.function.id.vendor.0);
        let of_amd = AMD.contains(&maker) || maker == ASMEDIA;
        let chipset = of_amd && root.is_some_and(|root| AMD.contains(&root));
        return if chipset { Place::Chipset } else { Place::Switch };
    }
    match (vendor, port.address().device()) {
        (INTEL, 0x1b..=0x1d) => Place::Chipset,
        (INTEL, 0x01 | 0x06) => Place::Processor,
        (vendor, _) if AMD.contains(&vendor) => Place::Processor,
        _ => Place::Unknown,
    }
}

/// The nearest port above a function that a slot or link is behind.
fn port_above<'m, 'a>(machine: &'m Machine<'a>, address: PciAddress) -> Option<&'m Node<'a>> {
    machine
        .above(address)
        .find(|node| matches!(node.express(), Some(PortType::RootPort | PortType::Downstream)))
}

/// Where a card would have a group of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotAdvice {
    /// Where it is now, in a sentence.
    pub here: String,
    /// Slots in which it would be alone, the best first, a sentence each.
    pub better: Vec<String>,
}

impl SlotAdvice {
    /// All of it in sentences.
    pub fn sentences(self) -> Vec<String> {
        const NONE: &str = "no other slot that this machine shows would do better; the firmware may hide ports with nothing \
                            behind them, and may have an option named ACS";
        let better = if self.better.is_empty() { vec![NONE.to_owned()] } else { self.better };
        std::iter::once(self.here).chain(better).collect()
    }
}

/// Which slot would do better; `None` where the card has a group of its own, or where slots do not come into it.
pub fn slots(facts: &HostFacts, assumptions: &Assumptions, address: PciAddress) -> Option<SlotAdvice> {
    const MOST: usize = 4;
    let machine = Machine::new(facts, assumptions);
    let now = port_above(&machine, address)?;
    let prediction = predict(facts, assumptions);
    let group = prediction.group_of(address)?;
    let alone = group.members.iter().all(|member| {
        member.address.slot() == address.slot()
            || machine.node(member.address).is_none_or(|node| node.function.is_bridge())
    });
    if alone {
        return None;
    }
    let kind = super::reasons::kind_words(now);
    let here = format!("the card is behind {}, {kind} {}", now.address(), place(&machine, now).words());
    let mut others: Vec<(Place, &Node<'_>)> = machine
        .nodes
        .values()
        .filter(|node| node.address() != now.address() && is_better(&machine, node))
        .map(|node| (place(&machine, node), node))
        .collect();
    others.sort_by_key(|(place, node)| {
        (*place, machine.below(node.address()).next().is_some(), node.address())
    });
    let better = others.into_iter().filter_map(|(place, port)| offer(facts, &machine, place, port));
    Some(SlotAdvice { here, better: better.take(MOST).collect() })
}

/// Whether a card behind this port would be apart from all else.
fn is_better(machine: &Machine<'_>, node: &Node<'_>) -> bool {
    let slot = pci_ports::slot(&node.function.config);
    matches!(node.express(), Some(PortType::RootPort | PortType::Downstream))
        && matches!(slot, Seen::There(slot) if slot.implemented)
        && machine.blocked(node.address(), Guess::Shared).is_none()
}

/// One slot that would do; `None` where a bridge is in it.
fn offer(facts: &HostFacts, machine: &Machine<'_>, place: Place, port: &Node<'_>) -> Option<String> {
    let lanes = match pci_ports::slot(&port.function.config) {
        Seen::There(slot) if slot.lanes > 0 => format!(", x{}", slot.lanes),
        _ => String::new(),
    };
    let mut inside = machine.below(port.address());
    let what = match inside.next() {
        None => "is empty".to_owned(),
        Some(node) if node.function.is_bridge() => return None,
        Some(node) => format!("holds {} ({})", node.address(), facts.name_of(node.function)),
    };
    Some(format!(
        "the slot behind {} ({}{lanes}) keeps its card apart and {what}: a card there has a group of its own",
        port.address(),
        place.words(),
    ))
}
