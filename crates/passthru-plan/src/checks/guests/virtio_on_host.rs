//! Whether the host loads modules that are for guests.

use passthru_model::HostFacts;

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "virtio-modules",
    title: "the host does not load drivers that only guests use",
    section: "High DPC Latency",
    why: "virtio_net, virtio_blk and their like are drivers inside the guest; on the host they do nothing for its latency",
    run,
};

/// Drivers of virtio devices, which a host has only where it is itself a guest.
const GUEST_DRIVERS: [&str; 7] =
    ["virtio", "virtio_ring", "virtio_pci", "virtio_net", "virtio_blk", "virtio_balloon", "virtio_scsi"];

fn run(facts: &HostFacts) -> Outcome {
    let Some(listed) = facts.binding.modules_load.value() else {
        return Outcome::unknown(
            "which modules are loaded by name",
            facts.binding.modules_load.because().unwrap_or_default(),
        );
    };
    if facts.surroundings.hypervisor.is_some() {
        return Outcome::skip("this host is itself a guest, and may need them");
    }
    let mut remarks = Remarks::default();
    let idle: Vec<_> = listed.iter().filter(|one| GUEST_DRIVERS.contains(&one.what.as_str())).collect();
    if let Some(first) = idle.first() {
        let names: Vec<&str> = idle.iter().map(|one| one.what.as_str()).collect();
        remarks
            .warn(format!("{} has {} loaded, which only guests use", first.path, names.join(", ")))
            .seen(first.place(), first.what.clone())
            .by_hand(format!(
                "Take them out of {}; what helps the network of guests is vhost_net",
                first.path
            ));
    }
    remarks.outcome("no driver of guests is loaded by name")
}
