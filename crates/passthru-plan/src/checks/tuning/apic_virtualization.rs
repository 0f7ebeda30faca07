//! Whether interrupts reach guests without the host's help.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "apic-virtualization",
    title: "interrupts reach guests without the host's help",
    section: "High DPC Latency",
    why: "with APICv (Intel) or AVIC (AMD) the processor, and with an IOMMU that posts interrupts the device too, interrupts a guest \
          without stopping it",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.cpu.kvm;
    if let Some(because) = fact.because() {
        return Outcome::unknown("how KVM is set", because);
    }
    let posting = facts.iommu.registers.value().is_some_and(|units| {
        !units.is_empty() && units.values().all(passthru_model::iommu::UnitRegisters::posts_interrupts)
    });
    let devices = if posting { "; the IOMMU can post those of devices" } else { "" };
    for (module, name, short, can) in [
        ("kvm_intel", "enable_apicv", "APICv", facts.cpu.vmx.value().map(|flags| flags.contains("apicv"))),
        ("kvm_amd", "avic", "AVIC", facts.cpu.has("avic")),
    ] {
        let full = format!("{module}.{name}");
        let Some(value) = facts.cpu.kvm_parameter(&full) else { continue };
        let path = format!("/sys/module/{module}/parameters/{name}");
        return match (facts.cpu.kvm_flag(&full), can) {
            (Some(true), _) => Outcome::pass(format!("KVM uses {short}{devices}")).evidence(path, value),
            (Some(false), Some(true)) => {
                Outcome::warn(format!("the processor has {short}, and KVM does not use it")).evidence(path, value).by_hand(format!(
                    "Where latency matters, try ‘options {module} {name}=1’ in a file in /etc/modprobe.d, and measure"
                ))
            }
            (Some(false), Some(false)) => Outcome::skip(format!("the processor has no {short}")).evidence(path, value),
            (Some(false), None) => Outcome::unknown(
                &format!("whether the processor has {short}, which KVM does not use here"),
                "its flags do not tell",
            )
            .evidence(path, value),
            (None, _) => Outcome::pass(format!("KVM decides on {short} itself (‘{value}’){devices}")).evidence(path, value),
        };
    }
    Outcome::skip("neither kvm_intel nor kvm_amd is loaded").seen(fact)
}
