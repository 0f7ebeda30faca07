//! The way of one function to the root complex: at each hop, what keeps devices apart there or does not.

use passthru_formats::config_space::{self, Seen};
use passthru_formats::pci_ports;
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use schemars::JsonSchema;
use serde::Serialize;

use super::assume::Assumptions;
use super::isolation::{Because, NEEDED, Service, has_double_words};
use super::reasons::{because_words, kind_words};
use super::topology::{Machine, Node};
use super::{Prediction, advice, predict};

/// One function on the way to the root complex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hop {
    /// Where it sits.
    pub address: PciAddress,
    /// Its name.
    pub name: String,
    /// What kind of function it is, in words.
    pub kind: String,
    /// Whether it is one of several functions of a device.
    pub multifunction: bool,
    /// Access Control Services that it has and that count here; null where they could not be read, empty where it has none.
    pub has: Option<Vec<Service>>,
    /// Those of them that are on now.
    pub on: Option<Vec<Service>>,
    /// Services that it does not have; what a port with the capability lacks counts as built in.
    pub lacks: Option<Vec<Service>>,
    /// Whether it keeps devices apart once an IOMMU is in use; null where that could not be seen.
    pub isolates: Option<bool>,
    /// What decides.
    pub decided_by: Because,
    /// The same in words.
    pub because: String,
}

/// Why a function is in its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Why {
    /// The function.
    pub address: PciAddress,
    /// Its real group; null where it has none.
    pub group: Option<u32>,
    /// The way to the root complex, from the function up.
    pub path: Vec<Hop>,
    /// The functions of its foretold group, it among them; empty where it would have none.
    pub predicted: Vec<PciAddress>,
    /// Whether what could not be read changes nothing of that.
    pub certain: bool,
    /// Why they are together, a sentence each.
    pub reasons: Vec<String>,
    /// The verdict in a sentence.
    pub verdict: String,
    /// Slots in which the card would be alone, and what to know of them.
    pub advice: Vec<String>,
}

/// Explains the group of a function; `None` where it is not in the host.
pub fn why(facts: &HostFacts, address: PciAddress, assumptions: &Assumptions) -> Option<Why> {
    let machine = Machine::new(facts, assumptions);
    let node = machine.node(address)?;
    let path =
        std::iter::once(node).chain(machine.above(address)).map(|node| hop(facts, &machine, node)).collect();
    let prediction = predict(facts, assumptions);
    let group = prediction.group_of(address);
    let predicted = group.map(super::PredictedGroup::addresses).unwrap_or_default();
    let reasons = group.map(|group| reasons(address, group)).unwrap_or_default();
    Some(Why {
        address,
        group: node.function.group,
        path,
        certain: group.is_none_or(|group| group.certain),
        reasons,
        verdict: verdict(&machine, &prediction, address),
        advice: advice::slots(facts, assumptions, address)
            .map(advice::SlotAdvice::sentences)
            .unwrap_or_default(),
        predicted,
    })
}

/// The group's reasons, those that name the function first.
fn reasons(address: PciAddress, group: &super::PredictedGroup) -> Vec<String> {
    let mut all = group.reasons.clone();
    all.sort_by_key(|text| !text.contains(&address.to_string()));
    all
}

fn hop(facts: &HostFacts, machine: &Machine<'_>, node: &Node<'_>) -> Hop {
    let isolation = machine.isolation(node);
    let plain = config_space::acs(&node.function.config);
    let acs = match (has_double_words(node), plain) {
        (true, _) => pci_ports::acs_in_double_words(&node.function.config),
        (false, plain) => plain,
    };
    let services = |bits: u16| match acs {
        Seen::Unseen => None,
        _ => Some(Service::of(bits)),
    };
    let (capability, control) = acs.there().map_or((0, 0), |acs| (acs.capability, acs.control));
    Hop {
        address: node.address(),
        name: facts.name_of(node.function),
        kind: kind_words(node).to_owned(),
        multifunction: node.multifunction,
        has: services(capability & NEEDED),
        on: services(capability & control & NEEDED),
        lacks: services(NEEDED & !capability),
        isolates: isolation.apart,
        because: because_words(&isolation.because, isolation.apart),
        decided_by: isolation.because,
    }
}

fn verdict(machine: &Machine<'_>, prediction: &Prediction, address: PciAddress) -> String {
    if let Some(why) = prediction.ungrouped.get(&address) {
        return format!("{address} gets no group: {why}");
    }
    let Some(group) = prediction.group_of(address) else {
        return format!("{address} gets no group");
    };
    let company = |other: &PciAddress| {
        *other != address && machine.node(*other).is_some_and(|node| !node.function.is_bridge())
    };
    let others: Vec<PciAddress> = group.addresses().into_iter().filter(company).collect();
    let (card, strangers): (Vec<PciAddress>, Vec<PciAddress>) =
        others.iter().partition(|other| other.is_sibling_of(address));
    let text = match (card.is_empty(), strangers.is_empty()) {
        (true, true) => format!("{address} can be in a group without any other device, bridges aside"),
        (false, true) => {
            format!("{address} shares its group with its own card and nothing else, bridges aside")
        }
        _ => format!("{address} shares its group with {}", crate::groups::listed(&strangers)),
    };
    if group.certain { text } else { format!("{text}, in the worst case: not all could be read") }
}
