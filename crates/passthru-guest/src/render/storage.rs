//! Drives.

use super::{Arguments, path, root_port};
use crate::layout::{Drive, DriveKind, Layout, Plug};
use crate::machine::Machine;

/// A drive: its image, and the device that the guest sees.
pub(super) fn storage(out: &mut Arguments, machine: &Machine, drive: &Drive<'_>) {
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
        Plug::Virtio(port) => {
            let queues =
                machine.storage.queues.map(|queues| format!(",num-queues={queues}")).unwrap_or_default();
            format!("virtio-blk-pci,bus={},addr=0x0{}{queues}", root_port(out, port), thread(machine))
        }
        Plug::Scsi(unit) => format!("scsi-hd,bus=scsi0.0,channel=0,scsi-id=0,lun={unit}"),
        Plug::Sata(unit) => format!("{on_sata},bus=ide.{unit}"),
    };
    out.option("-device", format!("{device},drive={node},bootindex={}", drive.boot));
}

/// What drives hang on: a thread that carries what they read and write, and a SCSI controller.
pub(super) fn controllers(out: &mut Arguments, machine: &Machine, layout: &Layout<'_>) {
    if layout.io_thread {
        out.option("-object", "iothread,id=iothread1");
    }
    if let Some(port) = layout.scsi {
        let bus = root_port(out, port);
        let queues = machine.storage.queues.map(|queues| format!(",num_queues={queues}")).unwrap_or_default();
        out.option(
            "-device",
            format!("virtio-scsi-pci,id=scsi0,bus={bus},addr=0x0{}{queues}", thread(machine)),
        );
    }
}

fn thread(machine: &Machine) -> &'static str {
    if machine.storage.io_thread { ",iothread=iothread1" } else { "" }
}
