//! Whether running guests use message-signalled interrupts for their devices.

use passthru_model::HostFacts;

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-interrupts",
    title: "devices of running guests signal by messages, not by a shared line",
    section: "Slowed down audio pumped through HDMI on the video card",
    why: "a line interrupt is shared and slow; sound over HDMI stutters by it",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(functions) = facts.virtualisation.guest_interrupts.value() else {
        return Outcome::unknown(
            "which interrupts guests use",
            facts.virtualisation.guest_interrupts.because().unwrap_or_default(),
        );
    };
    if functions.is_empty() {
        return Outcome::skip("no running guest has a device whose interrupts are on")
            .seen(&facts.virtualisation.guest_interrupts);
    }
    let mut remarks = Remarks::default();
    for (address, line) in functions {
        remarks.seen(
            "/proc/interrupts",
            format!("{} for {address}", if *line { "vfio-intx" } else { "vfio-msi" }),
        );
        if *line {
            remarks.warn(format!("the guest uses the shared line of {address}")).by_hand(
                "In Windows, set MSISupported to 1 for this device and its card's other functions (registry, Interrupt Management), and restart the guest",
            );
        }
    }
    remarks.outcome(format!("{} of running guests, all by messages", count(functions.len(), "function")))
}
