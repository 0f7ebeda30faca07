//! The reasons for groups, in sentences.

use passthru_formats::config_space::PortType;
use passthru_model::address::PciAddress;

use super::assume::Guess;
use super::form::Joined;
use super::isolation::Because;
use super::topology::{Kind, Machine, Node};

/// What kind of function it is, in words.
pub(super) fn kind_words(node: &Node<'_>) -> &'static str {
    match node.kind {
        Kind::Unknown => "a function of unknown kind",
        Kind::Conventional if node.function.class.is_pci_bridge() => "a bridge of conventional PCI",
        Kind::Conventional => "a function of conventional PCI",
        Kind::Express(kind) => match kind {
            PortType::Endpoint | PortType::LegacyEndpoint => "an endpoint",
            PortType::RootPort => "a root port",
            PortType::Upstream => "a switch's upstream port",
            PortType::Downstream => "a switch's downstream port",
            PortType::ToPci => "a bridge to conventional PCI",
            PortType::FromPci => "a bridge from conventional PCI",
            PortType::RootComplexEndpoint => "an endpoint of the root complex",
            PortType::EventCollector => "an event collector",
            PortType::Other(_) => "a function of a kind without a name",
        },
    }
}

/// Why a function keeps devices apart or does not, in words that follow "it".
pub(super) fn because_words(because: &Because, apart: Option<bool>) -> String {
    match because {
        Because::Conventional => "is conventional PCI, where every device sees all of the bus".to_owned(),
        Because::KindWithout => "is of a kind that cannot keep devices apart".to_owned(),
        Because::Services { off } if off.is_empty() => {
            "has Access Control Services (ACS) and keeps devices apart".to_owned()
        }
        Because::Services { off } => {
            let off: Vec<_> = off.iter().map(|service| service.words()).collect();
            format!("has Access Control Services (ACS) with {} off", off.join(", "))
        }
        Because::PortWithout => "has no Access Control Services (ACS)".to_owned(),
        Because::FunctionWithout => {
            "is one of several functions and has no Access Control Services (ACS)".to_owned()
        }
        Because::Alone => "is alone in its slot".to_owned(),
        Because::KindNotAsked => "is of a kind that needs no Access Control Services".to_owned(),
        Because::Quirk { known_as, since } => {
            let version = since.as_ref().map(|since| format!(", since Linux {since}")).unwrap_or_default();
            match apart {
                Some(true) => format!("keeps devices apart, as the kernel knows of {known_as}{version}"),
                Some(false) => {
                    format!("does not keep devices apart, as the kernel knows of {known_as}{version}")
                }
                None => format!(
                    "may keep devices apart, as the kernel knows of {known_as}{version}; the chipset's registers were not read"
                ),
            }
        }
        Because::Override => "is taken to keep devices apart, because the ACS override says so".to_owned(),
        Because::Unseen { why } => format!("may keep devices apart or not: {why}"),
    }
}

/// What is wrong with a function, in words that follow its address.
fn fault(machine: &Machine<'_>, address: PciAddress) -> String {
    let Some(node) = machine.node(address) else { return "was not read".to_owned() };
    let isolation = machine.isolation(node);
    because_words(&isolation.because, isolation.apart)
}

fn kind_at(machine: &Machine<'_>, address: PciAddress) -> &'static str {
    machine.node(address).map_or("a function", kind_words)
}

/// How functions came into their group, all in the same way; empty for the first of a group.
pub(super) fn sentence(machine: &Machine<'_>, subjects: &[PciAddress], joined: &Joined) -> String {
    let who = crate::groups::listed(subjects);
    let (are, do_) = if subjects.len() == 1 { ("is", "does") } else { ("are", "do") };
    match joined {
        Joined::First => String::new(),
        Joined::Bridge { bridge } => format!(
            "{who} {are} behind {bridge} ({}): the IOMMU cannot tell apart what comes from behind it",
            kind_at(machine, *bridge)
        ),
        Joined::Upstream { bridge, blocked } if bridge == blocked => {
            let kind = kind_at(machine, *blocked);
            format!("{who} {are} below {blocked} ({kind}), which {}", fault(machine, *blocked))
        }
        Joined::Upstream { bridge, blocked } => {
            let kind = kind_at(machine, *blocked);
            format!(
                "{who} {are} below {bridge}, and above that {blocked} ({kind}) {}",
                fault(machine, *blocked)
            )
        }
        Joined::Alias { with } => {
            format!("{who} {do_} DMA in the name of {with}, or the other way round (requester ID alias)")
        }
        Joined::Slot { function, with } if subjects == [*function] => {
            format!("{who} {are} in one slot with {with}, and each {}", fault(machine, *function))
        }
        Joined::Slot { function, with } => {
            let blocked = machine.blocked(*function, Guess::Shared).unwrap_or(*function);
            format!(
                "{who} {are} below {function}, which is in one slot with {with}, and {blocked} {}",
                fault(machine, blocked)
            )
        }
        Joined::Controller { controller } => {
            format!(
                "{who} {are} behind the volume management device {controller}, which does DMA in their name"
            )
        }
    }
}

/// Why the functions of a group are together: one sentence for all that came in in the same way.
pub(super) fn of_group(machine: &Machine<'_>, members: &[(PciAddress, Joined)]) -> Vec<String> {
    let mut ways: Vec<(&Joined, Vec<PciAddress>)> = Vec::new();
    for (address, joined) in members.iter().filter(|(_, joined)| *joined != Joined::First) {
        match ways.iter_mut().find(|(way, _)| *way == joined) {
            Some((_, all)) => all.push(*address),
            None => ways.push((joined, vec![*address])),
        }
    }
    ways.into_iter().map(|(joined, all)| sentence(machine, &all, joined)).collect()
}
