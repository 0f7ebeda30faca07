//! The checked builder: a specification and a host come in, a [`Guest`] or everything that is wrong comes out.
//!
//! [`BuildError`] is the list of what holds of every [`Guest`]. Its fields are private: there is no other way to one.

use std::path::Path;

use passthru_model::guest_tuning::{HugePagesWanted, Scheduler};
use passthru_model::{HostFacts, PciAddress};
use passthru_plan::pinning::Pinning;

use crate::accel::{self, Accel};
use crate::choice::{Choice, Choices, Topic};
use crate::firmware::{self, Uefi};
use crate::layout::Layout;
use crate::look::Looked;
use crate::machine::{
    Attachment, Backing, Binder, Boot, Card, Cpu, GuestSlot, HyperV, Machine, MemorySource, PassedUsb,
    Picture, RunAs, Serial, Shared, Timers,
};
use crate::name::GuestName;
use crate::placement;
use crate::run::GuestPaths;
use crate::size::MemorySize;
use crate::spec::{Audio, Disk, DiskBus, Display, FirmwareKind, GuestSpec, InputDevice, Medium, Os, Storage};

mod desktop;
mod devices;
mod errors;
mod explain;
mod hyper_v;
mod memory;
mod network;
#[cfg(test)]
mod peripheral_tests;
mod pinning;
mod processor;
mod resources;
mod roms;
#[cfg(test)]
mod tests;
mod trust;
#[cfg(test)]
mod tuning_tests;
mod usb;
mod user;
mod window;

pub use devices::{NotReady, group_obstacle};
pub use errors::{BuildError, BuildErrors};

/// A guest that can be: everything in [`BuildError`] has been ruled out against the facts it was built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    name: GuestName,
    os: Os,
    accel: Accel,
    cpu: Cpu,
    pinning: Option<Pinning>,
    memory: MemorySize,
    memory_source: MemorySource,
    hyper_v: HyperV,
    timers: Timers,
    mmio_window: Option<MemorySize>,
    uefi: Option<Uefi>,
    display: Display,
    disks: Vec<Disk>,
    storage: Attachment,
    media: Vec<Medium>,
    slots: Vec<GuestSlot>,
    network: Option<Card>,
    tpm: bool,
    usb: Vec<PassedUsb>,
    inputs: Vec<InputDevice>,
    audio: Option<Audio>,
    shared: Option<Shared>,
    run_as: Option<RunAs>,
    choices: Vec<Choice>,
}

/// What comes up while a guest is built.
#[derive(Debug)]
struct Building {
    /// Everything that is wrong.
    wrong: Vec<BuildError>,
    /// What was chosen.
    choices: Choices,
    /// Whether the guest is given a device of the host, for whose sake it is tuned.
    has_devices: bool,
}

impl Building {
    fn wrong(&mut self, error: BuildError) {
        self.wrong.push(error);
    }

    fn say(&mut self, about: Topic, why: impl Into<String>) {
        self.choices.say(about, why);
    }
}

impl Guest {
    /// Builds a guest, or says everything that stands in the way.
    pub fn build(spec: &GuestSpec, facts: &HostFacts, looked: &Looked) -> Result<Self, BuildErrors> {
        let mut wrong = Vec::new();
        let functions = devices::resolve(spec, facts, &mut wrong);
        let mut slots = placement::place(&functions);
        let has_devices = !spec.devices.is_empty();
        let mut building = Building { wrong, choices: Choices::default(), has_devices };
        let accel = accel::decide(spec.accel, facts).unwrap_or_else(|why| {
            building.wrong(BuildError::KvmUnusable(why));
            Accel::Tcg
        });
        let uefi = match spec.firmware {
            _ if spec.wants_secure_boot() => trust::firmware(spec, facts, &mut building.wrong),
            FirmwareKind::Seabios => None,
            FirmwareKind::Uefi => firmware::choose(facts, false)
                .map_err(|why| building.wrong(BuildError::FirmwareMissing(why)))
                .ok(),
        };
        let pinning = pinning::decide(spec, facts, &functions, &mut building);
        let cpu = processor::decide(spec, facts, accel, pinning.as_ref(), &mut building);
        let memory_source = memory::decide(spec, facts, pinning.as_ref(), &mut building);
        let hyper_v = hyper_v::decide(spec, accel, &mut building);
        let timers = hyper_v::timers(spec, accel, &mut building);
        let mmio_window = window::decide(spec, facts, &functions, accel, &cpu, &mut building);
        let has_gpu = functions.iter().any(|function| function.class.is_display());
        let display = spec.display.unwrap_or(if has_gpu { Display::None } else { Display::Vnc });
        roms::dress(&mut slots, spec, display, facts, looked, &mut building.wrong);
        let by_itself = if spec.os.is_windows() { DiskBus::Sata } else { DiskBus::VirtioBlk };
        // What no disk hangs on is not there.
        let storage = if spec.disks.is_empty() { Storage::default() } else { spec.storage };
        let mut guest = Self {
            name: spec.name.clone(),
            os: spec.os,
            accel,
            cpu,
            pinning,
            memory: spec.memory,
            memory_source,
            hyper_v,
            timers,
            mmio_window,
            uefi,
            display,
            disks: spec.disks.clone(),
            storage: Attachment {
                bus: storage.bus.unwrap_or(by_itself),
                queues: storage.queues,
                io_thread: storage.io_thread.unwrap_or(true),
            },
            media: spec.media.clone(),
            slots,
            network: spec.network.as_ref().map(|nic| network::card(nic, spec.os, &mut building.wrong)),
            tpm: trust::tpm(spec, facts, &mut building.wrong),
            usb: usb::resolve(spec, facts, &mut building.wrong),
            inputs: spec.inputs.clone(),
            audio: desktop::audio(spec, display, facts, &mut building.wrong),
            shared: desktop::shared(spec, facts, &mut building.wrong),
            run_as: user::decide(spec, facts, looked, &mut building),
            choices: Vec::new(),
        };
        desktop::inputs(spec, looked, &mut building.wrong);
        explain::the_rest(&guest, spec, facts, &mut building);
        let Building { mut wrong, choices, .. } = building;
        guest.choices = choices.finish();
        resources::check(spec.cpus, &guest, facts, looked, &mut wrong);
        if wrong.is_empty() { Ok(guest) } else { Err(BuildErrors::of(wrong)) }
    }

