//! A machine to be rendered: plain data, made only by [`crate::guest::Guest`] and [`crate::attempt`].

mod cpu;
mod memory;
mod timers;

use std::path::{Path, PathBuf};

use passthru_model::PciAddress;
use passthru_model::host_settings::UserName;
use passthru_model::usb::UsbId;

use crate::accel::Accel;
use crate::size::MemorySize;
use crate::spec::{
    Audio, AudioBackend, Disk, DiskBus, InputDevice, MacAddress, Medium, NicBackend, NicModel, Os, Rom,
    SharedMemory, UsbChoice,
};

pub use cpu::{Cpu, Pins};
pub use memory::{HugePage, MemorySource};
pub use timers::{HyperV, Timers};

/// What boots a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boot {
    /// UEFI in two flash chips.
    Uefi {
        /// The shared code.
        code: PathBuf,
        /// What a new machine's variables are copied from.
        template: PathBuf,
        /// This machine's own variables.
        vars: PathBuf,
        /// The layout of both: `raw` or `qcow2`.
        format: String,
        /// Whether the code protects its variables by system management mode and starts only what is signed.
        secure_boot: bool,
    },
    /// QEMU's built-in legacy BIOS.
    Seabios,
}

/// A kernel given by the host rather than read from a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectKernel {
    /// The kernel's image.
    pub image: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// The command line.
    pub command_line: String,
}

/// Where a function of the guest comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A function of the host, by vfio-pci.
    Host(PciAddress),
    /// A device that QEMU emulates, by its name and properties. It stands in where there is no hardware to pass.
    Emulated(String),
}

/// Who gives the functions of a domain of libvirt to vfio-pci, where a driver of the host has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binder {
    /// libvirt's daemon (`managed='yes'`). It asks nobody whether the host can do without, and a driver that hangs hangs it too.
    Libvirt,
    /// passthru, which libvirt calls as its hook: with all that `passthru bind` looks at, time limits and a journal.
    Hook,
}

/// One function on a guest slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its function number in the guest.
    pub function: u8,
    /// What it is.
    pub backing: Backing,
    /// Another ROM than its own.
    pub rom: Option<Rom>,
    /// Whether it answers to the legacy addresses of VGA (`x-vga`). SeaBIOS draws through them; UEFI has a driver in the card's ROM,
    /// and needs none of it.
    pub legacy_vga: bool,
}

/// A slot behind a root port of its own, with the functions that share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestSlot {
    /// In order of function; the first is function 0.
    pub functions: Vec<Placed>,
}

/// Where a serial port of the guest goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serial {
    /// To a Unix socket that one client may open, and always to a log.
    Socket {
        /// The socket.
        socket: PathBuf,
        /// The log.
        log: PathBuf,
    },
    /// To a file.
    File(PathBuf),
}

/// How disks are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What to.
    pub bus: DiskBus,
    /// How many queues each virtio device of theirs has, where that is said.
    pub queues: Option<u16>,
    /// Whether what goes through virtio has a thread of its own.
    pub io_thread: bool,
}

/// How a card is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// What it is on.
    pub backend: NicBackend,
    /// What the guest sees.
    pub model: NicModel,
    /// Its address, where one is said.
    pub mac: Option<MacAddress>,
    /// Pairs of queues.
    pub queues: u8,
}

/// What shows a picture, and the socket that a viewer opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    /// VNC.
    Vnc(PathBuf),
    /// SPICE.
    Spice(PathBuf),
}

/// A USB device of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedUsb {
    /// How QEMU finds it, also when it is plugged in again.
    pub choice: UsbChoice,
    /// What it is, where that is known.
    pub id: Option<UsbId>,
    /// Its bus and its number on it, which change when it is plugged in again; only of one that has a twin, which nothing else in
    /// domain XML tells apart.
    pub number: Option<(u16, u16)>,
    /// Whether the machine starts without it.
    pub optional: bool,
}

/// Memory that guest and host share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// What it is made of.
    pub memory: SharedMemory,
    /// Its size in MiB, a power of two.
    pub mib: u64,
}

/// The model of a machine's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuModel {
    /// The host's own, with what could not be moved to another host.
    Host,
    /// Everything that can be emulated.
    Max,
}

