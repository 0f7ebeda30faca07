//! Where each device of a machine sits: decided once, and said by each backend in its own words.

use std::path::Path;

use crate::machine::{Card, GuestSlot, Machine};
use crate::spec::{DiskBus, DiskFormat};

/// The slot of the root bus where an emulated VGA is looked for.
pub const VGA_SLOT: u8 = 1;

/// The slot of the root bus of memory shared with Looking Glass.
pub const SHARED_SLOT: u8 = 0x1d;

/// The slot of the root bus of the sound card, which is none of PCI Express.
pub const SOUND_SLOT: u8 = 0x1e;

/// The ports of a USB controller that devices of the host hang on; without, there are four.
pub const USB_PORTS: usize = 15;

/// Root ports begin behind it; slot 0 is the host bridge.
const FIRST_PORT: usize = 2;

/// A root port, numbered from 1 in the order of the root bus. Chassis and slot together must be unique in a machine, so
/// the number serves for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootPort {
    /// Its number.
    pub number: usize,
}

impl RootPort {
    /// Its slot on the root bus.
    pub fn slot(self) -> usize {
        FIRST_PORT + self.number - 1
    }
}

/// What a drive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriveKind {
    /// A disk that the guest writes.
    Disk,
    /// A disc that it only reads.
    Disc,
}

/// Where a drive is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plug {
    /// virtio-blk behind a root port of its own.
    Virtio(RootPort),
    /// A place of the SCSI controller, from 0.
    Scsi(usize),
    /// A port of the chipset's SATA controller, from 0.
    Sata(usize),
}

/// A drive and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drive<'a> {
    /// Disk or disc.
    pub kind: DriveKind,
    /// Its number among its kind, from 0.
    pub number: usize,
    /// The image file or block device.
    pub image: &'a Path,
    /// The image's layout.
    pub format: DiskFormat,
    /// Its turn when the firmware looks for something to boot, from 1.
    pub boot: usize,
    /// Where it is.
    pub plug: Plug,
}

impl Drive<'_> {
    /// Whether the guest's discarded blocks are given back to the host. A raw image may be a block device, whose blocks are
    /// somebody's to count.
    pub fn discards(&self) -> bool {
        self.kind == DriveKind::Disk && self.format == DiskFormat::Qcow2
    }

    /// Whether it is made of a block device. Told by where it is, so that rendering stays pure.
    pub fn is_device(&self) -> bool {
        self.image.starts_with("/dev") && !self.image.starts_with("/dev/shm")
    }
}

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout<'a> {
    /// Passed functions, behind a root port each slot.
    pub slots: Vec<(RootPort, &'a GuestSlot)>,
    /// Drives, in boot order.
    pub drives: Vec<Drive<'a>>,
    /// The root port of the SCSI controller.
    pub scsi: Option<RootPort>,
    /// Whether a drive goes through the thread for disks.
    pub io_thread: bool,
    /// A network card, and the root port that it is behind.
    pub network: Option<(&'a Card, RootPort)>,
    /// The root port of the source of random numbers.
    pub rng: Option<RootPort>,
    /// The root port of the USB controller that a virtual display's tablet and devices of the host hang on.
    pub usb: Option<RootPort>,
    /// The root ports of a keyboard and a mouse by virtio.
    pub input: Option<[RootPort; 2]>,
    /// How many root ports there are.
    pub ports: usize,
}

impl<'a> Layout<'a> {
    /// Lays a machine out.
    pub fn of(machine: &'a Machine) -> Self {
        let mut layout = Self::default();
        for slot in &machine.slots {
            let port = layout.port();
            layout.slots.push((port, slot));
        }
        let mut sata = 0..;
        let mut next_sata = || Plug::Sata(sata.next().unwrap_or_default());
        if machine.storage.bus == DiskBus::VirtioScsi && !machine.disks.is_empty() {
            layout.scsi = Some(layout.port());
        }
        layout.io_thread =
            machine.storage.io_thread && machine.storage.bus.is_virtio() && !machine.disks.is_empty();
        for (number, disk) in machine.disks.iter().enumerate() {
            let plug = match machine.storage.bus {
                DiskBus::VirtioBlk => Plug::Virtio(layout.port()),
                DiskBus::VirtioScsi => Plug::Scsi(number),
                DiskBus::Sata => next_sata(),
            };
            layout.drive(DriveKind::Disk, number, &disk.path, disk.format, plug);
        }
        for (number, medium) in machine.media.iter().enumerate() {
            layout.drive(DriveKind::Disc, number, &medium.path, DiskFormat::Raw, next_sata());
        }
        layout.network = machine.network.as_ref().map(|card| (card, layout.port()));
        if machine.picture.is_some() || !machine.usb.is_empty() {
            layout.usb = Some(layout.port());
        }
        if machine.rng() {
            layout.rng = Some(layout.port());
        }
        if machine.virtio_input() {
            layout.input = Some([layout.port(), layout.port()]);
        }
        layout
    }

    /// All root ports, in order.
    pub fn root_ports(&self) -> impl Iterator<Item = RootPort> {
        (1..=self.ports).map(|number| RootPort { number })
    }

    fn port(&mut self) -> RootPort {
        self.ports += 1;
        RootPort { number: self.ports }
    }

    fn drive(&mut self, kind: DriveKind, number: usize, image: &'a Path, format: DiskFormat, plug: Plug) {
        let boot = self.drives.len() + 1;
        self.drives.push(Drive { kind, number, image, format, boot, plug });
    }
}
