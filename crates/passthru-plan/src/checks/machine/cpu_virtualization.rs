//! Whether the processor can run guests.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome, surroundings};

pub(super) const CHECK: Check = Check {
    id: "cpu-virtualization",
    title: "the processor can run guests",
    section: "Prerequisites",
    why: "without VT-x (vmx) or AMD-V (svm) a guest runs in emulation, many times slower, and has no use for a real device",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(flags) = facts.cpu.flags.value() else {
        return Outcome::unknown("what the processor can do", facts.cpu.flags.because().unwrap_or_default());
    };
    let name = if flags.contains("vmx") {
        "VT-x (vmx)"
    } else if flags.contains("svm") {
        "AMD-V (svm)"
    } else {
        let outcome =
            Outcome::fail("the processor offers neither VT-x (vmx) nor AMD-V (svm)").seen(&facts.cpu.flags);
        return match surroundings(facts) {
            Some(explained) => outcome
                .by_hand(format!("Turn on nested virtualization on the host of this machine: {explained}")),
            None => outcome.by_hand(
                "Turn on virtualization in the firmware setup (Intel Virtualization Technology, SVM Mode)",
            ),
        };
    };
    Outcome::pass(format!("the processor offers {name}")).seen(&facts.cpu.flags)
}
