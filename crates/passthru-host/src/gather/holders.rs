//! Which processes have the files of graphics, sound, input, block and VFIO devices open (`/proc/PID/fd`, proc_pid_fd(5)).
//!
//! There can be tens of thousands of open files, so that this is for commands that show it. It is never a part of a capture,
//! which need not say what its owner ran.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::address::PciAddress;
use passthru_model::fact::Fact;
use passthru_model::holders::{Holder, Holders};
use passthru_model::iommu::IommuGroup;

use super::{because, controllers};
use crate::host::Host;

pub(super) fn of(host: &Host, groups: &Fact<BTreeMap<u32, IommuGroup>>) -> Fact<Holders> {
    if !host.is_live() {
        return Fact::unknown("open files are those of a running machine, and this is a copy of one");
    }
    let names = match host.list("/proc") {
        Ok(names) => names,
        Err(error) => return because(&error),
    };
    let mut found = Holders::default();
    let mut functions: BTreeMap<String, BTreeSet<PciAddress>> = BTreeMap::new();
    for process in names.iter().filter_map(|name| name.parse::<u32>().ok()) {
        let directory = format!("/proc/{process}/fd");
        let numbers = match host.list(&directory) {
            Ok(numbers) => numbers,
            // It has ended meanwhile.
            Err(error) if error.is_not_found() => continue,
            Err(_) => {
                found.unseen += 1;
                continue;
            }
        };
        let paths: BTreeSet<String> = numbers
            .iter()
            .filter_map(|number| host.link(&format!("{directory}/{number}")).ok())
            .filter(|path| is_device(path))
            .collect();
        if paths.is_empty() {
            continue;
        }
        let program = host.read_text(&format!("/proc/{process}/comm")).unwrap_or_default().trim().to_owned();
        let mut files = BTreeMap::new();
        for path in paths {
            let known = functions.entry(path.clone()).or_insert_with(|| behind(host, groups.value(), &path));
            files.insert(path, known.clone());
        }
        found.holders.push(Holder { process, program, files });
    }
    found.holders.sort_by_key(|holder| holder.process);
    let seen = format!("{} processes with devices, {} not seen", found.holders.len(), found.unseen);
    Fact::known(found, "/proc", seen)
}

/// Whether a path is the file of a device that a guest could have.
fn is_device(path: &str) -> bool {
    (KINDS.iter().any(|(begin, _)| path.starts_with(begin))
        || ["/dev/vfio/", "/dev/nvidia"].iter().any(|begin| path.starts_with(begin))
        || DISKS.iter().any(|begin| path.starts_with(begin)))
        && path != "/dev/vfio/vfio"
}

/// Where files of a kind are, and the class in which sysfs has the devices that they stand for.
const KINDS: [(&str, &str); 3] = [("/dev/dri/", "drm"), ("/dev/snd/", "sound"), ("/dev/input/", "input")];

/// How the names of disks and their partitions begin. Those that are made of others (dm, md) are in use where these are.
const DISKS: [&str; 4] = ["/dev/nvme", "/dev/sd", "/dev/sr", "/dev/vd"];

/// The functions that a device file stands for.
fn behind(host: &Host, groups: Option<&BTreeMap<u32, IommuGroup>>, file: &str) -> BTreeSet<PciAddress> {
    let of_class = |path: String| {
        let real = host.real_path(&path).unwrap_or_default();
        controllers(&real).into_iter().next_back().into_iter().collect()
    };
    for (begin, class) in KINDS {
        if let Some(name) = file.strip_prefix(begin) {
            return of_class(format!("/sys/class/{class}/{name}"));
        }
    }
    if DISKS.iter().any(|begin| file.starts_with(begin)) {
        // `/dev/nvme0` is the controller, a character device, and not a disk.
        let name = file.trim_start_matches("/dev/");
        let mut found = of_class(format!("/sys/class/block/{name}"));
        found.extend(of_class(format!("/sys/class/nvme/{name}")));
        return found;
    }
    if let Some(name) = file.strip_prefix("/dev/vfio/devices/") {
        return of_class(format!("/sys/class/vfio-dev/{name}"));
    }
    if let Some(id) = file.strip_prefix("/dev/vfio/").and_then(|name| name.parse::<u32>().ok()) {
        let members = groups.and_then(|groups| groups.get(&id)).map(|group| group.members.as_slice());
        return members.unwrap_or_default().iter().copied().collect();
    }
    if let Some(minor) = file.strip_prefix("/dev/nvidia").and_then(|name| name.parse::<u32>().ok()) {
        return of_nvidia(host, minor).into_iter().collect();
    }
    BTreeSet::new()
}

/// NVIDIA's driver says which of its devices is which: `Device Minor: 0` in `/proc/driver/nvidia/gpus/ADDRESS/information`.
fn of_nvidia(host: &Host, minor: u32) -> Option<PciAddress> {
    const GPUS: &str = "/proc/driver/nvidia/gpus";
    host.list(GPUS).ok()?.into_iter().find_map(|name| {
        let text = host.read_text(&format!("{GPUS}/{name}/information")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Device Minor:"))?;
        (line.trim().parse::<u32>().ok()? == minor).then(|| name.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::is_device;

    #[test]
    fn only_files_of_devices_that_a_guest_could_have_count() {
        for (path, is) in [
            ("/dev/dri/renderD128", true),
            ("/dev/nvidiactl", true),
            ("/dev/vfio/13", true),
            ("/dev/vfio/vfio", false),
            ("/dev/input/event3", true),
            ("/dev/nvme0n1p2", true),
            ("/dev/null", false),
            ("socket:[1234]", false),
            ("/home/user/dev/dri/x", false),
        ] {
            assert_eq!(is_device(path), is, "{path}");
        }
    }
}
