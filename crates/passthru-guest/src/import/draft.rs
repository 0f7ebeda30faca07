//! A specification as it grows from a file, with what is said of the rest.

use std::collections::BTreeMap;
use std::path::PathBuf;

use passthru_model::intent::DeviceIdentity;
use passthru_model::usb::{UsbId, UsbPort};
use passthru_model::{HostFacts, PciAddress};

use super::desktop::Sound;
use super::{Fate, ImportError, Imported, Note, Source};
use crate::name::GuestName;
use crate::size::{MIB, MemorySize};
use crate::spec::{
    AccelChoice, Clock, Disk, DiskBus, DiskFormat, Display, FirmwareKind, GuestSpec, HyperV, InputDevice,
    LookingGlass, Medium, MemoryBacking, Nic, NicBackend, NicModel, Os, Processor, Rom, Storage, UsbDevice,
};

/// How a drive hangs in the file that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DriveFound {
    pub(super) line: usize,
    pub(super) path: String,
    pub(super) format: DiskFormat,
    pub(super) is_disc: bool,
    /// `virtio`, `sata`, …
    pub(super) bus: String,
    /// Its turn to boot, where that is said.
    pub(super) boot: Option<u32>,
}

/// What is known so far.
pub(super) struct Draft<'a> {
    pub(super) source: Source<'a>,
    facts: &'a HostFacts,
    pub(super) notes: Vec<Note>,
    pub(super) os: Os,
    pub(super) firmware: FirmwareKind,
    pub(super) accel: AccelChoice,
    pub(super) memory: Option<MemorySize>,
    pub(super) cpus: Option<u32>,
    pub(super) processor: Processor,
    pub(super) memory_backing: MemoryBacking,
    pub(super) mmio_window: Option<MemorySize>,
    pub(super) hyper_v: HyperV,
    pub(super) clock: Clock,
    /// What only KVM heeds, by line.
    pub(super) for_kvm: Vec<(usize, String)>,
    /// Whether there is a virtual display; nothing is said at first.
    pub(super) display: Option<Display>,
    pub(super) network: Option<Nic>,
    pub(super) storage: Storage,
    pub(super) secure_boot: bool,
    pub(super) tpm: bool,
    pub(super) usb: Vec<UsbDevice>,
    pub(super) inputs: Vec<InputDevice>,
    pub(super) sound: Sound,
    pub(super) looking_glass: Option<LookingGlass>,
    pub(super) roms: BTreeMap<PciAddress, Rom>,
    devices: Vec<DeviceIdentity>,
    drives: Vec<DriveFound>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(source: &Source<'a>, facts: &'a HostFacts) -> Self {
        Self {
            source: *source,
            facts,
            notes: Vec::new(),
            os: Os::Linux,
            firmware: FirmwareKind::Seabios,
            accel: AccelChoice::Auto,
            memory: None,
            cpus: None,
            processor: Processor::default(),
            memory_backing: MemoryBacking::default(),
            mmio_window: None,
            hyper_v: HyperV::default(),
            clock: Clock::default(),
            for_kvm: Vec::new(),
            display: None,
            network: None,
            storage: Storage::default(),
            secure_boot: false,
            tpm: false,
            usb: Vec::new(),
            inputs: Vec::new(),
            sound: Sound::default(),
            looking_glass: None,
            roms: BTreeMap::new(),
            devices: Vec::new(),
            drives: Vec::new(),
        }
    }

    /// What changes the guest by not being carried over.
    pub(super) fn lost(&mut self, line: usize, what: impl Into<String>, why: impl Into<String>) {
        self.note(Fate::Lost, line, what, why);
    }

    /// What passthru sees to, or what is not the guest's.
    pub(super) fn left_out(&mut self, line: usize, what: impl Into<String>, why: impl Into<String>) {
        self.note(Fate::LeftOut, line, what, why);
    }

    fn note(&mut self, fate: Fate, line: usize, what: impl Into<String>, why: impl Into<String>) {
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let note = Note { line, fate, what: one_line(what.into()), why: why.into() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A value that stops everything.
    pub(super) fn wrong(&self, line: usize, what: &'static str, value: &str) -> ImportError {
        ImportError::Value { path: self.source.path.to_owned(), line, what, value: value.to_owned() }
    }

    /// Memory in bytes, to whole MiB.
    pub(super) fn set_memory(
        &mut self,
        line: usize,
        written: &str,
        bytes: Option<u64>,
    ) -> Result<(), ImportError> {
        let size = bytes.and_then(|bytes| MemorySize::from_mib(bytes.div_ceil(MIB)));
        let size = size.ok_or_else(|| self.wrong(line, "amount of memory for a guest", written))?;
        if bytes.is_some_and(|bytes| bytes % MIB != 0) {
            self.lost(line, written, format!("memory comes in whole MiB, so it is {size}"));
        }
        self.memory = Some(size);
        Ok(())
    }

    /// The number of virtual CPUs.
    pub(super) fn set_cpus(&mut self, line: usize, written: &str) -> Result<u32, ImportError> {
        let cpus = written.trim().parse().ok().filter(|cpus| *cpus > 0);
        let cpus = cpus.ok_or_else(|| self.wrong(line, "number of virtual CPUs", written))?;
        self.cpus = Some(cpus);
        Ok(cpus)
    }

    /// A function of the host, by its address.
    pub(super) fn device(&mut self, line: usize, what: &str, address: PciAddress) {
        match self.facts.function(address) {
            Some(function) => self.devices.push(DeviceIdentity::of(function)),
            None => self.lost(
                line,
                what,
                format!("{address} is not in this host, and a specification says what a device is; see: passthru groups"),
            ),
        }
    }

    /// A network card: what it is on comes with `on`, and its model, where either is said.
    pub(super) fn card(
        &mut self,
        line: usize,
        what: &str,
        on: Option<NicBackend>,
        model: Option<&str>,
    ) -> &mut Nic {
        let by_itself = if self.os.is_windows() { NicModel::E1000e } else { NicModel::Virtio };
        let known = [NicModel::Virtio, NicModel::E1000e];
        let model = model.map(|model| if model == "virtio-net-pci" { "virtio" } else { model });
        let said = model.map(|model| (model, known.into_iter().find(|known| known.word() == model)));
        if let Some((model, None)) = said {
            let why = format!("a card is virtio or e1000e, and here it is {}", by_itself.word());
            self.lost(line, format!("{what}: {model}"), why);
        }
        let model = said.and_then(|(_, known)| known).filter(|known| *known != by_itself);
        let nic = self.network.get_or_insert_with(|| Nic::on(NicBackend::User));
        if let Some(on) = on {
            nic.backend = on;
        }
        if model.is_some() {
            nic.model = model;
        }
        nic
    }

    /// How many queues a disk or a controller of disks has, where that is said; one number serves for all.
    pub(super) fn disk_queues(&mut self, line: usize, what: &str, said: Option<&str>) {
        let Some(said) = said else { return };
        let queues = said.parse().ok();
        if queues.is_none() || self.storage.queues.is_some_and(|known| Some(known) != queues) {
            return self.lost(line, what, "all disks have the same number of queues");
        }
        self.storage.queues = queues;
    }

    /// The port of a device that is plugged in now, by its number on its bus.
    pub(super) fn usb_port(&self, bus: u16, number: u16, id: Option<UsbId>) -> Option<UsbPort> {
        let devices = &self.facts.usb.value()?.devices;
        let is_it = |device: &&passthru_model::usb::UsbDevice| {
            device.bus == bus && device.number == Some(number) && id.is_none_or(|id| id == device.id())
        };
        devices.iter().find(is_it).map(passthru_model::usb::UsbDevice::at)
    }

    /// A display that is there. One by SPICE carries more, so it is the one that is kept.
    pub(super) fn shows(&mut self, display: Display) {
        if self.display != Some(Display::Spice) {
            self.display = Some(display);
        }
    }

    /// A disk or disc.
    pub(super) fn drive(&mut self, drive: DriveFound) {
        self.drives.push(drive);
    }

    /// An absolute path; relative ones are taken from the file's directory.
    fn absolute(&self, path: &str) -> PathBuf {
        let relative = path.strip_prefix("./").unwrap_or(path);
        self.source.folder.join(relative)
    }

    /// The specification. `name_found` is the name in the file, which `name` replaces.
    pub(super) fn finish(
        mut self,
        name: Option<GuestName>,
        name_found: Option<&str>,
    ) -> Result<Imported, ImportError> {
        let path = || self.source.path.to_owned();
        let name = match name {
            Some(name) => name,
            None => name_found
                .ok_or_else(|| ImportError::Missing {
                    path: path(),
                    what: "the guest's name; give one with --name",
                })?
                .parse()
                .map_err(|error| ImportError::Name { path: path(), error })?,
        };
        let memory = self
            .memory
            .ok_or_else(|| ImportError::Missing { path: path(), what: "how much memory the guest has" })?;
        let mut spec = GuestSpec::new(name);
        (spec.os, spec.firmware, spec.accel, spec.memory) = (self.os, self.firmware, self.accel, memory);
        spec.network = self.network.take();
        spec.cpus = self.cpus.unwrap_or(1);
        // What the system asks for by itself need not be said.
        spec.secure_boot = (self.secure_boot != spec.wants_secure_boot()).then_some(self.secure_boot);
        spec.tpm = (self.tpm != spec.wants_tpm()).then_some(self.tpm);
        spec.usb = std::mem::take(&mut self.usb);
        spec.inputs = std::mem::take(&mut self.inputs);
        spec.audio = std::mem::take(&mut self.sound).finish(self.display);
        spec.looking_glass = self.looking_glass.take();
        self.tuning(&mut spec);
        self.place_drives(&mut spec);
        spec.devices = std::mem::take(&mut self.devices);
        // What is lost has no ROM.
        let given = |address: &PciAddress| spec.devices.iter().any(|device| device.address == *address);
        spec.roms =
            std::mem::take(&mut self.roms).into_iter().filter(|(address, _)| given(address)).collect();
        let has_gpu = spec.devices.iter().any(|device| device.class.is_display());
        // What the builder does by itself need not be said.
        let by_itself = if has_gpu { Display::None } else { Display::Vnc };
        spec.display = self.display.filter(|display| *display != by_itself);
        self.notes.sort_by_key(|note| (note.line, note.fate));
        Ok(Imported { spec: spec.without_defaults(), notes: self.notes })
    }

    /// Disks and discs, each in boot order.
    fn place_drives(&mut self, spec: &mut GuestSpec) {
        let mut drives = std::mem::take(&mut self.drives);
        drives.sort_by_key(|drive| drive.boot.unwrap_or(u32::MAX));
        let last_disk = drives.iter().rposition(|drive| !drive.is_disc);
        let by_itself = if self.os.is_windows() { DiskBus::Sata } else { DiskBus::VirtioBlk };
        // All disks hang on what the first one hangs on.
        let first = drives.iter().find(|drive| !drive.is_disc).and_then(|drive| bus_of(&drive.bus));
        let disk_bus = first.unwrap_or(by_itself);
        spec.storage = self.storage;
        spec.storage.bus = Some(disk_bus).filter(|bus| *bus != by_itself);
        for (place, drive) in drives.iter().enumerate() {
            let path = self.absolute(&drive.path);
            let ours = if drive.is_disc { DiskBus::Sata } else { disk_bus };
            if drive.bus == "ide" {
                let what = format!("{} on ide", drive.path);
                self.left_out(drive.line, what, "the board has SATA, where older ones have IDE");
            }
            if bus_of(&drive.bus) != Some(ours) {
                let what = format!("{} on {}", drive.path, drive.bus);
                let why = if drive.is_disc {
                    "discs hang on sata".to_owned()
                } else {
                    format!("all disks hang on one bus, which is {} here", ours.word())
                };
                self.lost(drive.line, what, why);
            }
            if !drive.is_disc {
                spec.disks.push(Disk { path, format: drive.format });
                continue;
            }
            if drive.boot.is_some() && last_disk.is_some_and(|disk| place < disk) {
                self.lost(
                    drive.line,
                    format!("{} boots first", drive.path),
                    "discs are tried after the disks",
                );
            }
            spec.media.push(Medium { path });
        }
    }
}

/// A bus of disks by the word that libvirt has for it.
fn bus_of(word: &str) -> Option<DiskBus> {
    match word {
        "virtio" => Some(DiskBus::VirtioBlk),
        "scsi" => Some(DiskBus::VirtioScsi),
        // The board has SATA in its place.
        "sata" | "ide" => Some(DiskBus::Sata),
        _ => None,
    }
}
