//! Which controllers hold what is mounted and swapped to.

use std::collections::BTreeSet;

use passthru_formats::mounts::{self, Mount};
use passthru_model::facts::HostUse;

use super::in_use::Collected;
use super::last_part;
use crate::host::Host;
use crate::resolve::{join, split};

const MOUNTS: &str = "/proc/self/mountinfo";
const SWAPS: &str = "/proc/swaps";

/// Devices are stacked (LVM on LUKS on RAID on partitions), but never as deep as this.
const DEEPEST: usize = 16;

pub(super) fn collect(host: &Host, uses: &mut Collected) {
    match host
        .read(MOUNTS)
        .map_err(|error| error.to_string())
        .and_then(|bytes| mounts::mountinfo(&bytes).map_err(|error| format!("{MOUNTS}: {error}")))
    {
        Ok(found) => {
            // One device is often mounted at many places (bind mounts, subvolumes): the first says enough.
            let mut known = BTreeSet::new();
            for mount in found {
                if known.insert((mount.major, mount.minor, mount.source.clone())) {
                    one_mount(host, &mount, uses);
                }
            }
        }
        Err(why) => uses.gap(HostUse::Storage, why),
    }
    match host.read(SWAPS) {
        Ok(bytes) => match mounts::swaps(&bytes) {
            // A swap file lies on a file system, which is mounted and so found already.
            Ok(areas) => {
                for area in areas.iter().filter(|area| area.kind == "partition") {
                    by_node(host, &area.path, &format!("swap is on {}", area.path), uses);
                }
            }
            Err(error) => uses.gap(HostUse::Storage, format!("{SWAPS}: {error}")),
        },
        // A kernel without swap has no such file.
        Err(error) if error.is_not_found() => {}
        Err(error) => uses.gap(HostUse::Storage, error),
    }
}

fn one_mount(host: &Host, mount: &Mount, uses: &mut Collected) {
    let what = format!("{} is mounted from {}", mount.point, last_part(&mount.source));
    match mount.kind.as_str() {
        "btrfs" => {
            btrfs(host, uses);
            by_node(host, &mount.source, &what, uses);
        }
        "zfs" => every_disk(
            host,
            &format!("{} is a ZFS data set, and this disk may be of its pool", mount.point),
            uses,
        ),
        "bcachefs" => {
            for source in mount.source.split(':') {
                by_node(host, source, &what, uses);
            }
        }
        // Major 0 is for file systems without a device of their own: proc, tmpfs, overlay, NFS.
        _ if mount.major == 0 && !mount.source.starts_with("/dev/") => {}
        _ if mount.major == 0 => by_node(host, &mount.source, &what, uses),
        _ => by_entry(host, &format!("/sys/dev/block/{}:{}", mount.major, mount.minor), &what, uses),
    }
}

/// All devices of all btrfs file systems that are mounted: `mountinfo` names but one of each
/// (`fs/btrfs/sysfs.c`: `/sys/fs/btrfs/UUID/devices`).
fn btrfs(host: &Host, uses: &mut Collected) {
    const ROOT: &str = "/sys/fs/btrfs";
    for uuid in host.list(ROOT).unwrap_or_default() {
        let devices = format!("{ROOT}/{uuid}/devices");
        for name in host.list(&devices).unwrap_or_default() {
            by_entry(
                host,
                &format!("{devices}/{name}"),
                &format!("a mounted btrfs file system is on {name}"),
                uses,
            );
        }
    }
}

/// Every whole disk: for file systems that do not say where they are.
fn every_disk(host: &Host, what: &str, uses: &mut Collected) {
    const ROOT: &str = "/sys/block";
    match host.list(ROOT) {
        Ok(names) => {
            for name in names {
                by_entry(host, &format!("{ROOT}/{name}"), what, uses);
            }
        }
        Err(error) => uses.gap(HostUse::Storage, error),
    }
}

/// A device by its node: `/dev/mapper/root` is a link to `../dm-0`, whose name is the kernel's.
fn by_node(host: &Host, node: &str, what: &str, uses: &mut Collected) {
    match host.real_path(node) {
        Ok(real) => by_entry(host, &format!("/sys/class/block/{}", last_part(&real)), what, uses),
        Err(error) => uses.gap(HostUse::Storage, error),
    }
}

/// A device by its entry in sysfs, a link into `/sys/devices`.
fn by_entry(host: &Host, entry: &str, what: &str, uses: &mut Collected) {
    let there = host.exists(entry);
    match host.real_path(entry) {
        Ok(real) if matches!(there, Ok(true)) => below(host, &real, what, DEEPEST, uses),
        Ok(_) => uses.gap(HostUse::Storage, format!("{entry} is not there, and {what}")),
        Err(error) => uses.gap(HostUse::Storage, error),
    }
}

/// The controllers below a device: those in its path, or in the paths of the devices that it is made of.
fn below(host: &Host, real: &str, what: &str, depth: usize, uses: &mut Collected) {
    uses.add(HostUse::Storage, real, what);
    if depth == 0 {
        return uses.gap(HostUse::Storage, format!("{real} is stacked too deep"));
    }
    // The head of a multipath NVMe device hangs on a subsystem, which has links to its controllers
    // (`drivers/nvme/host/multipath.c`).
    if let Some(at) = real.find("/nvme-subsystem/") {
        let (root, rest) = real.split_at(at + "/nvme-subsystem/".len());
        let subsystem = format!("{root}{}", rest.split('/').next().unwrap_or_default());
        for name in host.list(&subsystem).unwrap_or_default() {
            if name
                .strip_prefix("nvme")
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
                && let Ok(target) = host.link(&format!("{subsystem}/{name}"))
            {
                uses.add(HostUse::Storage, &join(&subsystem, &target), what);
            }
        }
    }
    // Partitions have no slaves of their own: a partition of an md array is `…/block/md0/md0p1`.
    let whole = if last_part(split(real).0) == "block" { real } else { split(real).0 };
    let slaves = format!("{whole}/slaves");
    for name in host.list(&slaves).unwrap_or_default() {
        match host.real_path(&format!("{slaves}/{name}")) {
            Ok(next) => below(host, &next, what, depth - 1, uses),
            Err(error) => uses.gap(HostUse::Storage, error),
        }
    }
}
