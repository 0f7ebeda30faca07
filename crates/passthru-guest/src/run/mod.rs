//! Running guests: starting QEMU, knowing it again, looking inside, stopping it.

mod awake;
pub mod child;
mod explain;
pub mod libvirt;
mod memlock;
mod order;
mod paths;
mod process;
mod put_back;
mod ready;
mod show;
mod start;
mod state;
mod stop;
pub mod supervisor;
pub mod swtpm;
mod threads;
mod vars;
mod watchdog;

use std::path::PathBuf;

pub use explain::explain;
pub use libvirt::held_by_libvirt;
pub use memlock::MemlockError;
pub(crate) use memlock::{limit_for, needed as memlock_needed};
pub use order::Tuning;
pub use paths::GuestPaths;
pub use put_back::{in_use, left_behind, put_back};
pub use show::{PassedDevice, ShowError, devices, devices_of};
pub use start::{StartError, Started, start};
pub use state::{GuestState, StateError, list, state};
pub use stop::{HowStopped, StopError, StopOptions, stop};
pub use threads::ThreadError;
pub use vars::{VarsError, copy_once};

/// The programs that running a guest takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// QEMU's path.
    pub qemu: PathBuf,
    /// A program that calls [`crate::entry::enter`]: it is started first, and becomes QEMU.
    pub helper: PathBuf,
}

impl Launcher {
    /// A launcher whose helper is the program that runs now.
    pub fn new(qemu: impl Into<PathBuf>) -> Self {
        Self { qemu: qemu.into(), helper: PathBuf::from("/proc/self/exe") }
    }
}
