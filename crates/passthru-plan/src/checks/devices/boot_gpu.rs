//! Whether a guest is to have the GPU on which the machine boots.

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;

use super::subjects::subjects;
use crate::checks::{Check, Outcome, displays};

pub(super) const CHECK: Check = Check {
    id: "boot-gpu",
    title: "the machine boots on a GPU that stays with the host",
    section: "Passing the boot GPU to the guest",
    why: "the firmware draws on its primary GPU and changes its ROM; such a card needs a clean ROM in a file, and the \
          firmware's framebuffer must be taken off it",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let all = displays(facts);
    if all.is_empty() {
        return Outcome::skip("this host has no display device");
    }
    let Some((boot, path)) = boot_display(facts) else {
        return Outcome::new(
            passthru_model::Verdict::Unknown,
            "on which display the machine booted is not known: the kernel marks none (boot_vga, boot_display)",
        );
    };
    let name = facts.function(boot).map_or_else(String::new, |function| facts.name_of(function));
    let taken = subjects.chosen && subjects.functions.iter().any(|function| function.address == boot);
    let outcome = if taken {
        Outcome::warn(format!("the machine boots on {boot} ({name}), which is set apart for guests")).by_hand(
            "Make another GPU the primary one in the firmware's setup, or put the monitor on it; else give the guest a clean ROM as a \
             file (‘passthru rom check’ tells a clean one)",
        )
    } else if all.len() == 1 {
        Outcome::pass(format!("the machine boots on {boot} ({name}), its only display"))
    } else {
        Outcome::pass(format!("the machine boots on {boot} ({name}), which no guest is to have"))
    };
    outcome.evidence(path, "1")
}

/// The display on which the machine booted, and the file that says so. What DRM says counts more than what the arbiter of
/// the old VGA ports chose (`vga_arb_select_default_device`, `drivers/pci/vgaarb.c`), which is never one of class 0302 or 0380.
pub(super) fn boot_display(facts: &HostFacts) -> Option<(PciAddress, String)> {
    let states = facts.device_states.value().into_iter().flatten();
    let by_attribute = states
        .filter(|(_, state)| state.boot_display == Some(true))
        .map(|(address, _)| (*address, format!("/sys/bus/pci/devices/{address}/boot_display")));
    let cards = facts.graphics.value().into_iter().flat_map(|graphics| &graphics.cards);
    let by_card = cards
        .filter(|card| card.boot_display == Some(true))
        .filter_map(|card| Some((card.address?, format!("/sys/class/drm/card{}/boot_display", card.number))));
    let by_arbiter = displays(facts)
        .into_iter()
        .filter(|function| function.boot_vga == Some(true))
        .map(|function| (function.address, function.attribute("boot_vga")));
    by_attribute.chain(by_card).chain(by_arbiter).next()
}
