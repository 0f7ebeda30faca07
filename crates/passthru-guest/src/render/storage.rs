//! Drives.

use super::{Arguments, path, root_port};
use crate::layout::{Drive, DriveKind, Plug};

/// A drive: its image, and the device that the guest sees.
pub(super) fn storage(out: &mut Arguments, drive: &Drive<'_>) {
    let (node, read_only, on_sata) = match drive.kind {
        DriveKind::Disk => (format!("disk{}", drive.number), "", "ide-hd"),
        DriveKind::Disc => (format!("medium{}", drive.number), ",read-only=on", "ide-cd"),
    };
    let discard = if drive.discards() { ",discard=unmap" } else { "" };
    let protocol = if drive.is_device() { "host_device" } else { "file" };
    out.option(
        "-blockdev",
        format!(
            "driver={},node-name={node}{read_only}{discard},file.driver={protocol},file.filename={}",
            drive.format.word(),
            path(drive.image)
        ),
    );
    let device = match drive.plug {
        Plug::Virtio(port) => format!("virtio-blk-pci,bus={},addr=0x0", root_port(out, port)),
        Plug::Sata(unit) => format!("{on_sata},bus=ide.{unit}"),
    };
    out.option("-device", format!("{device},drive={node},bootindex={}", drive.boot));
}
