//! Which programs have a guest's devices open.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;

use super::subjects::{cards, judged, subjects};
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "device-holders",
    title: "no program has a guest's devices open",
    section: "X doesn't start after enabling vfio_pci",
    why: "a driver cannot let go of a device that a program has open: the attempt waits for ever, and takes libvirt with it; looked \
          at only when this check is named, since every process is looked into",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let found = match facts.holders.value() {
        Some(found) => found,
        None if facts.holders.because() == Some(HostFacts::NOT_ASKED) => {
            return Outcome::skip("not looked at unless it is asked for: ‘passthru doctor device-holders’");
        }
        None => {
            return Outcome::unknown(
                "which programs have devices open",
                facts.holders.because().unwrap_or_default(),
            );
        }
    };
    let mut remarks = Vec::new();
    let mut evidence = Vec::new();
    for function in cards(facts, &subjects.functions) {
        for holder in found.of(function.address) {
            let files = holder.files_that_keep(function.address).collect::<Vec<_>>().join(", ");
            if files.is_empty() {
                continue;
            }
            evidence.push((format!("/proc/{}/fd", holder.process), files));
            // A guest has its devices open, as it should.
            let verdict = if function.is_on_vfio() { Verdict::Pass } else { Verdict::Warn };
            let text = format!("{} is open in {} ({})", function.address, holder.program, holder.process);
            remarks.push((verdict, text));
        }
    }
    let whose = facts.holders.evidence().map_or("/proc", |evidence| evidence.path.as_str()).to_owned();
    if found.unseen > 0 && remarks.iter().all(|(verdict, _)| *verdict == Verdict::Pass) {
        return Outcome::new(
            Verdict::Unknown,
            format!(
                "of the programs that could be seen none has a guest's device open; {} could not",
                if found.unseen == 1 {
                    "1 process".to_owned()
                } else {
                    format!("{} processes", found.unseen)
                }
            ),
        )
        .evidence(whose, "only root sees what others have open")
        .by_command("Look as root", "sudo passthru doctor device-holders");
    }
    if remarks.is_empty() {
        return Outcome::pass("no program has a device open that a guest could have").seen(&facts.holders);
    }
    let outcome = judged(&remarks).all_evidence(evidence);
    if outcome.verdict > Verdict::Pass {
        return outcome.by_hand(
            "End these programs before the device changes hands: the desktop session for a GPU that it draws on, nvidia-persistenced \
             for NVIDIA's; or isolate the device at boot, so that nobody opens it",
        );
    }
    outcome
}
