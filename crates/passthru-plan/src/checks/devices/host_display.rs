//! Whether a display stays with the host.

use passthru_model::HostFacts;
use passthru_model::pci::PciFunction;

use super::subjects::subjects;
use crate::checks::{Check, Outcome, displays};

pub(super) const CHECK: Check = Check {
    id: "host-display",
    title: "a display stays with the host",
    section: "Prerequisites",
    why: "the host goes dark where the only display goes to a guest: then it is to be reached over the network, or by \
          stopping the guest",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let all = displays(facts);
    if all.is_empty() {
        return Outcome::skip("this host has no display device");
    }
    let given: Vec<&PciFunction> = if subjects.chosen { subjects.displays().collect() } else { Vec::new() };
    let stay: Vec<&PciFunction> = all
        .iter()
        .copied()
        .filter(|function| !function.is_on_vfio() && !given.iter().any(|one| one.address == function.address))
        .collect();
    let named = |functions: &[&PciFunction]| {
        let names: Vec<String> = functions
            .iter()
            .map(|function| format!("{} ({})", function.address, facts.name_of(function)))
            .collect();
        names.join(", ")
    };
    let mut outcome = match (stay.as_slice(), all.len()) {
        ([], _) => Outcome::warn(format!("every display is set apart for guests: {}", named(&all))).by_hand(
            "Keep a way in that needs no screen (SSH), or a second GPU, be it the processor's own, for the host",
        ),
        ([only], 1) => Outcome::warn(format!(
            "{} is the only display; with it in a guest, the host has none",
            named(&[only])
        ))
        .by_hand(
            "Switch the processor's own GPU on in the firmware's setup if it has one, or add a second card; without, \
             the guest takes the screen away and gives it back when it ends",
        ),
        (several, _) if !subjects.chosen => Outcome::pass(format!(
            "this host has {}, so that one can stay: {}",
            crate::checks::count(several.len(), "display"),
            named(several)
        )),
        _ => Outcome::pass(format!("the host keeps {}", named(&stay))),
    };
    for function in all {
        outcome = outcome
            .evidence(function.attribute("driver"), function.driver.as_deref().unwrap_or("no such link"));
    }
    outcome
}
