//! What was changed for guests that have ended, where their supervisor did not live to put it back.

use std::path::Path;
use std::time::{Duration, Instant};

use passthru_apply::{Error, JournalState, OnConflict, Progress, Runner, Silent, Target, Undone, Which};

use super::process::Record;
use super::state::StateError;
use super::{GuestPaths, GuestState, held_by_libvirt, state};
use crate::name::GuestName;

/// How often it is looked whether another change of the host has ended.
const RETRY: Duration = Duration::from_millis(500);

/// Whether something of a journal's changes may still stand.
fn stands(state: &JournalState) -> bool {
    matches!(state, JournalState::Applied | JournalState::Unfinished)
}

/// The journals of what stands of changes for a guest, oldest first.
fn journals(target: &Target, guest: &GuestName) -> Result<Vec<String>, Error> {
    let all = passthru_apply::history(target)?.into_iter();
    Ok(all
        .filter(|journal| journal.guest.as_ref() == Some(guest) && stands(&journal.state))
        .map(|journal| journal.id)
        .collect())
}

/// Puts back what was changed for a guest, which must have ended, the newest first. What somebody else has changed meanwhile is left.
pub fn put_back(
    target: &Target,
    guest: &GuestName,
    runner: &mut dyn Runner,
    progress: &mut dyn Progress,
) -> Result<Vec<Undone>, Error> {
    let mut undone = Vec::new();
    for journal in journals(target, guest)?.into_iter().rev() {
        let which = Which::Journal(journal);
        undone.push(passthru_apply::undo(target, &which, OnConflict::KeepEdited, runner, progress)?);
    }
    Ok(undone)
}

/// The same; while somebody else changes the host, that is waited for, this long at most.
pub(super) fn put_back_when_free(
    target: &Target,
    guest: &GuestName,
    runner: &mut dyn Runner,
    patience: Duration,
) -> Result<Vec<Undone>, Error> {
    let deadline = Instant::now() + patience;
    loop {
        match put_back(target, guest, runner, &mut Silent) {
            Err(Error::Locked { .. } | Error::Interrupted(_)) if Instant::now() < deadline => {
                std::thread::sleep(RETRY);
            }
            end => return end,
        }
    }
}

/// The guests that have ended, and for which something of the host is changed that nobody is about to put back. Writes nothing.
///
/// Where this user may not read journals, there are none for this user.
pub fn left_behind(target: &Target, run_root: &Path, data_root: &Path) -> Result<Vec<GuestName>, Error> {
    let mut guests = Vec::new();
    for journal in passthru_apply::history(target)? {
        let Some(guest) = journal.guest else { continue };
        let paths = GuestPaths::new(run_root, data_root, &guest);
        if stands(&journal.state) && !guests.contains(&guest) && !in_use(&paths).unwrap_or(true) {
            guests.push(guest);
        }
    }
    Ok(guests)
}

/// Whether a guest runs, or is about to be started or cleared up after, by us or by libvirt.
pub fn in_use(paths: &GuestPaths) -> Result<bool, StateError> {
    if matches!(state(paths)?, GuestState::Running { .. }) {
        return Ok(true);
    }
    Ok(held_by_libvirt(paths)?.is_some() || supervisor_of(paths)?.is_some())
}

/// The process that supervises a guest, if there is one.
pub(super) fn supervisor_of(paths: &GuestPaths) -> Result<Option<super::process::Process>, StateError> {
    let path = paths.supervisor();
    let at = |error| StateError::new(path.clone(), error);
    match Record::read(&path).map_err(at)? {
        Some(record) => record.process().map_err(at),
        None => Ok(None),
    }
}
