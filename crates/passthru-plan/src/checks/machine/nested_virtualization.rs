//! Whether guests can run guests of their own.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "nested-virtualization",
    title: "guests can run guests of their own",
    section: "Prerequisites",
    why: "Windows with memory integrity, WSL 2 and containers in virtual machines need it; a guest without them does not",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.cpu.kvm;
    if let Some(because) = fact.because() {
        return Outcome::unknown("how KVM is set", because);
    }
    for module in ["kvm_intel", "kvm_amd"] {
        let name = format!("{module}.nested");
        let Some(value) = facts.cpu.kvm_parameter(&name) else { continue };
        let path = format!("/sys/module/{module}/parameters/nested");
        return match facts.cpu.kvm_flag(&name) {
            Some(true) => Outcome::pass("guests can run guests of their own").evidence(path, value),
            Some(false) => Outcome::warn("guests cannot run guests of their own")
                .evidence(path, value)
                .by_hand(format!(
                    "Where a guest needs it, write ‘options {module} nested=1’ to a file in /etc/modprobe.d and load the module anew"
                )),
            None => Outcome::unknown("whether guests can run guests", &format!("{path} says ‘{value}’")),
        };
    }
    Outcome::skip("neither kvm_intel nor kvm_amd is loaded").seen(fact)
}
