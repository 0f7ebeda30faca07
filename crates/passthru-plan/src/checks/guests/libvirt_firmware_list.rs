//! Whether qemu.conf still lists firmware by hand.

use passthru_model::HostFacts;

use super::domains::libvirt;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "libvirt-nvram",
    title: "libvirt finds firmware by descriptors, not by the list nvram",
    section: "Configuring libvirt",
    why: "libvirt passes over the list nvram of qemu.conf as soon as one firmware descriptor is there, and warns in its log",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let libvirt = match libvirt(facts) {
        Ok(libvirt) => libvirt,
        Err(outcome) => return outcome,
    };
    let Some(settings) = libvirt.qemu_conf.value() else {
        return Outcome::unknown("what qemu.conf sets", libvirt.qemu_conf.because().unwrap_or_default());
    };
    let Some((_, line)) = settings.get("nvram") else {
        return Outcome::pass("qemu.conf has no list of firmware").seen(&libvirt.qemu_conf);
    };
    let mut remarks = Remarks::default();
    remarks.seen(format!("/etc/libvirt/qemu.conf:{line}"), "nvram = […]");
    match facts.guest_firmware.value().map(Vec::len) {
        Some(0) => remarks
            .warn("qemu.conf lists firmware, and no descriptor is installed that would do so")
            .by_hand("Install the firmware's package, which brings descriptors (Debian: ovmf; Arch, Fedora: edk2-ovmf), and remove the list"),
        Some(_) => remarks
            .warn("the list nvram of qemu.conf is passed over, for firmware descriptors are installed")
            .by_hand(format!("Remove nvram at line {line} of /etc/libvirt/qemu.conf, and restart libvirt's daemon")),
        None => remarks.warn("qemu.conf lists firmware by hand, as libvirt before 5.2 needed it"),
    };
    remarks.outcome(String::new())
}
