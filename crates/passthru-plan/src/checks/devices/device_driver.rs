//! Which driver has each display device.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome, displays};

pub(super) const CHECK: Check = Check {
    id: "device-driver",
    title: "who has the display devices",
    section: "Isolating the GPU",
    why: "a guest can have a device only while vfio-pci has it on the host, with all functions of the card",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which devices there are", because);
    }
    let displays = displays(facts);
    if displays.is_empty() {
        return Outcome::skip("this host has no display device");
    }
    let mut outcome = Outcome::pass(String::new());
    let mut lines = Vec::new();
    let mut split = Vec::new();
    for display in &displays {
        let card: Vec<_> = facts
            .functions()
            .filter(|function| function.address.slot() == display.address.slot() && !function.is_bridge())
            .collect();
        let drivers: Vec<String> = card
            .iter()
            .map(|function| {
                format!(
                    ".{} {}",
                    function.address.function(),
                    function.driver.as_deref().unwrap_or("no driver")
                )
            })
            .collect();
        lines.push(format!("{} ({}): {}", display.address, facts.name_of(display), drivers.join(", ")));
        let on_vfio = card.iter().filter(|function| function.is_on_vfio()).count();
        if on_vfio > 0 && on_vfio < card.len() {
            split.push(display.address.slot().to_string());
        }
        outcome = outcome
            .evidence(display.attribute("driver"), display.driver.as_deref().unwrap_or("no such link"));
    }
    lines.dedup();
    outcome.summary = lines.join("; ");
    if !split.is_empty() {
        let text = format!("only a part of {} is on vfio-pci; {}", split.join(", "), outcome.summary);
        return Outcome { evidence: outcome.evidence, ..Outcome::warn(text) }
            .by_command("Isolate the whole card, reboot, and look again", "passthru isolate ADDRESS");
    }
    outcome
}
