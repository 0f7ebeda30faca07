//! Whether the host is where its intent wants it.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;
use passthru_model::intent::INTENT_PATH;

use crate::checks::{Check, Outcome, count};
use crate::intent::IntentProblem;

pub(super) const CHECK: Check = Check {
    id: "isolation-state",
    title: "the chosen devices are isolated",
    section: "Isolating the GPU",
    why: "the intent says which devices guests are to have; this tells whether the running host agrees",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let intent = match crate::intent::of(facts) {
        Ok(Some(intent)) => intent,
        Ok(None) => return Outcome::skip("no device is chosen for guests"),
        Err(problem @ IntentProblem::Unreadable(_)) => {
            return Outcome::new(Verdict::Unknown, problem.to_string());
        }
        Err(problem) => return Outcome::fail(problem.to_string()).by_hand(format!("Mend {INTENT_PATH}")),
    };
    let findings = crate::verify::verify(facts, &intent);
    let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Pass);
    if worst <= Verdict::Pass {
        let what = count(intent.isolate.len(), "function");
        return Outcome::pass(format!("{what} for guests, all on vfio-pci")).evidence(INTENT_PATH, what);
    }
    let bad = || findings.iter().filter(|finding| finding.verdict == worst);
    let lines: Vec<&str> = bad().map(|finding| finding.summary.as_str()).collect();
    let evidence = bad().flat_map(|finding| finding.evidence.clone()).collect();
    let remedy = bad().find_map(|finding| finding.remedy.clone());
    Outcome { verdict: worst, summary: lines.join("; "), evidence, remedy }
}
