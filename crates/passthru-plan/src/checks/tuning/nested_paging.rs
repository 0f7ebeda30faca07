//! Whether KVM lets the processor translate guests' addresses.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "nested-paging",
    title: "the processor translates guests' addresses itself",
    section: "Improving performance on AMD CPUs",
    why: "without EPT (Intel) or NPT (AMD) the kernel follows every change of a guest's page tables by hand; old pages tell to turn \
          NPT off for a fault that Linux 4.14 mended",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.cpu.kvm;
    if let Some(because) = fact.because() {
        return Outcome::unknown("how KVM is set", because);
    }
    for (module, name, short) in [("kvm_intel", "ept", "EPT"), ("kvm_amd", "npt", "NPT")] {
        let full = format!("{module}.{name}");
        let Some(value) = facts.cpu.kvm_parameter(&full) else { continue };
        let path = format!("/sys/module/{module}/parameters/{name}");
        return match facts.cpu.kvm_flag(&full) {
            Some(true) => {
                Outcome::pass(format!("the processor translates guests' addresses itself ({short})"))
                    .evidence(path, value)
            }
            Some(false) => Outcome::warn(format!("{short} is off: guests are many times slower"))
                .evidence(path, value)
                .by_hand(format!(
                    "Take ‘{name}=0’ for {module} out of /etc/modprobe.d and of the kernel command line"
                )),
            None => {
                Outcome::unknown("how guests' addresses are translated", &format!("{path} says ‘{value}’"))
            }
        };
    }
    Outcome::skip("neither kvm_intel nor kvm_amd is loaded").seen(fact)
}
