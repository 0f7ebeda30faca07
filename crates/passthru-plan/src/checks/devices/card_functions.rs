//! Whether guests are to have whole cards.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use super::subjects::{cards, judged, subjects};
use crate::checks::{Check, Outcome};
use crate::groups::listed;

pub(super) const CHECK: Check = Check {
    id: "card-functions",
    title: "all functions of a card go together",
    section: "Isolating the GPU",
    why: "a GPU is two to four functions (display, audio, USB, USB-C); they are reset together, so a guest needs all of them",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let mut remarks = Vec::new();
    let mut evidence = Vec::new();
    for function in subjects.functions.iter().filter(|function| function.is_bridge()) {
        let text =
            format!("{} is a bridge, which vfio-pci refuses; it stays with the host", function.address);
        remarks.push((Verdict::Fail, text));
    }
    let chosen: Vec<&PciFunction> =
        subjects.functions.iter().copied().filter(|function| !function.is_bridge()).collect();
    let all = cards(facts, &chosen);
    let mut slots: Vec<_> = chosen.iter().map(|function| function.address.slot()).collect();
    slots.dedup();
    for slot in slots {
        let functions: Vec<&PciFunction> =
            all.iter().copied().filter(|function| function.address.slot() == slot).collect();
        let addresses: Vec<_> = functions.iter().map(|function| function.address).collect();
        let left: Vec<_> = functions
            .iter()
            .filter(|function| subjects.chosen && function.physical_function.is_none())
            .filter(|function| {
                !chosen.iter().any(|one| one.address == function.address) && !function.is_on_vfio()
            })
            .map(|function| function.address)
            .collect();
        let mut groups: Vec<u32> = functions.iter().filter_map(|function| function.group).collect();
        groups.sort_unstable();
        groups.dedup();
        // What is a part of the chipset shares its slot with others, and not its fate.
        let is_card = functions.iter().any(|function| !function.parents.is_empty());
        for function in &functions {
            evidence.push((function.attribute("class"), function.class.to_string()));
        }
        remarks.push(if !left.is_empty() && is_card {
            let stay = if left.len() == 1 { "stays" } else { "stay" };
            (Verdict::Warn, format!("of the card {slot}, {} {stay} with the host", listed(&left)))
        } else if groups.len() > 1 {
            (Verdict::Pass, format!("{} are one card in {} groups", listed(&addresses), groups.len()))
        } else if let [only] = addresses.as_slice() {
            (Verdict::Pass, format!("{only} is a card of one function"))
        } else {
            (Verdict::Pass, format!("{} are one card", listed(&addresses)))
        });
    }
    if remarks.is_empty() {
        return Outcome::skip("none of the chosen devices is in this host");
    }
    let outcome = judged(&remarks).all_evidence(evidence);
    if outcome.verdict > Verdict::Pass {
        return outcome
            .by_command("Choose the whole card; bridges are never needed", "passthru isolate ADDRESS");
    }
    outcome
}
