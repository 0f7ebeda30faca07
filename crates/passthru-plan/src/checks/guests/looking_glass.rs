//! Whether the shared memory of Looking Glass is as it should be.

use std::collections::BTreeMap;

use passthru_formats::libvirt_domain::shared_memory_of_arguments;
use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, Kvmfr};

use super::domains::libvirt;
use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;

pub(super) const LINT: Lint = Lint {
    id: "looking-glass",
    title: "the shared memory of Looking Glass is ready",
    section: "Complete setups and examples",
    why: "Looking Glass shows the guest's picture in a window through memory that both share; of the wrong kind or size it shows nothing",
    about: "shares memory with Looking Glass",
    concerns: |_, domain| is_used(domain),
    judge,
    instead: nothing,
    well: "with memory for Looking Glass",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

/// Whether a guest shares memory with Looking Glass.
pub(super) fn is_used(domain: &Domain) -> bool {
    !buffers(domain).is_empty()
}

/// The memory that Looking Glass shares in a domain: by name or path, with its size.
fn buffers(domain: &Domain) -> BTreeMap<String, Option<u64>> {
    let arguments = domain.qemu_arguments.iter().map(|(argument, _)| argument.as_str());
    let mut found = shared_memory_of_arguments(arguments);
    found.extend(domain.shared_memory.clone());
    found.retain(|name, _| name.contains("looking") || name.contains("kvmfr"));
    found
}

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    for (name, size) in buffers(domain) {
        let shown = size.map_or_else(|| "no size".to_owned(), |size| format!("{} MiB", size >> 20));
        remarks.seen(domain.path.clone(), format!("{name}: {shown}"));
        if size.is_some_and(|size| !size.is_power_of_two() || size < 16 << 20) {
            remarks
                .fail(format!(
                    "{} shares {shown}; it must be a power of two, and 32 MiB or more for 1920×1080",
                    domain.name
                ))
                .at_path("devices/shmem/size")
                .by_hand("32 MiB are for 1920×1080, 64 for 2560×1440, 128 for 3840×2160");
        }
        if name.contains("kvmfr") {
            kvmfr(facts, remarks);
        }
    }
}

fn kvmfr(facts: &HostFacts, remarks: &mut Remarks) {
    match facts.virtualisation.kvmfr.value() {
        Some(Kvmfr::PlainFile) => {
            remarks
                .fail("/dev/kvmfr0 is a plain file: a guest was started before the module kvmfr was loaded")
                .seen("/dev/kvmfr0", "a plain file")
                .by_hand("Stop the guest, rm /dev/kvmfr0, modprobe kvmfr, and have it loaded at boot (/etc/modules-load.d/kvmfr.conf)");
        }
        Some(Kvmfr::Absent) => {
            remarks
                .fail("/dev/kvmfr0 is not there: the module kvmfr is not loaded")
                .seen("/dev/kvmfr0", "is not there")
                .by_hand("Install and load kvmfr (options kvmfr static_size_mb=…)");
        }
        Some(Kvmfr::Device) | None => {}
    }
    let settings = libvirt(facts).ok().and_then(|libvirt| libvirt.qemu_conf.value());
    let listed = settings.is_some_and(|settings| match settings.get("cgroup_device_acl") {
        Some((passthru_model::virtualisation::Setting::List(list), _)) => {
            list.iter().any(|node| node == "/dev/kvmfr0")
        }
        _ => false,
    });
    if settings.is_some() && !listed {
        remarks
            .warn("cgroup_device_acl of qemu.conf does not let guests open /dev/kvmfr0")
            .by_hand("Add \"/dev/kvmfr0\" to libvirt's own list, and restart its daemon");
    }
}
