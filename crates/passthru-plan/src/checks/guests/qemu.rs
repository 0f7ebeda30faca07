//! Whether QEMU is installed.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "qemu",
    title: "QEMU is installed",
    section: "Configuring libvirt",
    why: "QEMU is the program that runs the guest and hands it the device",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    match (facts.qemu.value(), facts.qemu.because()) {
        (Some(Some(path)), _) => Outcome::pass(format!("QEMU is {path}")).seen(&facts.qemu),
        (Some(None), _) => Outcome::fail("qemu-system-x86_64 is not installed")
            .seen(&facts.qemu)
            .by_command("Install it (Debian and Ubuntu: qemu-system-x86)", "apt install qemu-system-x86"),
        (None, because) => Outcome::unknown("whether QEMU is installed", because.unwrap_or_default()),
    }
}
