//! Whether the link of a guest's GPU is as wide as it could be.

use passthru_formats::config_space::{PortType, Seen, express};
use passthru_model::HostFacts;
use passthru_model::device_state::{Link, LinkState};
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use super::subjects::{judged, subjects};
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "pci-link",
    title: "a guest's GPU has all lanes of its link",
    section: "Performance tuning",
    why: "a card in a slot with few lanes, or badly seated, is slow in a guest as on the host; the speed is no measure, since a GPU \
          without work lowers it by itself",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let mut remarks = Vec::new();
    let mut evidence = Vec::new();
    for function in subjects.displays() {
        match narrowest(facts, function) {
            Known::Part => {}
            Known::Unseen => remarks.push((
                Verdict::Unknown,
                format!(
                    "the link is not known of {}: only root may read all of configuration space",
                    function.address
                ),
            )),
            Known::Link { of, state } => {
                let (Some(now), Some(most)) = (state.now, state.most) else { continue };
                evidence.push((
                    of.attribute("current_link_width"),
                    format!("{}, at most {}", words(now), words(most)),
                ));
                remarks.push(of_link(facts, function, of, now, most));
            }
        }
    }
    if remarks.is_empty() {
        return Outcome::skip("no display with a link of PCI Express is one that a guest could have");
    }
    let outcome = judged(&remarks).all_evidence(evidence);
    if outcome.verdict == Verdict::Warn {
        return outcome.by_hand("Put the card into a slot with as many lanes, away from a shared one (M.2), and see that it sits well");
    }
    outcome
}

fn of_link(
    facts: &HostFacts,
    card: &PciFunction,
    of: &PciFunction,
    now: Link,
    most: Link,
) -> (Verdict, String) {
    let at = card.address;
    if now.lanes == 0 {
        return (Verdict::Unknown, format!("the link of {at} is down now"));
    }
    if now.lanes >= most.lanes {
        return (
            Verdict::Pass,
            format!("{at} has all of its {} lanes (now {}, at most {})", most.lanes, words(now), words(most)),
        );
    }
    let port = of.parents.last().and_then(|parent| facts.function(*parent));
    let port = port.and_then(|port| Some((port.address, link_of(facts, port)?.most?)));
    let why = match port {
        Some((port, slot)) if slot.lanes <= now.lanes => format!(": the slot behind {port} has no more"),
        Some((port, slot)) => format!(", though the slot behind {port} has {}", slot.lanes),
        None => String::new(),
    };
    (Verdict::Warn, format!("{at} has {} of its {} lanes{why}", now.lanes, most.lanes))
}

/// What is known of a way to the root.
enum Known<'a> {
    /// It is a part of the processor or the chipset, without a link.
    Part,
    /// It could not be read.
    Unseen,
    /// Its narrowest link, by the function at the lower end.
    Link { of: &'a PciFunction, state: LinkState },
}

/// The link on the way to the root with the fewest lanes of those it could have: AMD's GPUs are behind a switch of their own,
/// whose inner link is always whole.
fn narrowest<'a>(facts: &'a HostFacts, function: &'a PciFunction) -> Known<'a> {
    let mut found: Option<(&PciFunction, LinkState)> = None;
    let mut unseen = false;
    let above = function.parents.iter().rev().filter_map(|address| facts.function(*address));
    for hop in std::iter::once(function).chain(above) {
        // A port's own link leads downwards; that is told by what is at its other end.
        let lower_end = match express(&hop.config) {
            Seen::There(found) => !matches!(found.kind, PortType::RootPort | PortType::Downstream),
            Seen::Absent => false,
            Seen::Unseen => hop.address == function.address,
        };
        if !lower_end {
            continue;
        }
        match link_of(facts, hop) {
            Some(state) => {
                let missing = |state: &LinkState| {
                    let lanes = |link: Option<Link>| link.map_or(0, |link| link.lanes);
                    lanes(state.most).saturating_sub(lanes(state.now))
                };
                if found.as_ref().is_none_or(|(_, other)| missing(&state) > missing(other)) {
                    found = Some((hop, state));
                }
            }
            None if hop.address == function.address => unseen = !function.parents.is_empty(),
            None => {}
        }
    }
    match found {
        Some((of, state)) => Known::Link { of, state },
        None if unseen => Known::Unseen,
        None => Known::Part,
    }
}

/// A function's link, by configuration space or by the kernel's files.
fn link_of(facts: &HostFacts, function: &PciFunction) -> Option<LinkState> {
    match express(&function.config) {
        Seen::There(found) => {
            let link = found.link?;
            let state = |speed: Option<u32>, lanes| Some(Link { megatransfers: speed.unwrap_or(0), lanes });
            Some(LinkState {
                now: state(link.speed.megatransfers(), link.width),
                most: state(link.max_speed.megatransfers(), link.max_width),
            })
        }
        Seen::Absent => None,
        Seen::Unseen => {
            let state = facts.device_states.value()?.get(&function.address)?;
            (state.link.now.is_some() && state.link.most.is_some()).then_some(state.link)
        }
    }
}

/// "x16 at 8 GT/s".
fn words(link: Link) -> String {
    match link.megatransfers {
        0 => format!("x{}", link.lanes),
        2500 => format!("x{} at 2.5 GT/s", link.lanes),
        mega => format!("x{} at {} GT/s", link.lanes, mega / 1000),
    }
}
