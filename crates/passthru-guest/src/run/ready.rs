//! Before QEMU's start and after it: nothing of an earlier run is in its way, and it is waited for until it can be talked to.

use std::io;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use super::GuestPaths;
use crate::qmp::{Qmp, QmpError};

/// How often a starting QEMU is looked at.
const GLANCE: Duration = Duration::from_millis(2);

/// Takes away what an earlier run left, but for its log, of which one is kept.
pub(super) fn clear(paths: &GuestPaths) -> Result<(), (PathBuf, io::Error)> {
    let log = paths.log();
    let _ = std::fs::rename(&log, log.with_extension("log.old"));
    for path in [paths.record(), paths.libvirt(), paths.qmp(), paths.serial(), paths.vnc(), paths.spice()] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err((path, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Waits until QEMU can be talked to; `None`: it ended.
pub(super) fn ready(
    child: &mut Child,
    paths: &GuestPaths,
    deadline: Instant,
    patience: Duration,
) -> Result<Option<Qmp>, QmpError> {
    loop {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return Ok(None);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(QmpError::Timeout { waiting_for: "after its start".to_owned(), limit: patience });
        }
        match Qmp::connect(&paths.qmp(), left) {
            Ok(qmp) => return Ok(Some(qmp)),
            // The socket is not there yet, or QEMU ended while it was being talked to.
            Err(QmpError::Connect(_) | QmpError::Closed) => std::thread::sleep(GLANCE),
            Err(error) => return Err(error),
        }
    }
}
