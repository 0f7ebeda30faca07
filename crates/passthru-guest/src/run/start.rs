//! Starting a guest.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::order::{Order, Report, Tuning};
use super::put_back::supervisor_of;
use super::state::{GuestState, StateError, state};
use super::swtpm::{self, SwtpmError};
use super::vars::{VarsError, copy_once};
use super::{GuestPaths, Launcher, MemlockError, held_by_libvirt, memlock, supervisor};
use crate::guest::Guest;
use crate::render;

/// Why a guest did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It runs.
    #[error("the guest runs already (process {pid})")]
    Running {
        /// Its process.
        pid: i32,
    },
    /// Another passthru is at it.
    #[error("another passthru starts or stops this guest right now")]
    Busy,
    /// libvirt has it.
    #[error("libvirt starts or runs this guest right now")]
    Libvirt,
    /// A hook was called, and not by libvirt's daemon.
    #[error("this is for libvirt's daemon to call, and what called it has ended")]
    NoDaemon,
    /// A path that the kernel does not take for a socket.
    #[error("{}: the path is too long for a socket; give the guest a shorter name", .0.display())]
    SocketPath(PathBuf),
    /// A directory or file of ours.
    #[error("{} cannot be used", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The variable store.
    #[error(transparent)]
    Vars(#[from] VarsError),
    /// The limit of locked memory.
    #[error(transparent)]
    Memlock(#[from] MemlockError),
    /// The TPM.
    #[error(transparent)]
    Tpm(#[from] SwtpmError),
    /// The supervisor could not be started, or ended without a word.
    #[error("the supervisor of the guest {what}; its log is {}", log.display())]
    Supervisor {
        /// What it did.
        what: &'static str,
        /// Its log.
        log: PathBuf,
    },
    /// It does not run; what was changed for it is as before, or the message says what is not.
    #[error("{message}")]
    Failed {
        /// Why.
        message: String,
        /// The exit code that goes with it, as the room that changes hosts has them.
        exit: u8,
    },
}

/// A guest that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// QEMU's process.
    pub pid: i32,
    /// What QEMU says of it: `running`.
    pub status: String,
    /// Whether it got a fresh variable store.
    pub fresh_vars: bool,
}

/// Starts a guest and waits until QEMU says that it runs, at most this long. Pinning the memory of a large guest takes
/// its time. What goes on meanwhile is told to `progress`.
///
/// The work is done by a supervisor in a session of its own, which stays until the guest has ended and then puts back what was
/// changed for it. If this process is ended meanwhile, the guest starts all the same.
pub fn start(
    guest: &Guest,
    paths: &GuestPaths,
    launcher: &Launcher,
    tuning: &Tuning,
    patience: Duration,
    progress: &mut dyn FnMut(&str),
) -> Result<Started, StartError> {
    if let Some(path) = paths.socket_too_long() {
        return Err(StartError::SocketPath(path));
    }
    for directory in [paths.state(), paths.data()] {
        private_directory(directory).map_err(|error| StartError::Io(directory.to_owned(), error))?;
    }
    let lock = lock(paths)?;
    if let GuestState::Running { pid } = state(paths)? {
        return Err(StartError::Running { pid });
    }
    if held_by_libvirt(paths)?.is_some() {
        return Err(StartError::Libvirt);
    }
    if supervisor_of(paths)?.is_some() {
        return Err(StartError::Busy);
    }
    let fresh_vars = match guest.uefi() {
        Some(uefi) => copy_once(&uefi.template, &paths.vars(&uefi.format), &uefi.format)?,
        None => false,
    };
    if guest.tpm() {
        swtpm::start(paths)?;
    }
    let passes = guest.host_functions().next().is_some();
    let memlock = if passes { memlock::limit_for(memlock::needed(guest.memory()))? } else { None };
    let mut machine = guest.machine(paths);
    machine.paused = true;
    let mut arguments = vec![render::arguments(&machine)];
    machine.sandbox = false;
    arguments.push(render::arguments(&machine));
    let real_user = machine.session().and_then(owner_of);
    let mut environment: BTreeMap<String, PathBuf> =
        machine.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if real_user.is_some() {
        // Sound libraries write into the home of the real user, and what root's rights write there is root's. This one is
        // not theirs, so they leave it alone.
        environment.insert("HOME".to_owned(), paths.state().to_owned());
    }
    let Launcher { qemu, helper } = launcher.clone();
    let (paths_of, tuning) = (paths.clone(), tuning.clone());
    let order =
        Order { paths: paths_of, qemu, helper, arguments, environment, memlock, real_user, patience, tuning };
    let file = paths.order();
    let ordered = order.write(&file).map_err(|error| StartError::Io(file.clone(), error));
    // A TPM that QEMU did not come to would wait for ever.
    let (pid, status) =
        ordered.and_then(|()| supervise(paths, launcher, lock, progress)).inspect_err(|_| {
            if guest.tpm() {
                swtpm::stop(paths);
            }
        })?;
    Ok(Started { pid, status, fresh_vars })
}

/// Who owns the directory of a session, where that is another than us and we are root.
fn owner_of(session: &Path) -> Option<u32> {
    let owner = std::fs::metadata(session).ok()?.uid();
    (rustix::process::geteuid().is_root() && owner != 0).then_some(owner)
}

/// Starts the supervisor, which takes the guest's lock over, and waits for what it says.
fn supervise(
    paths: &GuestPaths,
    launcher: &Launcher,
    lock: File,
    progress: &mut dyn FnMut(&str),
) -> Result<(i32, String), StartError> {
    let log = paths.supervisor_log();
    let err = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&log)
        .map_err(|error| StartError::Io(log.clone(), error))?;
    let mut child = supervisor::command(&launcher.helper, &paths.order())
        .stdin(lock)
        .stdout(Stdio::piped())
        .stderr(err)
        .spawn()
        .map_err(|error| StartError::Io(launcher.helper.clone(), error))?;
    let silent = || StartError::Supervisor { what: "ended without a word", log: log.clone() };
    let pipe = child.stdout.take().ok_or_else(silent)?;
    // Whether or not it goes on, nobody waits for it here: it is init's child when we end.
    for line in BufReader::new(pipe).lines() {
        let line = line.map_err(|_| silent())?;
        match serde_json::from_str(&line) {
            Ok(Report::Progress { line }) => progress(&line),
            Ok(Report::Started { pid, status }) => return Ok((pid, status)),
            Ok(Report::Failed { message, exit }) => {
                let _ = child.wait();
                return Err(StartError::Failed { message, exit });
            }
            Err(_) => return Err(StartError::Supervisor { what: "said what is no report", log }),
        }
    }
    let _ = child.wait();
    Err(silent())
}

/// Makes a directory that only its owner enters; one that is there is left as it is.
fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Takes the guest's lock without waiting for it.
pub(super) fn lock(paths: &GuestPaths) -> Result<File, StartError> {
    let path = paths.lock();
    let at = |error: io::Error| StartError::Io(path.clone(), error);
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(at)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StartError::Busy),
        Err(error) => Err(at(error.into())),
    }
}
