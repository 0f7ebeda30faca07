//! The checked builder: a specification and a host come in, a [`Guest`] or everything that is wrong comes out.
//!
//! [`BuildError`] is the list of what holds of every [`Guest`]. Its fields are private: there is no other way to one.

use std::fmt;
use std::path::PathBuf;

use passthru_model::{HostFacts, PciAddress, PciId, PciSlot};

use crate::accel::{self, Accel};
use crate::firmware::{self, Uefi};
use crate::look::Looked;
use crate::machine::{Backing, Boot, Clock, DiskBus, GuestSlot, Machine, Serial};
use crate::name::GuestName;
use crate::placement::{self, MOST_PORTS};
use crate::run::GuestPaths;
use crate::size::MemorySize;
use crate::spec::{Disk, Display, FirmwareKind, GuestSpec, Medium};

mod devices;
mod resources;
#[cfg(test)]
mod tests;

pub use devices::{NotReady, group_obstacle};

/// One thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The host's devices could not be looked at at all.
    #[error("the devices of this host are unknown: {0}")]
    DevicesUnknown(String),
    /// A device is not in this host.
    #[error("{address}: there is no such device in this host (the guest wants {id} there)")]
    DeviceMissing {
        /// Where it was.
        address: PciAddress,
        /// What it was.
        id: PciId,
    },
    /// Another device is at the address.
    #[error("{address}: the guest wants {wanted}, and this host has {found} there")]
    IdentityChanged {
        /// Where.
        address: PciAddress,
        /// What was chosen, with its subsystem and class.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// A bridge belongs to the host.
    #[error("{0}: a bridge cannot be given to a guest")]
    Bridge(PciAddress),
    /// A device is listed twice.
    #[error("{0}: the device is listed twice")]
    Twice(PciAddress),
    /// Its DMA is not translated.
    #[error("{0}: the device is in no IOMMU group, so it cannot be passed; see: passthru doctor")]
    NoGroup(PciAddress),
    /// Function 0 of a card is left out though it goes with the rest.
    #[error(
        "{slot}: function 0 of the card is in the same group and is not given to the guest; add {slot}.0"
    )]
    FunctionZeroMissing {
        /// The card.
        slot: PciSlot,
    },
    /// Something in the group stays with a driver of the host.
    #[error(
        "{address}: its group {group} also holds {member}, which {driver} drives; give it to the guest too, or isolate it"
    )]
    GroupNotViable {
        /// The device of the guest.
        address: PciAddress,
        /// The group.
        group: u32,
        /// The other member.
        member: PciAddress,
        /// Its driver.
        driver: String,
    },
    /// More root ports than the root bus has room for.
    #[error("the guest needs {0} root ports, and the root bus has room for {MOST_PORTS}")]
    TooManySlots(usize),
    /// More SATA drives than ports.
    #[error("the guest has {0} SATA drives, and the controller has six ports")]
    TooManyDrives(usize),
    /// No UEFI firmware.
    #[error(
        "no UEFI firmware for the guest: {0}; install OVMF (Debian: ovmf), or say firmware = \"seabios\""
    )]
    FirmwareMissing(String),
    /// KVM was asked for.
    #[error("accel = \"kvm\", and KVM cannot be used: {0}")]
    KvmUnusable(String),
    /// No CPUs.
    #[error("cpus = 0: a guest has at least one")]
    NoCpus,
    /// More than the host has.
    #[error("cpus = {wanted}, and this host has {host}")]
    TooManyCpus {
        /// As specified.
        wanted: u32,
        /// Logical CPUs of the host.
        host: usize,
    },
    /// Too little memory to start firmware in.
    #[error("memory = \"{wanted}\": the firmware needs at least {least}")]
    MemoryTooSmall {
        /// As specified.
        wanted: MemorySize,
        /// The least that works.
        least: MemorySize,
    },
    /// As much as the host has, or more.
    #[error("memory = \"{wanted}\", and this host has {host_mib} MiB in all")]
    MemoryAboveHost {
        /// As specified.
        wanted: MemorySize,
        /// Of the host.
        host_mib: u64,
    },
    /// A path that would depend on where passthru is started.
    #[error("{}: write the whole path, from /", .0.display())]
    PathRelative(PathBuf),
    /// A disk or disc that is not there.
    #[error("{}: the file is not there", .0.display())]
    FileMissing(PathBuf),
    /// A path that cannot be a disk.
    #[error("{}: this is neither a file nor a block device", .0.display())]
    NotADisk(PathBuf),
    /// A path that could not be looked at.
    #[error("{}: cannot be looked at: {why}", path.display())]
    FileUnreadable {
        /// The path.
        path: PathBuf,
        /// The kernel's words.
        why: String,
    },
    /// One image twice.
    #[error("{}: two drives of the guest use the same image", .0.display())]
    ImageTwice(PathBuf),
}

