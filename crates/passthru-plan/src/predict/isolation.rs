//! Whether a function keeps the devices around it apart (`pci_acs_enabled`, `drivers/pci/pci.c`), and why.

use passthru_formats::config_space::{self, Acs, PortType, Seen};
use passthru_formats::pci_ports;
use passthru_model::address::PciAddress;
use schemars::JsonSchema;
use serde::Serialize;

use super::assume::{AcsOverride, Guess};
use super::quirks::{QUIRKS, Quirk, Rule};
use super::topology::{Kind, Machine, Node};

/// What a group's border needs (`REQ_ACS_FLAGS`, `drivers/iommu/iommu.c`): source validation, request redirect,
/// completion redirect, upstream forwarding. Egress control and the rest do not count.
pub(super) const NEEDED: u16 = 0b1_1101;

/// One access control service, named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// SV: requests must carry a requester ID of the buses below.
    SourceValidation,
    /// RR: requests between peers are sent up.
    RequestRedirect,
    /// CR: so are answers.
    CompletionRedirect,
    /// UF: what comes up and is meant for a peer goes on up.
    UpstreamForwarding,
}

impl Service {
    const ALL: [(u16, Self); 4] = [
        (1 << 0, Self::SourceValidation),
        (1 << 2, Self::RequestRedirect),
        (1 << 3, Self::CompletionRedirect),
        (1 << 4, Self::UpstreamForwarding),
    ];

    /// The services that a register's bits stand for.
    pub(super) fn of(bits: u16) -> Vec<Self> {
        Self::ALL.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, service)| service).collect()
    }

    /// Its name in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::SourceValidation => "source validation",
            Self::RequestRedirect => "request redirect",
            Self::CompletionRedirect => "completion redirect",
            Self::UpstreamForwarding => "upstream forwarding",
        }
    }
}

/// What decides whether a function keeps devices apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Because {
    /// It is conventional PCI, where every device of a bus sees all of it.
    Conventional,
    /// It is of a kind that never has Access Control Services.
    KindWithout,
    /// It has Access Control Services; some of the needed ones are off, or none is.
    Services {
        /// Needed services that it has and that are off.
        off: Vec<Service>,
    },
    /// It is a port without Access Control Services.
    PortWithout,
    /// It is one of several functions, without Access Control Services.
    FunctionWithout,
    /// It is a function alone, with no other to talk to.
    Alone,
    /// It is of a kind of which none are asked.
    KindNotAsked,
    /// The kernel knows the device.
    Quirk {
        /// As what.
        known_as: String,
        /// The first Linux version that does, where that is known.
        since: Option<String>,
    },
    /// The override patch says so.
    Override,
    /// It could not be seen.
    Unseen {
        /// Why.
        why: String,
    },
}

/// Whether a function keeps devices apart: `None` where that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Isolation {
    pub(super) apart: Option<bool>,
    pub(super) because: Because,
}

impl Isolation {
    fn new(apart: bool, because: Because) -> Self {
        Self { apart: Some(apart), because }
    }

    fn unseen(node: &Node<'_>) -> Self {
        Self { apart: None, because: Because::Unseen { why: node.unseen() } }
    }

    pub(super) fn apart(&self, guess: Guess) -> bool {
        self.apart.unwrap_or(guess == Guess::Apart)
    }
}

