//! Whether the firmware asks to leave x2APIC off.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "x2apic",
    title: "the firmware lets the kernel use x2APIC",
    section: "Enabling IOMMU",
    why: "x2APIC is the newer form of the processor's interrupt controllers, which more than 255 CPUs need; a firmware may ask the \
          kernel to stay with the older form, though the interrupts can be remapped in the newer",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.firmware.dmar;
    if let Some(because) = fact.because() {
        return Outcome::unknown("what the firmware asks for", because);
    }
    let Some(dmar) = facts.firmware.dmar() else {
        return Outcome::skip("the firmware has no table DMAR, in which Intel's boards say this").seen(fact);
    };
    let line = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let overruled = CommandLine::new(line).items("intremap").any(|item| item == "no_x2apic_optout");
    if !dmar.x2apic_opt_out {
        return Outcome::pass("the firmware lets the kernel use x2APIC").seen(fact);
    }
    if overruled {
        return Outcome::pass(
            "the firmware asks to leave x2APIC off, and ‘intremap=no_x2apic_optout’ overrules it",
        )
        .seen(fact)
        .seen(&facts.kernel.cmdline);
    }
    Outcome::warn("the firmware asks to leave x2APIC off").seen(fact).by_hand(
        "Turn x2APIC on in the firmware setup, or add ‘intremap=no_x2apic_optout’ to the kernel command line",
    )
}