/// The user that QEMU becomes once it has opened all that it needs, and before the guest's first instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The user.
    pub user: UserName,
    /// Whether it is said by `-run-with`, which came with QEMU 9.1; `-runas` says it to all that are older.
    pub by_run_with: bool,
}

/// The whole machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Shown in the process list.
    pub name: String,
    /// What runs in it.
    pub os: Os,
    /// KVM or TCG.
    pub accel: Accel,
    /// Its processors.
    pub cpu: Cpu,
    /// Memory.
    pub memory: MemorySize,
    /// Where it comes from.
    pub memory_source: MemorySource,
    /// What it says of its hypervisor.
    pub hyper_v: HyperV,
    /// Its clock and timers.
    pub timers: Timers,
    /// How large a window for large BARs the firmware is told to have; `None` leaves it to the firmware.
    pub mmio_window: Option<MemorySize>,
    /// Firmware.
    pub boot: Boot,
    /// A kernel of the host's, where one is given.
    pub kernel: Option<DirectKernel>,
    /// Disks, in boot order.
    pub disks: Vec<Disk>,
    /// How they are attached.
    pub storage: Attachment,
    /// Discs, after the disks in boot order.
    pub media: Vec<Medium>,
    /// Passed functions.
    pub slots: Vec<GuestSlot>,
    /// Who gives them to vfio-pci under libvirt.
    pub binder: Binder,
    /// A network card, where one is wanted.
    pub network: Option<Card>,
    /// The display of an emulated VGA, where one is wanted.
    pub picture: Option<Picture>,
    /// USB devices of the host.
    pub usb: Vec<PassedUsb>,
    /// Keyboards and mice that host and guest take in turn.
    pub inputs: Vec<InputDevice>,
    /// A sound card.
    pub audio: Option<Audio>,
    /// Memory shared with Looking Glass.
    pub shared: Option<Shared>,
    /// The control socket of swtpm, which emulates a TPM 2.0, where one is wanted.
    pub tpm: Option<PathBuf>,
    /// Serial ports, the first being the console.
    pub serials: Vec<Serial>,
    /// The control socket.
    pub qmp: PathBuf,
    /// Whether a reboot of the guest ends it.
    pub no_reboot: bool,
    /// Whether it waits for `cont` before its first instruction.
    pub paused: bool,
    /// Whom QEMU becomes; `None`: it stays whoever starts it.
    pub run_as: Option<RunAs>,
    /// Whether QEMU gives up system calls that it does not need.
    pub sandbox: bool,
}

impl Machine {
    /// The model of its processors. A passed device ties the guest to this host anyway, so with KVM it need not be one that
    /// could move.
    pub fn cpu_model(&self) -> CpuModel {
        match self.accel {
            Accel::Kvm => CpuModel::Host,
            Accel::Tcg => CpuModel::Max,
        }
    }

    /// Whether what is typed and pointed at comes by virtio rather than by the board's PS/2, which is slow; for systems that come
    /// with the drivers.
    pub fn virtio_input(&self) -> bool {
        !self.inputs.is_empty() && !self.os.is_windows()
    }

    /// Whether it gets random numbers from the host, which firmware and system want early. The tiny guest, which boots a kernel of the
    /// host's, asks for none.
    pub fn rng(&self) -> bool {
        self.kernel.is_none()
    }

    /// What QEMU must find in its environment, by name: PipeWire's library asks there whose server to use.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let directory = self.audio.as_ref().and_then(|audio| match &audio.backend {
            AudioBackend::Pipewire(directory) => directory.clone(),
            _ => None,
        });
        directory.map(|directory| ("PIPEWIRE_RUNTIME_DIR", directory)).into_iter().collect()
    }

    /// The runtime directory of the user whose sound server plays, which QEMU reaches before the guest runs.
    pub fn session(&self) -> Option<&Path> {
        self.audio.as_ref().and_then(|audio| audio.backend.runtime_directory())
    }

    /// Whether it has system management mode, which Secure Boot's firmware keeps its variables in.
    pub fn system_management(&self) -> bool {
        matches!(self.boot, Boot::Uefi { secure_boot: true, .. })
    }

    /// Whether all interrupt controllers are in the kernel; only KVM has them there.
    pub fn kernel_irqchip(&self) -> bool {
        self.accel == Accel::Kvm
    }
}