impl Machine<'_> {
    /// Whether a function keeps devices apart once the kernel has set it up for an IOMMU.
    pub(super) fn isolation(&self, node: &Node<'_>) -> Isolation {
        if let Some(decided) = self.by_quirk(node) {
            return decided;
        }
        if let Some(acs_override) = &self.acs_override
            && let Some(decided) = overridden(acs_override, node)
        {
            return decided;
        }
        let kind = match node.kind {
            Kind::Unknown => return Isolation::unseen(node),
            Kind::Conventional => return Isolation::new(false, Because::Conventional),
            Kind::Express(kind) => kind,
        };
        match kind {
            PortType::ToPci | PortType::FromPci | PortType::EventCollector => {
                Isolation::new(false, Because::KindWithout)
            }
            PortType::RootPort | PortType::Downstream => self.by_register(node, Because::PortWithout),
            PortType::Endpoint
            | PortType::LegacyEndpoint
            | PortType::Upstream
            | PortType::RootComplexEndpoint => {
                if node.multifunction {
                    self.by_register(node, Because::FunctionWithout)
                } else {
                    Isolation::new(true, Because::Alone)
                }
            }
            PortType::Other(_) => Isolation::new(true, Because::KindNotAsked),
        }
    }

    /// Services that a device does not implement count as built in (`pci_acs_flags_enabled`).
    fn by_register(&self, node: &Node<'_>, without: Because) -> Isolation {
        match config_space::acs(&node.function.config) {
            Seen::Unseen => Isolation::unseen(node),
            Seen::Absent => Isolation::new(false, without),
            Seen::There(acs) => self.judged(acs),
        }
    }

    /// The kernel turns on what is there when an IOMMU is asked for (`pci_std_enable_acs`), unless it was told otherwise.
    fn judged(&self, acs: Acs) -> Isolation {
        let control =
            if self.registers_decide { acs.control } else { acs.control | (acs.capability & NEEDED) };
        let off = acs.capability & NEEDED & !control;
        Isolation::new(off == 0, Because::Services { off: Service::of(off) })
    }

    fn by_quirk(&self, node: &Node<'_>) -> Option<Isolation> {
        let id = node.function.id;
        QUIRKS
            .iter()
            .filter(|quirk| quirk.is_for(id.vendor.0, id.device.0))
            .find_map(|quirk| self.opinion(quirk, node))
    }

    fn opinion(&self, quirk: &Quirk, node: &Node<'_>) -> Option<Isolation> {
        let because = || Because::Quirk {
            known_as: quirk.name.to_owned(),
            since: quirk.since.map(|(major, minor)| format!("{major}.{minor}")),
        };
        let device = node.function.id.device.0;
        if !quirk.concerns(node.express()) {
            // Of a function that was not seen whole, it cannot be told whether the entry is for it.
            return None;
        }
        match quirk.rule {
            Rule::Always | Rule::RootPort | Rule::RootComplexEndpoint => {
                Some(Isolation::new(true, because()))
            }
            Rule::Listed(list) | Rule::ListedPorts(list) => {
                Some(Isolation::new(list.iter().any(|range| range.contains(&device)), because()))
            }
            Rule::AmdSouthbridge => {
                let applies = node.multifunction && node.function.parents.is_empty() && self.amd_iommu;
                applies.then(|| Isolation::new(true, because()))
            }
            Rule::IntelChipset => {
                let block = self
                    .beside(node.address())
                    .find(|other| other.devfn() == super::aliases::devfn(31, 0))
                    .map_or(Seen::Unseen, |bridge| {
                        pci_ports::root_complex_block_enabled(&bridge.function.config)
                    });
                Some(match block {
                    Seen::There(()) => Isolation::new(true, because()),
                    Seen::Absent => Isolation::new(false, because()),
                    Seen::Unseen => Isolation { apart: None, because: because() },
                })
            }
            Rule::IntelDoubleWords => match pci_ports::acs_in_double_words(&node.function.config) {
                Seen::There(acs) => {
                    let judged = self.judged(acs);
                    Some(if judged.apart == Some(true) { Isolation::new(true, because()) } else { judged })
                }
                Seen::Absent => None,
                Seen::Unseen => Some(Isolation::unseen(node)),
            },
        }
    }

    /// The bridges from one up to the root, with what each does (`pci_acs_path_enabled`): the first that does not keep
    /// devices apart, if there is one.
    pub(super) fn blocked(&self, bridge: PciAddress, guess: Guess) -> Option<PciAddress> {
        let first = self.node(bridge).into_iter();
        first.chain(self.above(bridge)).find(|node| !self.isolation(node).apart(guess)).map(Node::address)
    }
}

/// What the override patch says of a device; it leaves alone what is conventional and what has the capability.
fn overridden(acs_override: &AcsOverride, node: &Node<'_>) -> Option<Isolation> {
    let kind = node.express()?;
    if config_space::acs(&node.function.config).there().is_some() {
        return None;
    }
    let named = acs_override.ids.contains(&node.function.id);
    let port = acs_override.downstream && matches!(kind, PortType::RootPort | PortType::Downstream);
    let function = acs_override.multifunction
        && node.multifunction
        && matches!(
            kind,
            PortType::Endpoint
                | PortType::LegacyEndpoint
                | PortType::Upstream
                | PortType::RootComplexEndpoint
        );
    (named || port || function).then(|| Isolation::new(true, Because::Override))
}

/// Whether the access control registers of a function are double words.
pub(super) fn has_double_words(node: &Node<'_>) -> bool {
    let id = node.function.id;
    QUIRKS.iter().any(|quirk| {
        quirk.rule == Rule::IntelDoubleWords
            && quirk.is_for(id.vendor.0, id.device.0)
            && quirk.concerns(node.express())
    })
}
