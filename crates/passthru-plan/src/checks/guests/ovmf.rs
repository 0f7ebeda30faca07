//! Whether there is a UEFI firmware for guests.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "ovmf",
    title: "a UEFI firmware for guests is installed",
    section: "Setting up an OVMF-based guest VM",
    why: "OVMF starts the guest and its graphics card without the old VGA ways that only one card can have",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(firmware) = facts.guest_firmware.value() else {
        return Outcome::unknown(
            "which firmware there is",
            facts.guest_firmware.because().unwrap_or_default(),
        );
    };
    if let Some(first) = firmware.iter().find(|one| one.present) {
        return Outcome::pass(format!("{} ({})", first.code, first.description))
            .evidence(first.descriptor.clone(), first.code.clone());
    }
    let outcome = match firmware.first() {
        Some(lost) => Outcome::fail(format!(
            "{} describes a firmware whose files are missing: {}",
            lost.descriptor, lost.code
        ))
        .evidence(lost.descriptor.clone(), lost.code.clone()),
        None => Outcome::fail("no UEFI firmware for guests is installed").seen(&facts.guest_firmware),
    };
    outcome.by_command(
        "Install it (Debian and Ubuntu: ovmf; Fedora: edk2-ovmf; Arch: edk2-ovmf)",
        "apt install ovmf",
    )
}
