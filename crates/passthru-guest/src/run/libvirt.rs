//! Guests that libvirt runs: what its daemon tells us of them when it calls us as its hook, and what is kept of that.
//!
//! libvirt calls before it prepares a guest, and after the guest's end or a start that failed (<https://libvirt.org/hooks.html>). So
//! the host is changed and put back by the same plan and journal as for a guest of ours, and there is no supervisor: that is libvirt's
//! daemon. Should the daemon be killed with the guest, the journal stands, and the next command finds it.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use passthru_apply::{Runner, Target, Undone};
use passthru_model::causes::chain;
use serde::{Deserialize, Serialize};

use super::awake;
use super::order::Tuning;
use super::process::{Process, Record, write_whole};
use super::put_back::{put_back_when_free, supervisor_of};
use super::start::lock;
use super::state::{GuestState, StateError, state};
use super::{GuestPaths, StartError, in_use};
use crate::name::GuestName;

/// What becomes of a guest, of what libvirt tells its hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It is about to be started; nothing is done for it yet. The start can still be refused.
    Prepare,
    /// QEMU runs.
    Started,
    /// The daemon was started anew and has found it running.
    Reconnected,
    /// All that libvirt did for it is undone, also where its start failed.
    Released,
    /// Something that is no concern of ours.
    Other,
}

impl Moment {
    /// Reads the second and third argument of a hook.
    pub fn of(operation: &str, part: &str) -> Self {
        match (operation, part) {
            ("prepare", "begin") => Self::Prepare,
            ("started", "begin") => Self::Started,
            ("reconnect", "begin") => Self::Reconnected,
            ("release", "end") => Self::Released,
            _ => Self::Other,
        }
    }
}

/// That libvirt has a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    /// The daemon that called.
    daemon: Record,
    /// Its QEMU, once that runs.
    qemu: Option<Record>,
}

impl Holder {
    /// What is kept of a guest; `None`: libvirt has never had it, or has released it.
    fn read(paths: &GuestPaths) -> Result<Option<Self>, StateError> {
        let path = paths.libvirt();
        let at = |error| StateError::new(path.clone(), error);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| at(error.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(error)),
        }
    }
}

/// How far libvirt is with a guest that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It starts it. The daemon stands for the guest, and calls again if that fails.
    Starting,
    /// Its QEMU runs.
    Running {
        /// QEMU's process.
        pid: i32,
    },
}

/// How far libvirt is with a guest; `None`: it does not have it. A QEMU that has ended is nobody's.
pub fn held_by_libvirt(paths: &GuestPaths) -> Result<Option<Held>, StateError> {
    let Some(holder) = Holder::read(paths)? else { return Ok(None) };
    let path = paths.libvirt();
    let lives = |record: &Record| {
        let process = record.process().map_err(|error| StateError::new(path.clone(), error))?;
        Ok::<bool, StateError>(process.is_some())
    };
    match &holder.qemu {
        Some(qemu) => Ok(lives(qemu)?.then_some(Held::Running { pid: qemu.pid })),
        None => Ok(lives(&holder.daemon)?.then_some(Held::Starting)),
    }
}

/// Changes the host for a guest that the daemon, a process, is about to start: all of it, or nothing.
pub fn prepare(
    paths: &GuestPaths,
    daemon: i32,
    tuning: &Tuning,
    runner: &mut dyn Runner,
    progress: &mut dyn FnMut(&str),
) -> Result<(), StartError> {
    let at = |path: PathBuf| move |error| StartError::Io(path, error);
    let directory = paths.state().to_owned();
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(at(directory))?;
    let _lock = lock(paths)?;
    if let GuestState::Running { pid } = state(paths)? {
        return Err(StartError::Running { pid });
    }
    if supervisor_of(paths)?.is_some() {
        return Err(StartError::Busy);
    }
    let path = paths.libvirt();
    let daemon = Record::of(daemon).ok_or(StartError::NoDaemon)?;
    write_whole(&path, &Holder { daemon, qemu: None }).map_err(at(path.clone()))?;
    super::supervisor::tune(tuning, runner, progress).map_err(|error| {
        let _ = std::fs::remove_file(&path);
        StartError::Failed { message: chain(&error), exit: error.exit_code() }
    })
}

