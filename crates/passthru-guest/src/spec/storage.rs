//! `[storage]`: how disks are attached.

use std::fmt::Write as _;

use serde::Deserialize;

/// What disks are attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskBus {
    /// A device of its own for each, by virtio: the shortest way.
    VirtioBlk,
    /// One controller by virtio for all: any number of disks.
    VirtioScsi,
    /// The chipset's controller, for systems that come without virtio drivers.
    Sata,
}

impl DiskBus {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::VirtioBlk => "virtio-blk",
            Self::VirtioScsi => "virtio-scsi",
            Self::Sata => "sata",
        }
    }

    /// Whether the guest needs virtio drivers for it.
    pub fn is_virtio(self) -> bool {
        self != Self::Sata
    }
}

/// How disks are attached; what is not said is left to the builder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Storage {
    /// What they are attached to; without, virtio-blk, and SATA for a Windows.
    pub bus: Option<DiskBus>,
    /// How many queues each virtio device has; without, one for each vCPU.
    pub queues: Option<u16>,
    /// Whether a thread beside QEMU's main loop carries what goes through virtio; without, yes.
    pub io_thread: Option<bool>,
}

/// The table.
pub(super) fn write(out: &mut String, storage: Storage) {
    if storage == Storage::default() {
        return;
    }
    out.push_str("\n[storage]\n");
    if let Some(bus) = storage.bus {
        let _ = writeln!(out, "bus = \"{}\"", bus.word());
    }
    if let Some(queues) = storage.queues {
        let _ = writeln!(out, "queues = {queues}");
    }
    if let Some(io_thread) = storage.io_thread {
        let _ = writeln!(out, "io-thread = {io_thread}");
    }
}
