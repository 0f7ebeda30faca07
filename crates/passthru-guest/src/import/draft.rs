//! A specification as it grows from a file, with what is said of the rest.

use std::path::PathBuf;

use passthru_model::intent::DeviceIdentity;
use passthru_model::{HostFacts, PciAddress};

use super::reasons::ONLY_USER;
use super::{Fate, ImportError, Imported, Note, Source};
use crate::name::GuestName;
use crate::size::{MIB, MemorySize};
use crate::spec::{
    AccelChoice, Clock, Disk, DiskFormat, Display, FirmwareKind, GuestSpec, HyperV, Medium, MemoryBacking,
    Network, Os, Processor,
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
    pub(super) network: Network,
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
            network: Network::None,
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

    /// A network card, by what it is on and its model, where either is said.
    pub(super) fn card(&mut self, line: usize, what: &str, on: Option<&str>, model: Option<&str>) {
        self.network = Network::User;
        if on.is_some_and(|on| on != "user") {
            self.lost(line, what, ONLY_USER);
        }
        let ours = if self.os.is_windows() { "e1000e" } else { "virtio" };
        if let Some(model) = model.filter(|model| *model != ours) {
            let why = format!("the card is {ours}, as for every guest with os = \"{}\"", self.os.word());
            self.lost(line, format!("{what}: {model}"), why);
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
        spec.network = self.network;
        spec.cpus = self.cpus.unwrap_or(1);
        self.tuning(&mut spec);
        self.place_drives(&mut spec);
        spec.devices = std::mem::take(&mut self.devices);
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
        let disk_bus = if self.os.is_windows() { "sata" } else { "virtio" };
        for (place, drive) in drives.iter().enumerate() {
            let path = self.absolute(&drive.path);
            let ours = if drive.is_disc { "sata" } else { disk_bus };
            if drive.bus != ours {
                let what = format!("{} on {}", drive.path, drive.bus);
                self.lost(
                    drive.line,
                    what,
                    format!("it hangs on {ours}, as for every guest with os = \"{}\"", self.os.word()),
                );
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
