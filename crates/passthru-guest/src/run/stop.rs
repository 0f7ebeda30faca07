//! Stopping a guest: asked first, then insisted, by what is certainly its process.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::process::Process;
use super::put_back::supervisor_of;
use super::start::{StartError, lock};
use super::state::{StateError, find};
use super::{GuestPaths, held_by_libvirt};
use crate::qmp::Qmp;

/// How long QEMU gets to answer, and to end once told to.
const ANSWER: Duration = Duration::from_secs(5);

/// How often it is looked whether a start has ended.
const RETRY: Duration = Duration::from_millis(100);

/// How long it may take to put back what was changed: a driver of the host takes its time to start a device.
const PUT_BACK: Duration = Duration::from_mins(3);

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopOptions {
    /// How long the guest gets to shut down.
    pub patience: Duration,
    /// Whether it is ended when it does not.
    pub force: bool,
}

/// How a guest came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HowStopped {
    /// It did not run.
    NotRunning,
    /// It shut itself down when asked.
    ShutDown,
    /// QEMU was told to quit.
    Quit,
    /// QEMU did not even answer, and was killed.
    Killed,
}

/// Why a guest was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// It was asked and still runs.
    #[error("the guest was asked to shut down and still runs after {} seconds; insist with --force, which is like pulling its plug", patience.as_secs())]
    StillRunning {
        /// How long was waited.
        patience: Duration,
    },
    /// Another passthru is at it.
    #[error("another passthru starts or stops this guest right now")]
    Busy,
    /// libvirt has it.
    #[error("libvirt runs this guest, so it is libvirt's to stop: virsh shutdown")]
    Libvirt,
    /// Even SIGKILL did not end it, as when a device's driver hangs.
    #[error(
        "QEMU (process {pid}) was killed and does not end; a device may hang in the kernel: see the kernel's log"
    )]
    Hangs {
        /// The process.
        pid: i32,
    },
    /// The guest has ended, and what was changed for it is not put back yet.
    #[error("the guest has ended, and what was changed for it is still being put back; what is done is told in {}", log.display())]
    NotPutBack {
        /// The supervisor's log.
        log: PathBuf,
    },
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The process could not be waited for or signalled.
    #[error("QEMU's process cannot be handled")]
    Process(#[source] io::Error),
    /// The lock.
    #[error("the guest cannot be locked")]
    Lock(#[source] Box<StartError>),
}

/// Stops a guest.
pub fn stop(paths: &GuestPaths, options: StopOptions) -> Result<HowStopped, StopError> {
    if !paths.state().exists() {
        return Ok(HowStopped::NotRunning);
    }
    let _lock = lock_within(paths, options.patience)?;
    if held_by_libvirt(paths)?.is_some() {
        return Err(StopError::Libvirt);
    }
    let how = match find(paths)?.0 {
        None => HowStopped::NotRunning,
        Some((pid, process)) => end(paths, pid, &process, options)?,
    };
    cleared_up(paths)?;
    for path in [
        paths.record(),
        paths.libvirt(),
        paths.qmp(),
        paths.serial(),
        paths.vnc(),
        paths.spice(),
        paths.supervisor(),
        paths.order(),
    ] {
        let _ = std::fs::remove_file(path);
    }
    Ok(how)
}

/// Takes the guest's lock. One that is being started is waited for, so that it can be stopped.
fn lock_within(paths: &GuestPaths, patience: Duration) -> Result<File, StopError> {
    let deadline = Instant::now() + patience;
    loop {
        match lock(paths) {
            Err(StartError::Busy) if Instant::now() < deadline => std::thread::sleep(RETRY),
            Err(StartError::Busy) => return Err(StopError::Busy),
            other => return other.map_err(|error| StopError::Lock(Box::new(error))),
        }
    }
}

/// Waits until the supervisor has put back what was changed for the guest. One that was killed is not waited for.
fn cleared_up(paths: &GuestPaths) -> Result<(), StopError> {
    match supervisor_of(paths)? {
        Some(process) if !process.ended_within(PUT_BACK).map_err(StopError::Process)? => {
            Err(StopError::NotPutBack { log: paths.supervisor_log() })
        }
        _ => Ok(()),
    }
}

/// Asks, tells, and kills, as far as that is allowed.
fn end(
    paths: &GuestPaths,
    pid: i32,
    process: &Process,
    options: StopOptions,
) -> Result<HowStopped, StopError> {
    let within = |limit| process.ended_within(limit).map_err(StopError::Process);
    // A guest that has not run its first instruction has nothing to lose: its supervisor was killed before it let it go.
    if never_ran(paths) && say(paths, "quit") && within(ANSWER)? {
        return Ok(HowStopped::Quit);
    }
    if say(paths, "system_powerdown") && within(options.patience)? {
        return Ok(HowStopped::ShutDown);
    }
    if within(Duration::ZERO)? {
        return Ok(HowStopped::ShutDown);
    }
    if !options.force {
        return Err(StopError::StillRunning { patience: options.patience });
    }
    if say(paths, "quit") && within(ANSWER)? {
        return Ok(HowStopped::Quit);
    }
    process.kill().map_err(StopError::Process)?;
    if within(ANSWER)? { Ok(HowStopped::Killed) } else { Err(StopError::Hangs { pid }) }
}

/// Whether QEMU waits before the guest's first instruction.
pub(super) fn never_ran(paths: &GuestPaths) -> bool {
    status(paths).is_some_and(|status| status == "prelaunch")
}

/// How QEMU says that it is.
fn status(paths: &GuestPaths) -> Option<String> {
    Qmp::connect(&paths.qmp(), ANSWER).ok()?.status(ANSWER).ok()
}

/// Says one word to QEMU; whether it was taken. `quit` may end QEMU before its answer is out.
fn say(paths: &GuestPaths, command: &str) -> bool {
    match Qmp::connect(&paths.qmp(), ANSWER) {
        Ok(mut qmp) => qmp.execute(command, None, ANSWER).is_ok() || command == "quit",
        Err(_) => false,
    }
}
