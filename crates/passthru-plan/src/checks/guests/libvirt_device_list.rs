//! Whether the devices that libvirt lets guests open still hold the ones that every guest needs.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Setting;

use super::domains::libvirt;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "libvirt-device-acl",
    title: "libvirt's list of devices for guests is whole",
    section: "Configuring libvirt",
    why: "a list cgroup_device_acl of one's own replaces libvirt's, so the devices of every guest must be on it too",
    run,
};

/// What libvirt allows where nothing is set, as far as no guest starts without it.
const NEEDED: [&str; 6] = ["/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx"];

fn run(facts: &HostFacts) -> Outcome {
    let libvirt = match libvirt(facts) {
        Ok(libvirt) => libvirt,
        Err(outcome) => return outcome,
    };
    let Some(settings) = libvirt.qemu_conf.value() else {
        return Outcome::unknown("what qemu.conf sets", libvirt.qemu_conf.because().unwrap_or_default());
    };
    let Some((Setting::List(list), line)) = settings.get("cgroup_device_acl") else {
        return Outcome::pass("libvirt's own list of devices holds").seen(&libvirt.qemu_conf);
    };
    let place = format!("/etc/libvirt/qemu.conf:{line}");
    let missing: Vec<&str> = NEEDED.into_iter().filter(|node| !list.iter().any(|one| one == node)).collect();
    let mut remarks = Remarks::default();
    remarks.seen(place.clone(), list.join(", "));
    if !missing.is_empty() {
        remarks
            .fail(format!("{place} leaves out {}, which every guest needs", missing.join(", ")))
            .by_hand("Write libvirt's own list and add to it; it stands as a comment in qemu.conf");
    }
    for node in list.iter().filter(|node| node.contains("/input/") || node.contains("/event")) {
        remarks.warn(format!("{node} stands on the list; <input type='evdev'> lets libvirt add it by itself")).by_hand(
            "Use <input type='evdev'> in the guest (libvirt 7.4 and later), and take the node from the list",
        );
    }
    remarks.outcome("the list of devices holds what every guest needs")
}
