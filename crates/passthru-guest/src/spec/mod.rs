//! What the user writes of a guest: `guests/NAME.toml`. Small by default; a key that is not known is an error.

mod audio;
mod clock;
mod defaults;
mod hyper_v;
mod input;
mod looking_glass;
mod memory_backing;
mod network;
mod parse;
mod processor;
mod promote;
mod rom;
mod storage;
mod store;
mod usb;
mod user;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use passthru_model::PciAddress;
use passthru_model::backend::Backend;
use passthru_model::guest_tuning::GuestTuning;
use passthru_model::intent::DeviceIdentity;
use serde::Deserialize;

pub use audio::{Audio, AudioBackend, AudioCodec, PULSE_SOCKET};
pub use clock::{Clock, ClockBase, PitTicks, RtcTicks};
pub use hyper_v::HyperV;
pub use input::{GrabToggle, InputDevice};
pub use looking_glass::{LookingGlass, Resolution, SharedMemory, SharedSize};
pub use memory_backing::{MemoryBacking, PagesChoice};
pub use network::{InterfaceName, MacAddress, Nic, NicBackend, NicModel};
pub use parse::{SpecError, parse};
pub use processor::{CacheChoice, PinningChoice, Processor};
pub use promote::{PromoteError, promoted};
pub use rom::Rom;
pub use storage::{DiskBus, Storage};
pub use store::{StoreError, list, load};
pub use usb::{UsbChoice, UsbDevice};
pub use user::{Account, AccountError};
pub use write::write;

use crate::name::GuestName;
use crate::size::MemorySize;

/// The system that will be installed. It decides what drivers can be counted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Os {
    /// Linux: virtio throughout.
    #[default]
    Linux,
    /// Windows 10: no virtio before its drivers are installed, a clock in local time.
    #[serde(rename = "windows-10")]
    Windows10,
    /// Windows 11: the same, with Secure Boot and a TPM.
    #[serde(rename = "windows-11")]
    Windows11,
    /// Anything else; treated like Linux.
    Other,
}

impl Os {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows10 => "windows-10",
            Self::Windows11 => "windows-11",
            Self::Other => "other",
        }
    }

    /// Whether it is a Windows.
    pub fn is_windows(self) -> bool {
        matches!(self, Self::Windows10 | Self::Windows11)
    }
}

/// The kind of firmware that boots a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirmwareKind {
    /// OVMF, found by QEMU's firmware descriptors.
    #[default]
    Uefi,
    /// QEMU's built-in legacy BIOS.
    Seabios,
}

impl FirmwareKind {
    /// The word in the file and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Uefi => "uefi",
            Self::Seabios => "seabios",
        }
    }
}

/// How a guest's processors are run, as asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccelChoice {
    /// KVM where it can be used, else TCG.
    #[default]
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Emulation: slow, works everywhere.
    Tcg,
}

impl AccelChoice {
    /// The word in the file and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// What shows a picture besides a passed GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Display {
    /// Nothing: the passed GPU's own outputs.
    None,
    /// An emulated VGA, by VNC on a Unix socket that only its owner can open.
    Vnc,
    /// An emulated VGA, by SPICE on a Unix socket that only its owner can open; sound can go the same way.
    Spice,
}

impl Display {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Vnc => "vnc",
            Self::Spice => "spice",
        }
    }
}

/// How a disk image is laid out. Never guessed: a raw image that a guest writes a qcow2 header into would otherwise let
/// that guest read files of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFormat {
    /// Plain bytes, also block devices.
    Raw,
    /// QEMU's own format.
    Qcow2,
}

impl DiskFormat {
    /// What the name of an image promises. It decides once, where somebody reads the answer; the content never does, since
    /// a guest can write it.
    pub fn by_name(path: &Path) -> Self {
        if path.extension().is_some_and(|ending| ending == "qcow2") { Self::Qcow2 } else { Self::Raw }
    }

    /// The word in the file and the name of QEMU's driver.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// A disk of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// An image file or a block device, absolute.
    pub path: PathBuf,
    /// Its layout.
    pub format: DiskFormat,
}