    /// Its name.
    pub fn name(&self) -> &GuestName {
        &self.name
    }

    /// KVM or TCG.
    pub fn accel(&self) -> Accel {
        self.accel
    }

    /// Where its threads run on the host; `None` leaves it to the scheduler.
    pub fn pinning(&self) -> Option<&Pinning> {
        self.pinning.as_ref()
    }

    /// How the kernel schedules its vCPUs.
    pub fn scheduler(&self) -> Scheduler {
        self.cpu.pins.as_ref().map_or_else(Scheduler::default, |pins| pins.scheduler)
    }

    /// The static huge pages that it is made of; `None`: ordinary memory.
    pub fn huge_pages(&self) -> Option<HugePagesWanted> {
        let page = self.memory_source.huge?;
        let count = memory::pages(self.memory, page)?;
        Some(HugePagesWanted { size_kib: page.kib(), count, node: self.memory_source.node })
    }

    /// What was chosen for it, and why.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// Its memory.
    pub fn memory(&self) -> MemorySize {
        self.memory
    }

    /// Its firmware; `None` is the legacy BIOS.
    pub fn uefi(&self) -> Option<&Uefi> {
        self.uefi.as_ref()
    }

    /// Whether it has a TPM, which swtpm must be started for.
    pub fn tpm(&self) -> bool {
        self.tpm
    }

    /// Whether QEMU becomes another user than the one that starts it.
    pub fn changes_user(&self) -> bool {
        self.run_as.is_some()
    }

    /// What its disks are attached to.
    pub fn disk_bus(&self) -> DiskBus {
        self.storage.bus
    }

    /// Its network card.
    pub fn card(&self) -> Option<&Card> {
        self.network.as_ref()
    }

    /// What shows a picture.
    pub fn display(&self) -> Display {
        self.display
    }

    /// The functions of the host that it is given, in order of guest slot.
    pub fn host_functions(&self) -> impl Iterator<Item = PciAddress> {
        self.slots.iter().flat_map(|slot| &slot.functions).filter_map(|placed| match placed.backing {
            Backing::Host(address) => Some(address),
            Backing::Emulated(_) => None,
        })
    }

    /// What of its devices is not yet with vfio-pci, which is needed only when it starts.
    pub fn not_ready(&self, facts: &HostFacts) -> Vec<NotReady> {
        devices::not_ready(self.host_functions(), facts)
    }

    /// How many root ports it needs, wherever its files are.
    fn ports(&self) -> usize {
        let nowhere = Path::new("/");
        Layout::of(&self.machine(&GuestPaths::new(nowhere, nowhere, &self.name))).ports
    }

    /// The machine to render, with its files at these paths.
    pub fn machine(&self, paths: &GuestPaths) -> Machine {
        let boot = self.uefi.as_ref().map_or(Boot::Seabios, |uefi| Boot::Uefi {
            code: uefi.code.clone(),
            template: uefi.template.clone(),
            vars: paths.vars(&uefi.format),
            format: uefi.format.clone(),
            secure_boot: uefi.secure_boot,
        });
        Machine {
            name: self.name.to_string(),
            os: self.os,
            accel: self.accel,
            cpu: self.cpu.clone(),
            memory: self.memory,
            memory_source: self.memory_source,
            hyper_v: self.hyper_v.clone(),
            timers: self.timers,
            mmio_window: self.mmio_window,
            boot,
            kernel: None,
            disks: self.disks.clone(),
            storage: self.storage,
            media: self.media.clone(),
            slots: self.slots.clone(),
            binder: Binder::Libvirt,
            network: self.network.clone(),
            picture: match self.display {
                Display::None => None,
                Display::Vnc => Some(Picture::Vnc(paths.vnc())),
                Display::Spice => Some(Picture::Spice(paths.spice())),
            },
            usb: self.usb.clone(),
            inputs: self.inputs.clone(),
            audio: self.audio.clone(),
            shared: self.shared.clone(),
            tpm: self.tpm.then(|| paths.tpm()),
            serials: vec![Serial::Socket { socket: paths.serial(), log: paths.serial_log() }],
            qmp: paths.qmp(),
            no_reboot: false,
            paused: false,
            run_as: self.run_as.clone(),
            sandbox: true,
        }
    }
}
