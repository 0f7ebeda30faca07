//! Whether KVM can be used.

use passthru_model::HostFacts;
use passthru_model::facts::KvmState;

use crate::checks::{Check, Outcome, surroundings};

pub(super) const CHECK: Check = Check {
    id: "kvm",
    title: "KVM can be used",
    section: "Prerequisites",
    why: "guests run on the processor itself through /dev/kvm; without it they are emulated",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    match (facts.kvm.value(), facts.kvm.because()) {
        (Some(KvmState::Usable), _) => Outcome::pass("/dev/kvm can be used").seen(&facts.kvm),
        (Some(KvmState::Denied), _) => Outcome::warn("/dev/kvm is there, and this user may not open it")
            .seen(&facts.kvm)
            .by_hand("Run guests as root, or add the user to the group kvm and log in again"),
        (Some(KvmState::Absent), _) => {
            let outcome = Outcome::fail("/dev/kvm is not there").seen(&facts.kvm);
            match surroundings(facts) {
                Some(explained) => outcome.by_hand(format!("Give this machine /dev/kvm: {explained}")),
                None => outcome
                    .by_hand("Turn on virtualization in the firmware setup, or load kvm_intel or kvm_amd"),
            }
        }
        (None, because) => Outcome::unknown("whether KVM can be used", because.unwrap_or_default()),
    }
}
