//! `passthru try`: boots a tiny guest with a device, before any system is installed, and judges what it saw.

mod boot;
mod initramfs;
mod judge;
mod prepare;
mod report;
mod rom;
mod run;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use passthru_model::{PciAddress, PciFunction};

pub use judge::{Expected, HostRom, judge};
pub use prepare::{prepare, rehearsal};
pub use report::{TRY_SCHEMA, TryDevice, TryReport};
pub use run::run;

use crate::accel::Accel;
use crate::firmware::Uefi;
use crate::guest::NotReady;
use crate::machine::GuestSlot;
use crate::run::MemlockError;
use crate::spec::{AccelChoice, FirmwareKind};

/// What the caller may choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TryOptions {
    /// The kernel's image; without one, that of the running kernel.
    pub kernel: Option<PathBuf>,
    /// UEFI or the legacy BIOS.
    pub firmware: FirmwareKind,
    /// KVM or TCG.
    pub accel: AccelChoice,
    /// How long all of it may take; without one, 5 minutes with KVM and 15 with TCG.
    pub time_limit: Option<Duration>,
}

/// A trial that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TryPlan {
    kernel: PathBuf,
    uefi: Option<Uefi>,
    accel: Accel,
    may_fall_back: bool,
    limit: Option<Duration>,
    slots: Vec<GuestSlot>,
    functions: Vec<PciFunction>,
    rehearsal: bool,
    notes: Vec<String>,
}

impl TryPlan {
    /// The functions that the guest gets.
    pub fn functions(&self) -> impl Iterator<Item = PciAddress> {
        self.functions.iter().map(|function| function.address)
    }

    /// KVM or TCG, to begin with.
    pub fn accel(&self) -> Accel {
        self.accel
    }

    /// The kernel that will be booted.
    pub fn kernel(&self) -> &std::path::Path {
        &self.kernel
    }

    /// What the user should know beforehand, such as that emulation is slow.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How long it may take with this acceleration.
    pub fn limit(&self, accel: Accel) -> Duration {
        self.limit.unwrap_or(match accel {
            Accel::Kvm => Duration::from_mins(5),
            Accel::Tcg => Duration::from_mins(15),
        })
    }

    /// Whether emulation may be tried where this acceleration turns out not to work.
    fn may_fall_back_from(&self, accel: Accel) -> bool {
        self.may_fall_back && accel == Accel::Kvm
    }

    /// The firmware's word in reports.
    fn firmware_word(&self) -> &'static str {
        if self.uefi.is_some() { FirmwareKind::Uefi.word() } else { FirmwareKind::Seabios.word() }
    }
}

/// How far a trial is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// QEMU was started, and the firmware runs.
    Firmware,
    /// The kernel has said its first word.
    Kernel,
    /// The tiny guest looks at its devices.
    Guest,
    /// It has reported.
    Reported,
}

impl Stage {
    /// What is going on, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Firmware => "the firmware starts",
            Self::Kernel => "the kernel starts",
            Self::Guest => "the guest looks at its devices",
            Self::Reported => "the guest has reported",
        }
    }
}

/// What a caller is told while a trial runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TryEvent {
    /// QEMU is started.
    Starting {
        /// KVM or TCG.
        accel: Accel,
        /// `uefi` or `seabios`.
        firmware: &'static str,
    },
    /// It got this far.
    Reached {
        /// Where.
        stage: Stage,
        /// Since the start.
        after: Duration,
    },
    /// It still is there; told every ten seconds.
    Waiting {
        /// Where.
        stage: Stage,
        /// Since the start.
        after: Duration,
        /// How long it may take.
        limit: Duration,
    },
    /// Something to know, such as that KVM failed and emulation is tried.
    Note(String),
}

/// Why a trial could not be made. That the guest saw something else than the host is no error: see
/// [`TryReport::ok`].
#[derive(Debug, thiserror::Error)]
pub enum TryError {
    /// Nothing was named.
    #[error("name the device to try, such as: passthru try 0000:06:00.0")]
    NothingNamed,
    /// A device is not in this host.
    #[error("{0}: there is no such device in this host")]
    Missing(PciAddress),
    /// A bridge belongs to the host.
    #[error("{0}: a bridge cannot be given to a guest")]
    Bridge(PciAddress),
    /// Its DMA is not translated.
    #[error("{0}: the device is in no IOMMU group, so it cannot be passed; see: passthru doctor")]
    NoGroup(PciAddress),
    /// Functions that the guest needs are not with vfio-pci.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    NotReady(Vec<NotReady>),
    /// Something else in the group stays with a driver of the host.
    #[error(
        "{address}: its group {group} also holds {member}, which {driver} drives; first: passthru isolate {member}"
    )]
    GroupNotViable {
        /// The device.
        address: PciAddress,
        /// Its group.
        group: u32,
        /// The other member.
        member: PciAddress,
        /// Its driver.
        driver: String,
    },
    /// More slots than root ports.
    #[error("{0} slots are too many for one guest")]
    TooManySlots(usize),
    /// No kernel.
    #[error("no kernel to boot the guest with: {0}; name one with --kernel")]
    NoKernel(String),
    /// No UEFI firmware.
    #[error(
        "no UEFI firmware for the guest: {0}; install OVMF (Debian: ovmf), or try with --firmware seabios"
    )]
    NoFirmware(String),
    /// KVM was asked for.
    #[error("KVM cannot be used: {0}")]
    KvmUnusable(String),
    /// The limit of locked memory.
    #[error(transparent)]
    Memlock(#[from] MemlockError),
    /// A file of ours, or the kernel's image.
    #[error("{} cannot be used", .0.display())]
    Io(PathBuf, #[source] std::io::Error),
    /// QEMU could not be started.
    #[error("QEMU ended before the guest could report: {}{words}", cause.map(|cause| format!("{cause} — ")).unwrap_or_default())]
    Qemu {
        /// Its last words.
        words: String,
        /// The cause, where known.
        cause: Option<&'static str>,
    },
    /// The guest ended without a report.
    #[error("the guest ended without a report while {}{}", stage.words(), console_end(console))]
    NoReport {
        /// How far it got.
        stage: Stage,
        /// The last lines of its console.
        console: String,
    },
    /// The guest said that it could not report.
    #[error("the guest could not look at its devices: {0}")]
    GuestFailed(String),
    /// The guest took too long.
    #[error("the guest did not report within {} seconds; it was ended while {}{}", limit.as_secs(), stage.words(), console_end(console))]
    TimeLimit {
        /// The limit.
        limit: Duration,
        /// How far it got.
        stage: Stage,
        /// The last lines of its console.
        console: String,
    },
    /// The caller wanted it to stop.
    #[error("interrupted: the tiny guest was ended, and nothing of it is left behind")]
    Interrupted,
    /// The report is not one.
    #[error("the guest's report cannot be read: {0}")]
    Garbled(String),
}

/// The last lines of a console as the end of a message.
fn console_end(console: &str) -> String {
    if console.is_empty() {
        "; its console is empty".to_owned()
    } else {
        format!("; its console ends with:\n{console}")
    }
}
