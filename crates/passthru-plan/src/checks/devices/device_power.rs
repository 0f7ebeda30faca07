//! Whether what guests are to have is awake and answers.

use passthru_formats::config_space;
use passthru_model::HostFacts;
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use super::subjects::{cards, judged, subjects};
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "device-power",
    title: "a guest's devices have power and answer",
    section: "Gotchas",
    why: "a device that fell so deep asleep that it does not come back (“Unable to change power state from D3cold”), or that \
          hangs, reads as ones everywhere and cannot be given to a guest",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    // The ids of virtual functions read as ones by design (SR-IOV specification, 3.4.1.1).
    let functions: Vec<&PciFunction> = cards(facts, &subjects.functions)
        .into_iter()
        .filter(|function| function.physical_function.is_none())
        .collect();
    if functions.is_empty() {
        return Outcome::skip("none of the chosen devices is in this host");
    }
    let mut remarks = Vec::new();
    let mut evidence = Vec::new();
    for function in functions {
        let at = function.address;
        let state = facts.device_states.value().and_then(|states| states.get(&at));
        let power = state.and_then(|state| state.power.as_deref());
        if let Some(power) = power {
            evidence.push((function.attribute("power_state"), power.to_owned()));
        }
        let silent = !function.config.is_empty() && !config_space::answers(&function.config);
        remarks.push(match power {
            Some("D3cold") => {
                let how = if state.is_some_and(|state| state.d3cold_allowed == Some(true)) {
                    " (d3cold_allowed is 1)"
                } else {
                    ""
                };
                (
                    Verdict::Warn,
                    format!("{at} has no power now (D3cold){how}, and must come back for a guest"),
                )
            }
            Some(word @ ("unknown" | "error")) => {
                (subjects.worse(), format!("the kernel does not know in which power state {at} is ({word})"))
            }
            _ if silent => {
                evidence.push((function.attribute("config"), "ff in every byte that was read".to_owned()));
                (Verdict::Fail, format!("no answer from {at}: configuration space reads as ones"))
            }
            None if function.config.is_empty() => {
                let why =
                    function.gaps.get("config").map_or("configuration space was not read", String::as_str);
                (Verdict::Unknown, format!("whether there is an answer from {at} is not known: {why}"))
            }
            Some(_) | None => (Verdict::Pass, String::new()),
        });
    }
    let mut outcome = judged(&remarks);
    if outcome.verdict == Verdict::Pass {
        let verb = if remarks.len() == 1 { "answers" } else { "answer" };
        outcome.summary =
            format!("{} of guests' cards {verb}", crate::checks::count(remarks.len(), "function"));
    }
    outcome = outcome.all_evidence(evidence);
    match outcome.verdict {
        Verdict::Fail => outcome.by_hand(
            "Switch the machine off and on again: a restart may not suffice. If it happens after a guest, its reset is at fault (see device-reset)",
        ),
        Verdict::Warn => outcome.by_hand(
            "If it does not come back: write 0 into d3cold_allowed and ‘on’ into power/control of each function before vfio-pci \
             takes them, or set the option disable_idle_d3=1 of vfio-pci",
        ),
        _ => outcome,
    }
}
