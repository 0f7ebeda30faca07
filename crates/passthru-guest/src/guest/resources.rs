//! Memory, CPUs, disks and room on the root bus.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use passthru_model::HostFacts;

use super::{BuildError, Guest};
use crate::look::{Looked, Seen};
use crate::placement::MOST_PORTS;
use crate::size::{MIB, MemorySize};
use crate::spec::DiskBus;

/// Ports of the SATA controller of q35.
const SATA_PORTS: usize = 6;

/// Less than this, and OVMF stops before it shows anything; SeaBIOS needs less, but no system of today does.
const LEAST_MIB: u64 = 128;

/// Says what is wrong with the rest of a guest.
pub(super) fn check(
    cpus: u32,
    guest: &Guest,
    facts: &HostFacts,
    looked: &Looked,
    wrong: &mut Vec<BuildError>,
) {
    if cpus == 0 {
        wrong.push(BuildError::NoCpus);
    }
    if let Some(&host) = facts.cpu.count.value()
        && usize::try_from(cpus).is_ok_and(|wanted| wanted > host)
    {
        wrong.push(BuildError::TooManyCpus { wanted: cpus, host });
    }
    memory(guest.memory, looked, wrong);
    let ports = guest.ports();
    if ports > MOST_PORTS {
        wrong.push(BuildError::TooManySlots(ports));
    }
    let sata_disks = if guest.storage.bus == DiskBus::Sata { guest.disks.len() } else { 0 };
    if sata_disks + guest.media.len() > SATA_PORTS {
        wrong.push(BuildError::TooManyDrives(sata_disks + guest.media.len()));
    }
    match guest.storage.queues {
        Some(0) => wrong.push(BuildError::DiskQueues { queues: 0, why: "a disk has at least one" }),
        Some(queues) if !guest.storage.bus.is_virtio() => {
            wrong.push(BuildError::DiskQueues {
                queues,
                why: "only virtio has queues; say bus = \"virtio-scsi\" or \"virtio-blk\"",
            });
        }
        _ => {}
    }
    let mut disks = BTreeSet::new();
    for disk in &guest.disks {
        if !disks.insert(&disk.path) {
            wrong.push(BuildError::ImageTwice(disk.path.clone()));
        }
    }
    let paths =
        guest.disks.iter().map(|disk| &disk.path).chain(guest.media.iter().map(|medium| &medium.path));
    wrong.extend(paths.filter_map(|path| file(path, looked)));
}

/// Memory against the firmware's and the host's bounds.
fn memory(wanted: MemorySize, looked: &Looked, wrong: &mut Vec<BuildError>) {
    if let Some(least) = MemorySize::from_mib(LEAST_MIB)
        && wanted < least
    {
        wrong.push(BuildError::MemoryTooSmall { wanted, least });
    }
    if let Some(host) = looked.memory_total
        && wanted.bytes() >= host
    {
        wrong.push(BuildError::MemoryAboveHost { wanted, host_mib: host / MIB });
    }
}

/// One disk or disc.
fn file(path: &PathBuf, looked: &Looked) -> Option<BuildError> {
    self::path(path).or_else(|| match looked.files.get(path)? {
        Seen::File | Seen::BlockDevice => None,
        Seen::InUse(on) => Some(BuildError::DiskInUse { path: path.clone(), on: on.clone() }),
        Seen::Missing => Some(BuildError::FileMissing(path.clone())),
        Seen::Other | Seen::Input => Some(BuildError::NotADisk(path.clone())),
        Seen::Unreadable(why) => Some(BuildError::FileUnreadable { path: path.clone(), why: why.clone() }),
    })
}

/// What is wrong with a path by itself.
pub(super) fn path(path: &Path) -> Option<BuildError> {
    if !path.is_absolute() {
        return Some(BuildError::PathRelative(path.to_owned()));
    }
    // XML has no way to write them (https://www.w3.org/TR/xml/#charsets), and a terminal would obey them.
    if path.to_string_lossy().chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Some(BuildError::PathControl(path.to_owned()));
    }
    None
}
