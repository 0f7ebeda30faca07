//! A machine to be rendered: plain data, made only by [`crate::guest::Guest`] and [`crate::attempt`].

mod cpu;
mod memory;
mod timers;

use std::path::PathBuf;

use passthru_model::PciAddress;

use crate::accel::Accel;
use crate::size::MemorySize;
use crate::spec::{Disk, Medium, Os};

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

/// One function on a guest slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its function number in the guest.
    pub function: u8,
    /// What it is.
    pub backing: Backing,
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
pub enum DiskBus {
    /// virtio-blk.
    Virtio,
    /// SATA, for systems that come without virtio drivers.
    Sata,
}

/// A network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkCard {
    /// virtio-net.
    Virtio,
    /// An Intel 82574L, for systems that come without virtio drivers.
    E1000e,
}

/// The model of a machine's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuModel {
    /// The host's own, with what could not be moved to another host.
    Host,
    /// Everything that can be emulated.
    Max,
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
    pub disk_bus: DiskBus,
    /// Discs, after the disks in boot order.
    pub media: Vec<Medium>,
    /// Passed functions.
    pub slots: Vec<GuestSlot>,
    /// A card on QEMU's own network, where one is wanted.
    pub network: Option<NetworkCard>,
    /// The socket of a VNC display with an emulated VGA, where one is wanted.
    pub vnc: Option<PathBuf>,
    /// Serial ports, the first being the console.
    pub serials: Vec<Serial>,
    /// The control socket.
    pub qmp: PathBuf,
    /// Whether a reboot of the guest ends it.
    pub no_reboot: bool,
    /// Whether it waits for `cont` before its first instruction.
    pub paused: bool,
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

    /// Whether all interrupt controllers are in the kernel; only KVM has them there.
    pub fn kernel_irqchip(&self) -> bool {
        self.accel == Accel::Kvm
    }
}
