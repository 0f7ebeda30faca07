//! Whether the user who asks may use KVM and libvirt.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Setting;

use super::domains::libvirt;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "user-permissions",
    title: "this user may use KVM and libvirt",
    section: "virt-manager has permission issues",
    why: "virt-manager asks libvirt, which lets members of the group libvirt in; QEMU by hand opens /dev/kvm itself",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let mut remarks = Remarks::default();
    if let Ok(libvirt) = libvirt(facts)
        && let Some(settings) = libvirt.qemu_conf.value()
    {
        for name in ["user", "group"] {
            if let Some((Setting::Text(value), line)) = settings.get(name) {
                let place = format!("/etc/libvirt/qemu.conf:{line}");
                let system = ["qemu", "kvm", "libvirt-qemu", "nobody", "libvirt"].contains(&value.as_str());
                remarks.seen(place.clone(), format!("{name} = \"{value}\""));
                if name == "user" && !system {
                    let who = if value == "root" { "root" } else { "a user who logs in" };
                    remarks
                        .warn(format!("{place} lets all guests run as {who}, who can reach far more than a guest should"))
                        .by_hand("Where it was for a denied file, let the user of QEMU reach the file instead, or move it to /var/lib/libvirt/images");
                }
            }
        }
    }
    let Some(permissions) = facts.virtualisation.permissions.value() else {
        return match remarks.outcome(String::new()) {
            outcome if outcome.summary.is_empty() => Outcome::unknown(
                "what this user may do",
                facts.virtualisation.permissions.because().unwrap_or_default(),
            ),
            outcome => outcome,
        };
    };
    if permissions.uid == 0 {
        return remarks.outcome("root may use all of it");
    }
    let groups = permissions.groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    remarks.seen("/proc/self", format!("groups {groups}"));
    let lacks = |group: &str| permissions.known_groups.contains(group) && !permissions.groups.contains(group);
    if permissions.nodes.get("/dev/kvm") == Some(&false) {
        remarks
            .warn("this user may not open /dev/kvm")
            .by_hand("usermod -aG kvm USER as root, then log in again");
    }
    if libvirt(facts).is_ok() && lacks("libvirt") {
        remarks
            .warn("this user is not in the group libvirt, so virt-manager asks for a password each time")
            .by_hand("usermod -aG libvirt USER as root, then log in again");
    }
    remarks.outcome("this user may use KVM and libvirt")
}
