//! How a guest is.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::libvirt::{Held, held_by_libvirt};
use super::process::{Process, Record};
use super::{GuestPaths, explain};
use crate::name::GuestName;

/// How a guest is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum GuestState {
    /// Its QEMU runs.
    Running {
        /// QEMU's process.
        pid: i32,
    },
    /// It was never started, or was stopped.
    Stopped,
    /// Its QEMU is gone without `stop`: it was shut down from within, or it died.
    Dead {
        /// QEMU's last words, where it left any.
        #[serde(skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
}

/// Why that could not be told.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read", path.display())]
pub struct StateError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

impl StateError {
    pub(super) fn new(path: PathBuf, error: io::Error) -> Self {
        Self { path, error }
    }
}

/// The guest's process, if it runs, and whether there is a record of one.
pub(super) fn find(paths: &GuestPaths) -> Result<(Option<(i32, Process)>, bool), StateError> {
    let path = paths.record();
    let at = |error| StateError { path: path.clone(), error };
    let Some(record) = Record::read(&path).map_err(at)? else { return Ok((None, false)) };
    let process = record.process().map_err(at)?;
    Ok((process.map(|process| (record.pid, process)), true))
}

/// How one guest is.
pub fn state(paths: &GuestPaths) -> Result<GuestState, StateError> {
    if let Some(Held::Running { pid }) = held_by_libvirt(paths)? {
        return Ok(GuestState::Running { pid });
    }
    Ok(match find(paths)? {
        (Some((pid, _)), _) => GuestState::Running { pid },
        (None, false) => GuestState::Stopped,
        (None, true) => {
            let log = std::fs::read(paths.log()).unwrap_or_default();
            let (words, _) = explain(&String::from_utf8_lossy(&log));
            GuestState::Dead { words: Some(words).filter(|words| !words.is_empty()) }
        }
    })
}

/// Every guest that has left something in the state directory, in order of name: also those whose specification is gone.
pub fn list(run_root: &Path, data_root: &Path) -> Result<Vec<(GuestName, GuestState)>, StateError> {
    let at = |error| StateError { path: run_root.to_owned(), error };
    let entries = match std::fs::read_dir(run_root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(error)),
    };
    let mut guests = Vec::new();
    for entry in entries {
        let Some(Ok(name)) = entry.map_err(at)?.file_name().to_str().map(str::parse::<GuestName>) else {
            continue;
        };
        let state = state(&GuestPaths::new(run_root, data_root, &name))?;
        guests.push((name, state));
    }
    guests.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(guests)
}