/// Writes down which process a guest's QEMU is, from the file in which libvirt's daemon keeps its id, and says which; `None`: it has ended,
/// or is none of ours.
pub fn started(paths: &GuestPaths, daemon: i32, pid_file: &Path) -> Result<Option<i32>, StateError> {
    let at = |path: &Path, error| StateError::new(path.to_owned(), error);
    let text = std::fs::read_to_string(pid_file).map_err(|error| at(pid_file, error))?;
    let qemu = text.trim().parse().ok().and_then(Record::of);
    let daemon = Record::of(daemon);
    // The directory is made when a guest is prepared; one that was running before the hook came is none of ours.
    let (Some(daemon), true) = (daemon, paths.state().exists()) else { return Ok(None) };
    let path = paths.libvirt();
    let holder = Holder { daemon, qemu };
    write_whole(&path, &holder).map_err(|error| at(&path, error))?;
    Ok(holder.qemu.map(|qemu| qemu.pid))
}

/// Has the host stay awake while a guest's QEMU runs; what goes wrong later is written to the log. Nobody waits for what does it: the
/// hook ends, and the daemon would wait as long as anybody has the hook's own output open.
pub fn keep_awake(guest: &GuestName, qemu: i32, log: File) -> Result<(), String> {
    awake::until_ended(guest, qemu, Stdio::from(log)).map(drop)
}

/// Puts back what was changed for a guest that libvirt has released. While somebody else changes the host, that is waited for. There
/// may be nothing to put back; what was changed for a guest that passthru itself runs is left.
pub fn released(
    target: &Target,
    paths: &GuestPaths,
    guest: &GuestName,
    runner: &mut dyn Runner,
    patience: Duration,
) -> Result<Vec<Undone>, passthru_apply::Error> {
    // A QEMU that hangs in the kernel has its devices still, whatever libvirt says of it.
    if matches!(held_by_libvirt(paths), Ok(Some(Held::Running { .. }))) {
        return Ok(Vec::new());
    }
    let _ = std::fs::remove_file(paths.libvirt());
    if in_use(paths).unwrap_or(true) {
        return Ok(Vec::new());
    }
    put_back_when_free(target, guest, runner, patience)
}

/// The file in which the system's daemon of libvirt keeps the id of a guest's QEMU.
pub fn pid_file(guest: &GuestName) -> PathBuf {
    PathBuf::from(format!("/run/libvirt/qemu/{guest}.pid"))
}

/// How a guest is that the system's daemon of libvirt runs, by what that keeps of it.
pub fn state_by_libvirt(guest: &GuestName) -> GuestState {
    // The argument by which libvirt names it; the id alone may be anybody's after a crash.
    let named = format!("guest={guest},debug-threads=on");
    match Process::of_pid_file(&pid_file(guest), &named) {
        Some((pid, _)) => GuestState::Running { pid },
        None => GuestState::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn of_all_that_libvirt_tells_four_moments_matter() {
        let moments = [
            ("prepare", "begin", Moment::Prepare),
            ("start", "begin", Moment::Other),
            ("started", "begin", Moment::Started),
            ("stopped", "end", Moment::Other),
            ("release", "end", Moment::Released),
            ("reconnect", "begin", Moment::Reconnected),
            ("migrate", "begin", Moment::Other),
            ("restore", "begin", Moment::Other),
            ("release", "begin", Moment::Other),
            ("", "", Moment::Other),
        ];
        for (operation, part, moment) in moments {
            assert_eq!(Moment::of(operation, part), moment, "{operation} {part}");
        }
    }
}