/// Everything that does not hold, in the order of the specification; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildErrors(Vec<BuildError>);

impl BuildErrors {
    /// The errors.
    pub fn list(&self) -> &[BuildError] {
        &self.0
    }
}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildErrors {}

/// A guest that can be: everything in [`BuildError`] has been ruled out against the facts it was built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    name: GuestName,
    accel: Accel,
    cpus: u32,
    memory: MemorySize,
    uefi: Option<Uefi>,
    display: Display,
    disks: Vec<Disk>,
    disk_bus: DiskBus,
    media: Vec<Medium>,
    slots: Vec<GuestSlot>,
    clock: Clock,
}

impl Guest {
    /// Builds a guest, or says everything that stands in the way.
    pub fn build(spec: &GuestSpec, facts: &HostFacts, looked: &Looked) -> Result<Self, BuildErrors> {
        let mut wrong = Vec::new();
        let functions = devices::resolve(spec, facts, &mut wrong);
        let slots = placement::place(&functions);
        let accel = accel::decide(spec.accel, facts).unwrap_or_else(|why| {
            wrong.push(BuildError::KvmUnusable(why));
            Accel::Tcg
        });
        let uefi = match spec.firmware {
            FirmwareKind::Seabios => None,
            FirmwareKind::Uefi => {
                firmware::choose(facts).map_err(|why| wrong.push(BuildError::FirmwareMissing(why))).ok()
            }
        };
        let has_gpu = functions.iter().any(|function| function.class.is_display());
        let disk_bus = if spec.os.is_windows() { DiskBus::Sata } else { DiskBus::Virtio };
        let guest = Self {
            name: spec.name.clone(),
            accel,
            cpus: spec.cpus,
            memory: spec.memory,
            uefi,
            display: spec.display.unwrap_or(if has_gpu { Display::None } else { Display::Vnc }),
            disks: spec.disks.clone(),
            disk_bus,
            media: spec.media.clone(),
            slots,
            clock: if spec.os.is_windows() { Clock::Local } else { Clock::Utc },
        };
        resources::check(&guest, facts, looked, &mut wrong);
        if wrong.is_empty() { Ok(guest) } else { Err(BuildErrors(wrong)) }
    }

    /// Its name.
    pub fn name(&self) -> &GuestName {
        &self.name
    }

    /// KVM or TCG.
    pub fn accel(&self) -> Accel {
        self.accel
    }

    /// Its memory.
    pub fn memory(&self) -> MemorySize {
        self.memory
    }

    /// Its firmware; `None` is the legacy BIOS.
    pub fn uefi(&self) -> Option<&Uefi> {
        self.uefi.as_ref()
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

    /// How many root ports it needs.
    fn ports(&self) -> usize {
        let disks = if self.disk_bus == DiskBus::Virtio { self.disks.len() } else { 0 };
        self.slots.len() + disks + usize::from(self.display == Display::Vnc)
    }

    /// The machine to render, with its files at these paths.
    pub fn machine(&self, paths: &GuestPaths) -> Machine {
        let boot = self.uefi.as_ref().map_or(Boot::Seabios, |uefi| Boot::Uefi {
            code: uefi.code.clone(),
            vars: paths.vars(&uefi.format),
            format: uefi.format.clone(),
        });
        Machine {
            name: self.name.to_string(),
            accel: self.accel,
            cpus: self.cpus,
            memory: self.memory,
            boot,
            kernel: None,
            disks: self.disks.clone(),
            disk_bus: self.disk_bus,
            media: self.media.clone(),
            slots: self.slots.clone(),
            vnc: (self.display == Display::Vnc).then(|| paths.vnc()),
            serials: vec![Serial::Socket { socket: paths.serial(), log: paths.serial_log() }],
            qmp: paths.qmp(),
            clock: self.clock,
            no_reboot: false,
            paused: false,
            sandbox: true,
        }
    }
}
