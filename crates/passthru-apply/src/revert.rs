//! Taking back what was done: the one way for a rollback and for an undo.
//!
//! The running kernel first, for nothing of a file matters to it; then files, last step first; then what programs built. So the
//! inputs of a program are as before when its outputs are put back or, where they were rebuilt since, built again.

use std::io;

use crate::by_hand::{self, Prefix};
use crate::conduct::Conductor;
use crate::error::{Conflict, Error, StepFailure};
use crate::journal::{self, copy_name};
use crate::judge::{self, Deed, Judged};
use crate::progress::Event;
use crate::record::{Image, Outcome, Phase, Record};
use crate::standing::{self, Standing};
use crate::target::Follow;
use crate::undo::OnConflict;
use crate::{draft, install};

/// Why something is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A step has just failed.
    RollBack,
    /// A step had failed; the rollback was interrupted.
    RollBackLater,
    /// The user wants it.
    Undo(OnConflict),
}

/// How a path was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is as it was before, byte for byte.
    PutBack,
    /// It was as before already.
    AlreadyBefore,
    /// Our change was taken out, and what was edited since was kept.
    Merged,
    /// It was edited since, and was left as it is.
    LeftAsEdited,
    /// It was edited since, and was put back nevertheless; the journal keeps the edited one in `displaced/`.
    EditsDisplaced,
    /// It is gone, as when a kernel was removed, and stays so.
    Gone,
    /// It was rebuilt by somebody since; its program has built it again, now without our change.
    BuiltAgain,
}

/// A path that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverted {
    /// The step, from 0.
    pub step: usize,
    /// The path.
    pub path: String,
    /// How.
    pub how: How,
}

/// Something that is being taken back.
pub(crate) struct Revert<'c, 'a> {
    pub(crate) conductor: &'c mut Conductor<'a>,
    pub(crate) manner: Manner,
    pub(crate) failures: Vec<String>,
    pub(crate) commands: Vec<String>,
    reverted: Vec<Reverted>,
}

impl<'c, 'a> Revert<'c, 'a> {
    pub(crate) fn new(conductor: &'c mut Conductor<'a>, manner: Manner) -> Self {
        let (failures, commands, reverted) = Default::default();
        Self { conductor, manner, failures, commands, reverted }
    }

    /// Rolls everything back because of a failure, and says how that ended.
    pub(crate) fn finish_rollback(mut self, cause: StepFailure) -> Error {
        self.note(&Record::RollbackStarted);
        self.everything();
        let outcome = if self.failures.is_empty() { Outcome::RolledBack } else { Outcome::PartlyRolledBack };
        self.note(&Record::Finished { outcome, stamp: journal::stamp() });
        let journal = self.conductor.journal.id.clone();
        if self.failures.is_empty() {
            Error::RolledBack { cause: Box::new(cause), journal }
        } else {
            self.partly(Some(cause))
        }
    }

    /// Goes on with a rollback.
    pub(crate) fn resume_rollback(mut self) -> Result<(), Error> {
        self.everything();
        let outcome = if self.failures.is_empty() { Outcome::RolledBack } else { Outcome::PartlyRolledBack };
        self.note(&Record::Finished { outcome, stamp: journal::stamp() });
        if self.failures.is_empty() {
            return Ok(());
        }
        let cause =
            self.conductor.journal.course.failed.clone().map(|(_, cause)| StepFailure::Recorded(cause));
        Err(self.partly(cause))
    }

    /// Undoes everything, or changes nothing where that would lose what was edited since.
    pub(crate) fn undo(mut self) -> Result<Vec<Reverted>, Error> {
        let Manner::Undo(on_conflict) = self.manner else { return Ok(Vec::new()) };
        if on_conflict == OnConflict::Refuse {
            let deeds: Result<Vec<Deed>, Error> = self.judge().into_iter().map(|file| file.deed).collect();
            let conflicts: Vec<Conflict> = deeds?.into_iter().filter_map(Deed::conflict).collect();
            if !conflicts.is_empty() {
                return Err(Error::Conflicts(conflicts));
            }
        }
        if self.conductor.journal.course.phase != Phase::Undoing {
            let started = Record::UndoStarted { stamp: journal::stamp() };
            self.conductor.append(&started).map_err(|error| Error::at(journal::JOURNALS, error))?;
        }
        self.everything();
        if self.failures.is_empty() {
            self.note(&Record::Undone { stamp: journal::stamp() });
        }
        if self.failures.is_empty() { Ok(self.reverted) } else { Err(self.partly(None)) }
    }

    /// Adds a record. A full disk must not keep us from taking back what we did: what is on disk is then found again by
    /// looking at the files.
    pub(crate) fn note(&mut self, record: &Record) {
        if let Err(error) = self.conductor.append(record) {
            self.failures.push(format!("the journal could not be written: {error}"));
            self.commands.push(format!("passthru undo{}", self.conductor.target.option()));
        }
    }

    fn partly(self, cause: Option<StepFailure>) -> Error {
        let journal = self.conductor.journal.id.clone();
        Error::Partly {
            cause: cause.map(Box::new),
            failures: self.failures,
            commands: self.commands,
            journal,
        }
    }

