//! Starting a guest.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::child::{self, Life};
use super::state::{GuestState, StateError, state};
use super::swtpm::{self, SwtpmError};
use super::vars::{VarsError, copy_once};
use super::{GuestPaths, Launcher, MemlockError, explain, memlock};
use crate::guest::Guest;
use crate::machine::Machine;
use crate::qmp::{Qmp, QmpError};
use crate::render;

/// How often a starting QEMU is looked at.
const GLANCE: Duration = Duration::from_millis(10);

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
    /// QEMU ended at once.
    #[error("QEMU did not start: {}{words}; its log is {}", cause.map(|cause| format!("{cause} — ")).unwrap_or_default(), log.display())]
    Died {
        /// What it said.
        words: String,
        /// The cause, where known.
        cause: Option<&'static str>,
        /// The whole log.
        log: PathBuf,
    },
    /// QEMU runs and cannot be talked to; it was ended.
    #[error("QEMU was started and did not become ready, so it was ended again; its log is {}", log.display())]
    NotReady {
        /// The whole log.
        log: PathBuf,
        /// What was waited for.
        #[source]
        error: QmpError,
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
/// its time.
pub fn start(
    guest: &Guest,
    paths: &GuestPaths,
    launcher: &Launcher,
    patience: Duration,
) -> Result<Started, StartError> {
    if let Some(path) = paths.socket_too_long() {
        return Err(StartError::SocketPath(path));
    }
    for directory in [paths.state(), paths.data()] {
        private_directory(directory).map_err(|error| StartError::Io(directory.to_owned(), error))?;
    }
    let _lock = lock(paths)?;
    if let GuestState::Running { pid } = state(paths)? {
        return Err(StartError::Running { pid });
    }
    let fresh_vars = match guest.uefi() {
        Some(uefi) => copy_once(&uefi.template, &paths.vars(&uefi.format), &uefi.format)?,
        None => false,
    };
    if guest.tpm() {
        swtpm::start(paths)?;
    }
    let passes = guest.host_functions().next().is_some();
    let limit = if passes { memlock::limit_for(memlock::needed(guest.memory()))? } else { None };
    let mut machine = guest.machine(paths);
    let started = match launch(&machine, paths, launcher, limit, patience) {
        // A QEMU that was built without seccomp refuses the option; then it runs without.
        Err(StartError::Died { words, .. }) if words.contains("sandbox") => {
            machine.sandbox = false;
            launch(&machine, paths, launcher, limit, patience)
        }
        other => other,
    };
    // A TPM that QEMU did not come to would wait for ever.
    let (pid, status) = started.inspect_err(|_| {
        if guest.tpm() {
            swtpm::stop(paths);
        }
    })?;
    Ok(Started { pid, status, fresh_vars })
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

/// Starts QEMU once.
fn launch(
    machine: &Machine,
    paths: &GuestPaths,
    launcher: &Launcher,
    limit: Option<u64>,
    patience: Duration,
) -> Result<(i32, String), StartError> {
    clear(paths)?;
    let log = paths.log();
    let at_log = |error| StartError::Io(log.clone(), error);
    let out = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&log).map_err(at_log)?;
    let err = out.try_clone().map_err(at_log)?;
    let mut command = child::command(launcher, Life::Own, &paths.record(), limit);
    command
        .envs(machine.environment())
        .args(render::arguments(machine))
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .current_dir("/");
    let mut child = command.spawn().map_err(|error| StartError::Io(launcher.helper.clone(), error))?;
    match ready(&mut child, paths, Instant::now() + patience, patience) {
        Ok(Some(status)) => Ok((i32::try_from(child.id()).unwrap_or(i32::MAX), status)),
        Ok(None) => {
            let _ = std::fs::remove_file(paths.record());
            let text = std::fs::read(&log)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default();
            let (words, cause) = explain(&text);
            let words = if words.is_empty() { "it ended without a word".to_owned() } else { words };
            Err(StartError::Died { words, cause, log })
        }
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            let _ = std::fs::remove_file(paths.record());
            Err(StartError::NotReady { log, error })
        }
    }
}

/// Takes away what an earlier run left, but for its log, of which one is kept.
fn clear(paths: &GuestPaths) -> Result<(), StartError> {
    let log = paths.log();
    let _ = std::fs::rename(&log, log.with_extension("log.old"));
    for path in [paths.record(), paths.qmp(), paths.serial(), paths.vnc(), paths.spice()] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StartError::Io(path, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Waits until QEMU says how it is; `None`: it ended.
fn ready(
    child: &mut Child,
    paths: &GuestPaths,
    deadline: Instant,
    patience: Duration,
) -> Result<Option<String>, QmpError> {
    loop {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return Ok(None);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(QmpError::Timeout { waiting_for: "after its start".to_owned(), limit: patience });
        }
        match Qmp::connect(&paths.qmp(), left).and_then(|mut qmp| qmp.status(left)) {
            Ok(status) => return Ok(Some(status)),
            // The socket is not there yet, or QEMU ended while it was being talked to.
            Err(QmpError::Connect(_) | QmpError::Closed) => std::thread::sleep(GLANCE),
            Err(error) => return Err(error),
        }
    }
}