/// A disc in a drive that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Medium {
    /// An ISO image, absolute.
    pub path: PathBuf,
}

/// The whole specification, as written; nothing in it has been compared with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestSpec {
    /// Its name, which is the file's.
    pub name: GuestName,
    /// What runs in it.
    pub os: Os,
    /// What runs it.
    pub backend: Backend,
    /// Whom QEMU becomes before the guest runs; `None`: a user who may do little where root starts it, else whoever does.
    pub run_as: Option<Account>,
    /// How much memory it has.
    pub memory: MemorySize,
    /// Where that comes from.
    pub memory_backing: MemoryBacking,
    /// How large a window above 4 GiB the firmware has for large BARs; `None` leaves it to the builder. A power of two.
    pub mmio_window: Option<MemorySize>,
    /// What it is told about its hypervisor.
    pub hyper_v: HyperV,
    /// Its clock and timers.
    pub clock: Clock,
    /// How many virtual CPUs.
    pub cpus: u32,
    /// Where these run, and what the guest sees of them.
    pub processor: Processor,
    /// What boots it.
    pub firmware: FirmwareKind,
    /// How its CPUs are run.
    pub accel: AccelChoice,
    /// What shows a picture; `None` leaves it to the builder: nothing with a GPU, else VNC.
    pub display: Option<Display>,
    /// Its network card.
    pub network: Option<Nic>,
    /// How the host is tuned while it runs.
    pub tuning: GuestTuning,
    /// The functions of the host it is given, by identity.
    pub devices: Vec<DeviceIdentity>,
    /// Its disks, in boot order.
    pub disks: Vec<Disk>,
    /// Discs, tried after the disks.
    pub media: Vec<Medium>,
    /// Whether the firmware starts only what is signed; `None` leaves it to the system.
    pub secure_boot: Option<bool>,
    /// Whether there is a TPM 2.0; `None` leaves it to the system.
    pub tpm: Option<bool>,
    /// USB devices of the host.
    pub usb: Vec<UsbDevice>,
    /// Keyboards and mice that host and guest take in turn.
    pub inputs: Vec<InputDevice>,
    /// A sound card.
    pub audio: Option<Audio>,
    /// Memory shared with Looking Glass.
    pub looking_glass: Option<LookingGlass>,
    /// How its disks are attached.
    pub storage: Storage,
    /// Other ROMs than the cards' own, by the function's address.
    pub roms: BTreeMap<PciAddress, Rom>,
}

impl GuestSpec {
    /// A small guest: Linux, 4 GiB, two CPUs, UEFI, nothing attached.
    pub fn new(name: GuestName) -> Self {
        Self {
            name,
            os: Os::default(),
            backend: Backend::default(),
            run_as: None,
            memory: MemorySize::from_mib(4096)
                .unwrap_or_else(|| unreachable!("4 GiB is an amount of memory")),
            memory_backing: MemoryBacking::default(),
            mmio_window: None,
            hyper_v: HyperV::default(),
            clock: Clock::default(),
            cpus: 2,
            processor: Processor::default(),
            firmware: FirmwareKind::default(),
            accel: AccelChoice::default(),
            display: None,
            network: None,
            tuning: GuestTuning::default(),
            devices: Vec::new(),
            disks: Vec::new(),
            media: Vec::new(),
            secure_boot: None,
            tpm: None,
            usb: Vec::new(),
            inputs: Vec::new(),
            audio: None,
            looking_glass: None,
            storage: Storage::default(),
            roms: BTreeMap::new(),
        }
    }

    /// Whether the firmware starts only what is signed. Windows 11 wants that, where it can be had: under UEFI.
    pub fn wants_secure_boot(&self) -> bool {
        let by_itself = self.os == Os::Windows11 && self.firmware == FirmwareKind::Uefi;
        self.secure_boot.unwrap_or(by_itself)
    }

    /// Whether there is a TPM 2.0, without which Windows 11 is not installed.
    pub fn wants_tpm(&self) -> bool {
        self.tpm.unwrap_or(self.os == Os::Windows11)
    }
}
