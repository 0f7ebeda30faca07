//! Whether KVM passes over registers that it does not know.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "ignore-msrs",
    title: "KVM hides no fault of a guest",
    section: "Further Tuning",
    why: "‘kvm.ignore_msrs’ answers a guest's access to unknown registers with nothing instead of a fault. Some Windows programs need \
          it; everything else is told something false by it",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.cpu.kvm;
    if let Some(because) = fact.because() {
        return Outcome::unknown("how KVM is set", because);
    }
    let Some(value) = facts.cpu.kvm_parameter("kvm.ignore_msrs") else {
        return Outcome::skip("KVM is not loaded").seen(fact);
    };
    let path = "/sys/module/kvm/parameters/ignore_msrs";
    match facts.cpu.kvm_flag("kvm.ignore_msrs") {
        Some(false) => {
            Outcome::pass("a guest's access to an unknown register is a fault, as on a real machine")
                .evidence(path, value)
        }
        Some(true) => {
            let flood = facts.cpu.kvm_flag("kvm.report_ignored_msrs") == Some(true);
            let more = if flood { ", and each one goes to the kernel log" } else { "" };
            Outcome::warn(format!("KVM passes over a guest's access to unknown registers{more}")).evidence(path, value).by_hand(
                "Keep it only where a guest stops with a blue screen without it; then ‘kvm.report_ignored_msrs=0’ keeps the log quiet",
            )
        }
        None => {
            Outcome::unknown("whether KVM passes over unknown registers", &format!("{path} says ‘{value}’"))
        }
    }
}