    fn judge(&self) -> Vec<Judged> {
        judge::files(self.conductor.target, &self.conductor.journal)
    }

    fn everything(&mut self) {
        self.running_kernel();
        for file in self.judge() {
            self.file(file);
        }
        // Only now, for a later step may have put a directory into one that an earlier step made; and all of them, for a
        // kill may have come between a file and its directories.
        let steps = self.conductor.journal.course.steps.iter();
        let directories: Vec<String> = steps
            .filter_map(|step| step.intent.as_ref())
            .flat_map(|(_, made)| made.iter().cloned())
            .collect();
        if let Err(error) = install::remove_directories(self.conductor.target, &directories) {
            self.failures.push(format!("a directory that was made: {error}"));
        }
        self.built_files();
    }

    /// Takes back all steps on one file.
    fn file(&mut self, judged: Judged) {
        let Judged { steps, image, directories, deed } = judged;
        let Some(&last) = steps.first() else { return };
        let carried_out =
            deed.map_err(|error| error.to_string()).and_then(|deed| self.carry_out(last, &image, deed));
        match carried_out {
            Ok(how) => {
                self.say(last, &image.path, how);
                for index in steps {
                    self.done(index, how);
                }
            }
            Err(why) => {
                self.failures.push(why);
                self.by_hand(&image);
                let prefix = Prefix::now(self.conductor.target.path());
                let remove = directories.iter().rev().map(|path| by_hand::remove_directory(&prefix, path));
                self.commands.extend(remove);
            }
        }
    }

    fn carry_out(&mut self, index: usize, image: &Image, deed: Deed) -> Result<How, String> {
        let said = |error: io::Error| format!("{}: {error}", image.path);
        let target = self.conductor.target;
        match (deed, self.manner) {
            (Deed::Nothing(how), _) => Ok(how),
            (Deed::PutBack, _) => {
                self.put_back(image).map_err(said)?;
                Ok(How::PutBack)
            }
            (Deed::Write { content, mode, owner }, _) => {
                let goal = standing_of(&content, mode, owner);
                self.note(&Record::RevertIntent { index, goal });
                self.displace(index, image).map_err(said)?;
                let place = target.place(&image.real, Follow::Nothing).map_err(said)?;
                let temporary = self.conductor.journal.temporary();
                install::file(&place, &temporary, &content, mode, owner).map_err(said)?;
                Ok(How::Merged)
            }
            (Deed::Conflict(_), Manner::Undo(OnConflict::PutBack)) => {
                self.displace(index, image).map_err(said)?;
                self.put_back(image).map_err(said)?;
                Ok(How::EditsDisplaced)
            }
            (Deed::Conflict(_), Manner::Undo(OnConflict::KeepEdited)) => Ok(How::LeftAsEdited),
            (Deed::Conflict(conflict), _) => Err(format!("{}: {}", conflict.path, conflict.why)),
        }
    }

    pub(crate) fn put_back(&self, image: &Image) -> io::Result<()> {
        let target = self.conductor.target;
        let place = match target.place(&image.real, Follow::Nothing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && image.before == Standing::Absent => {
                return Ok(());
            }
            other => other?,
        };
        let temporary = self.conductor.journal.temporary();
        match &image.before {
            Standing::Absent => install::remove(&place),
            Standing::Link { target } => install::link(&place, &temporary, target),
            Standing::File { .. } => {
                let mut copy = self.conductor.journal.kept(target, image)?;
                install::copy(&place, &temporary, &mut copy)
            }
            Standing::Other { what } => Err(io::Error::other(format!("it was {what}"))),
        }
    }

    /// Keeps a copy of what the user made of a file.
    fn displace(&self, index: usize, image: &Image) -> io::Result<()> {
        let target = self.conductor.target;
        let place = target.place(&image.real, Follow::Nothing)?;
        if !matches!(Standing::in_place(&place)?, Standing::File { .. }) {
            return Ok(());
        }
        let directory = format!("{}/displaced", self.conductor.journal.directory());
        draft::make_private(target, &directory)?;
        let name = copy_name(index, &image.path);
        let copy = target.place(&format!("{directory}/{name}"), Follow::Nothing)?;
        install::copy(&copy, ".part", &mut standing::open(&place)?)
    }

    pub(crate) fn by_hand(&mut self, image: &Image) {
        let prefix = Prefix::now(self.conductor.target.path());
        let journal = self.conductor.journal.directory();
        self.commands.extend(by_hand::put_back(&prefix, &journal, image));
    }

    pub(crate) fn say(&mut self, step: usize, path: &str, how: How) {
        self.reverted.push(Reverted { step, path: path.to_owned(), how });
    }

    pub(crate) fn done(&mut self, index: usize, how: How) {
        self.note(&Record::StepReverted { index, how: format!("{how:?}") });
        let step = self.conductor.journal.plan.steps[index].clone();
        self.conductor.progress.event(Event::StepReverted { index, step: &step });
    }
}

fn standing_of(content: &[u8], mode: u32, owner: (u32, u32)) -> Standing {
    Standing::File {
        digest: passthru_model::plan::Digest256::of(content),
        size: content.len() as u64,
        mode,
        uid: owner.0,
        gid: owner.1,
    }
}
