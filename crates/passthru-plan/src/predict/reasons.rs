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
            "has Access Control Services (ACS) and keeps what is below it apart".to_owned()
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

/// Why a function does not keep devices apart, in a sentence that begins with its address.
fn fault(machine: &Machine<'_>, address: PciAddress) -> String {
    let Some(node) = machine.node(address) else { return format!("{address} was not read") };
    let isolation = machine.isolation(node);
    let words = because_words(&isolation.because, isolation.apart);
    format!("{address} ({}) {words}", kind_words(node))
}

/// How a function came into its group; empty for the first.
pub(super) fn sentence(machine: &Machine<'_>, address: PciAddress, joined: &Joined) -> String {
    match joined {
        Joined::First => String::new(),
        Joined::Bridge { bridge } => {
            let kind = machine.node(*bridge).map_or("a bridge", kind_words);
            format!(
                "{address} is behind {bridge} ({kind}): the IOMMU cannot tell what comes from behind it apart"
            )
        }
        Joined::Upstream { bridge, blocked } if bridge == blocked => {
            format!("{address} is below {}", fault(machine, *blocked))
        }
        Joined::Upstream { bridge, blocked } => {
            format!("{address} is below {bridge}, and further up {}", fault(machine, *blocked))
        }
        Joined::Alias { with } => {
            format!("{address} does DMA in the name of {with}, or the other way round (requester ID alias)")
        }
        Joined::Slot { function, with } if *function == address => {
            format!("{address} is in one slot with {with}, and {}", fault(machine, address))
        }
        Joined::Slot { function, with } => {
            let reason = machine
                .blocked(*function, Guess::Shared)
                .map(|blocked| fault(machine, blocked))
                .unwrap_or_default();
            format!("{address} is below {function}, which is in one slot with {with}, and {reason}")
        }
        Joined::Controller { controller } => {
            format!(
                "{address} is behind the volume management device {controller}, which does DMA in its name"
            )
        }
    }
}
