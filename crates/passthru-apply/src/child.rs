//! Work that a device can hang: done by a child with a time limit, which is this program once more.
//!
//! A process that waits for a device in the kernel cannot be ended by a signal. So whoever must not wait for ever lets a
//! child wait. One that hangs is left alone, for the kernel goes on with what it was asked for whoever waits.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// What an answer begins with: what was asked for follows, or a message.
const DONE: u8 = b'R';
const FAILED: u8 = b'E';

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ChildError {
    /// The child could not be started.
    NotStarted(io::Error),
    /// It did not answer in time, and is left alone.
    TimedOut,
    /// It ended without an answer.
    NoAnswer,
    /// It says that it could not be done.
    Refused(String),
}

/// The program to start: this one.
pub(crate) fn this_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

/// Starts `helper` under a name that its `main` knows, and waits for its answer.
pub(crate) fn ask(
    helper: &Path,
    name: &str,
    arguments: &[&OsStr],
    limit: Duration,
) -> Result<Vec<u8>, ChildError> {
    let mut child = Command::new(helper)
        .arg0(name)
        .args(arguments)
        .env_clear()
        // A terminal's Ctrl-C must not take the child away in the middle of its work.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(ChildError::NotStarted)?;
    let mut pipe = child.stdout.take().ok_or(ChildError::NoAnswer)?;
    let (sender, receiver) = mpsc::channel();
    // The child is waited for here, so that a hung one keeps this thread and nobody else.
    std::thread::spawn(move || {
        let mut answer = Vec::new();
        let read = pipe.read_to_end(&mut answer).map(|_| answer);
        let _ = sender.send(read);
        let _ = child.wait();
    });
    let answer = match receiver.recv_timeout(limit) {
        Ok(answer) => answer.map_err(|_| ChildError::NoAnswer)?,
        Err(RecvTimeoutError::Timeout) => return Err(ChildError::TimedOut),
        Err(RecvTimeoutError::Disconnected) => return Err(ChildError::NoAnswer),
    };
    match answer.split_first() {
        Some((&DONE, bytes)) => Ok(bytes.to_vec()),
        Some((&FAILED, message)) => Err(ChildError::Refused(String::from_utf8_lossy(message).into_owned())),
        _ => Err(ChildError::NoAnswer),
    }
}

/// Does the child's work where this process was started under its name, and says how the process ends.
pub(crate) fn enter(
    name: &str,
    work: impl FnOnce(&[OsString]) -> Option<io::Result<Vec<u8>>>,
) -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    if arguments.next()? != name {
        return None;
    }
    let Some(result) = work(&arguments.collect::<Vec<_>>()) else { return Some(ExitCode::FAILURE) };
    let (begin, bytes) = match result {
        Ok(bytes) => (DONE, bytes),
        Err(error) => (FAILED, error.to_string().into_bytes()),
    };
    let mut out = io::stdout().lock();
    let said = out.write_all(&[begin]).and_then(|()| out.write_all(&bytes)).and_then(|()| out.flush());
    Some(if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
