//! Whether libvirt is there, and one of its daemons answers.

use passthru_model::HostFacts;

use super::domains::libvirt;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "libvirt-daemon",
    title: "libvirt's daemon for QEMU is ready",
    section: "Configuring libvirt",
    why: "libvirt runs guests for whoever does not run QEMU by hand; it has one daemon for all (libvirtd) or one a driver (virtqemud)",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let libvirt = match libvirt(facts) {
        Ok(libvirt) => libvirt,
        Err(outcome) => return outcome,
    };
    let mut remarks = Remarks::default();
    let Some(daemons) = libvirt.daemons.value() else {
        return Outcome::unknown(
            "which daemons of libvirt are installed",
            libvirt.daemons.because().unwrap_or_default(),
        );
    };
    for daemon in daemons {
        remarks.seen(format!("/usr/sbin/{daemon}"), "is there");
    }
    for unit in &libvirt.enabled {
        remarks.seen("/etc/systemd/system", unit.clone());
    }
    for socket in &libvirt.sockets {
        remarks.seen(socket.clone(), "is there");
    }
    if daemons.is_empty() {
        remarks
            .warn("libvirt has settings here and no daemon for QEMU")
            .seen("/etc/libvirt", "is there")
            .by_hand("Install it (Debian and Ubuntu: libvirt-daemon-system; Arch and Fedora: libvirt), or let passthru run guests without");
        return remarks.outcome(String::new());
    }
    let starts = |name: &str| libvirt.enabled.iter().any(|unit| unit.starts_with(name));
    if starts("libvirtd.") && starts("virtqemud.") {
        remarks
            .fail("both libvirtd and virtqemud are started at boot, and both want the same guests")
            .by_hand("Keep one of them: systemctl disable --now libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket");
    } else if libvirt.enabled.is_empty() && libvirt.sockets.is_empty() {
        let unit = if daemons.iter().all(|daemon| daemon == "virtqemud") {
            "virtqemud.socket"
        } else {
            "libvirtd.socket"
        };
        remarks
            .warn("no daemon of libvirt is started at boot, and none is running")
            .by_hand(format!("systemctl enable --now {unit}"));
    }
    let how = if libvirt.sockets.is_empty() { "is started at boot" } else { "answers" };
    remarks.outcome(format!("libvirt is installed and {how}"))
}
