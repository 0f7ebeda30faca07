//! Undoing a plan that was carried out, or taking back one that was interrupted.

use passthru_model::plan::Plan;

use crate::conduct::Conductor;
use crate::error::Error;
use crate::interrupted::{interrupted, underway};
use crate::journal::{self, JOURNALS, Journal};
use crate::lock::Lock;
use crate::progress::Progress;
use crate::record::Phase;
use crate::revert::{Manner, Revert, Reverted};
use crate::runner::Runner;
use crate::target::Target;

/// Which change is undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The one that was interrupted, if there is one; else the newest that stands.
    #[default]
    Newest,
    /// The one whose journal has this name.
    Journal(String),
}

/// What is done with a file that was edited since in the very place that undo would change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Nothing at all is changed, and the three versions are named.
    #[default]
    Refuse,
    /// The file is left as it is now; everything else is undone.
    KeepEdited,
    /// The file is put back as it was before; the edited one is kept in the journal.
    PutBack,
}

/// A change that was undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// Its journal, which stays.
    pub journal: String,
    /// Its title.
    pub title: String,
    /// What became of every path, in the order in which they were taken back.
    pub paths: Vec<Reverted>,
    /// Whether what was undone had, or would have had, an effect only at the next boot.
    pub needs_reboot: bool,
}

/// Undoes a change. What the user edited since is kept where a three-way merge is clean; otherwise nothing is changed,
/// unless `on_conflict` says what to do. If it is killed, calling it again completes it.
pub fn undo(
    target: &Target,
    which: &Which,
    on_conflict: OnConflict,
    runner: &mut dyn Runner,
    progress: &mut dyn Progress,
) -> Result<Undone, Error> {
    // Looked at before the lock is taken, so that where there is nothing to undo nothing is written.
    choose(target, which)?;
    let lock = Lock::take(target)?;
    let id = choose(target, which)?;
    let journal = Journal::open(target, &id)?;
    journal.clear_temporaries(target).map_err(|error| Error::at(JOURNALS, error))?;
    let mut conductor = Conductor { target, lock, journal, runner, progress };
    carry_on(&mut conductor, on_conflict)
}

/// The journal that [`undo`] would take, and its plan, for the user to read first. Writes nothing.
pub fn undo_choice(target: &Target, which: &Which) -> Result<(String, Plan), Error> {
    let id = choose(target, which)?;
    let plan = journal::read(target, &id)?.plan;
    Ok((id, plan))
}

/// Undoes the conductor's journal from where it is.
pub(crate) fn carry_on(conductor: &mut Conductor<'_>, on_conflict: OnConflict) -> Result<Undone, Error> {
    let journal = conductor.journal.id.clone();
    let title = conductor.journal.plan.title.clone();
    let needs_reboot = conductor.journal.plan.needs_reboot();
    let paths = Revert::new(conductor, Manner::Undo(on_conflict)).undo()?;
    Ok(Undone { journal, title, paths, needs_reboot })
}

fn choose(target: &Target, which: &Which) -> Result<String, Error> {
    let unfinished = interrupted(target)?;
    match which {
        Which::Newest => {
            if let Some(found) = unfinished {
                return Ok(found.journal);
            }
            for id in journal::list(target)?.into_iter().rev() {
                let saved = journal::read(target, &id)?;
                if saved.course.phase == Phase::Applied
                    && !journal::ended_by_boot(target, &saved.plan, &saved.course)
                {
                    return Ok(id);
                }
            }
            Err(Error::NothingToUndo)
        }
        Which::Journal(id) => {
            if !journal::list(target)?.contains(id) {
                return Err(Error::NoSuchJournal { id: id.clone() });
            }
            let saved = journal::read(target, id)?;
            let course = saved.course;
            match unfinished {
                _ if journal::ended_by_boot(target, &saved.plan, &course)
                    && course.phase != Phase::Undone =>
                {
                    Err(Error::EndedByBoot { id: id.clone() })
                }
                Some(found) if found.journal != *id => Err(Error::Interrupted(Box::new(found))),
                _ if course.phase == Phase::Applied || underway(&course).is_some() => Ok(id.clone()),
                _ => Err(Error::AlreadyUndone { id: id.clone() }),
            }
        }
    }
}
