//! Taking back what was done: the one way for a rollback and for an undo.
//!
//! Files first, last step first; then what programs built. So the inputs of a program are as before when its outputs
//! are put back or, where they were rebuilt since, built again.

use std::collections::HashSet;
use std::io;

use passthru_model::plan::Action;

use crate::by_hand::{self, Prefix};
use crate::conduct::Conductor;
use crate::error::{Conflict, Error, StepFailure};
use crate::journal::{self, copy_name};
use crate::judge::{self, Deed};
use crate::progress::Event;
use crate::record::{Image, Outcome, Phase, Record};
use crate::runner;
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
    conductor: &'c mut Conductor<'a>,
    manner: Manner,
    failures: Vec<String>,
    commands: Vec<String>,
    reverted: Vec<Reverted>,
    /// Paths that a program has built again just now.
    built: HashSet<String>,
}

impl<'c, 'a> Revert<'c, 'a> {
    pub(crate) fn new(conductor: &'c mut Conductor<'a>, manner: Manner) -> Self {
        let (failures, commands, reverted, built) = Default::default();
        Self { conductor, manner, failures, commands, reverted, built }
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
            let conflicts: Vec<Conflict> =
                self.judge()?.into_iter().filter_map(|(_, deed)| deed.conflict()).collect();
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
            let root = match self.conductor.target {
                target if target.is_live() => String::new(),
                target => format!(" --root {}", by_hand::quote(&target.path().to_string_lossy())),
            };
            self.commands.push(format!("passthru undo{root}"));
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

    fn judge(&self) -> Result<Vec<(usize, Deed)>, Error> {
        judge::files(self.conductor.target, &self.conductor.journal)
    }

    fn everything(&mut self) {
        match self.judge() {
            Ok(deeds) => deeds.into_iter().for_each(|(index, deed)| self.file(index, deed)),
            Err(error) => {
                self.failures.push(error.to_string());
                return;
            }
        }
        for index in (0..self.conductor.journal.plan.steps.len()).rev() {
            let step = &self.conductor.journal.course.steps[index];
            if let (Action::Run { .. }, Some((images, _)), false) =
                (&self.conductor.journal.plan.steps[index].action, &step.intent, step.reverted)
            {
                let images = images.clone();
                self.built_files(index, &images);
            }
        }
    }

    /// Takes back one step on a file.
    fn file(&mut self, index: usize, deed: Deed) {
        let Some((images, directories)) = self.conductor.journal.course.steps[index].intent.clone() else {
            return;
        };
        let Some(image) = images.first() else { return };
        match self.carry_out(index, image, deed) {
            Ok(how) => {
                let target = self.conductor.target;
                if let Err(error) = install::remove_directories(target, &directories) {
                    self.failures.push(format!("a directory above {}: {error}", image.path));
                }
                self.reverted.push(Reverted { step: index, path: image.path.clone(), how });
                self.done(index, how);
            }
            Err(why) => {
                self.failures.push(why);
                self.by_hand(image);
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

    /// Takes back what a program built.
    fn built_files(&mut self, index: usize, images: &[Image]) {
        let Action::Run { program, arguments, .. } = self.conductor.journal.plan.steps[index].action.clone()
        else {
            return;
        };
        let target = self.conductor.target;
        let step = self.conductor.journal.course.steps[index].clone();
        let mut ours = Vec::new();
        let mut foreign = false;
        for (place, image) in images.iter().enumerate() {
            if self.built.contains(&image.real) {
                continue;
            }
            let now = match Standing::at(target, &image.real, Follow::Nothing) {
                Ok(now) => now,
                Err(error) => {
                    self.failures.push(format!("{}: {error}", image.path));
                    self.by_hand(image);
                    return;
                }
            };
            let after = step.after.as_ref().and_then(|after| after.get(place));
            if now == image.before {
                self.say(index, image, How::AlreadyBefore);
            } else if after.is_some() && now == Standing::Absent {
                self.say(index, image, How::Gone);
            } else if after == Some(&now) || (after.is_none() && self.nobody_else_built()) {
                ours.push(image);
            } else {
                foreign = true;
            }
        }
        if foreign {
            match self.conductor.run(program, &arguments) {
                Ok(_) => {
                    rustix::fs::sync();
                    for image in images {
                        self.built.insert(image.real.clone());
                        self.say(index, image, How::BuiltAgain);
                    }
                    self.done(index, How::BuiltAgain);
                    return;
                }
                // It never got to its end the first time either; what was there before is the best that there is.
                Err(_) if step.after.is_none() => ours = images.iter().collect(),
                Err(failure) => {
                    self.failures.push(failure.to_string());
                    let prefix = Prefix::now(target.path());
                    self.commands.push(prefix.command(&runner::command_line(program, &arguments)));
                    return;
                }
            }
        }
        let mut all = true;
        for image in ours {
            match self.put_back(image) {
                Ok(()) => self.say(index, image, How::PutBack),
                Err(error) => {
                    all = false;
                    self.failures.push(format!("{}: {error}", image.path));
                    self.by_hand(image);
                }
            }
        }
        if all {
            self.done(index, How::PutBack);
        }
    }

    /// Whether what an interrupted program left can only be its own work: it is this very run, or still the same boot.
    fn nobody_else_built(&self) -> bool {
        let same_boot = || {
            let then = self.conductor.journal.course.boot.clone();
            then.is_some() && then == journal::boot(self.conductor.target)
        };
        self.manner == Manner::RollBack || same_boot()
    }

    fn put_back(&self, image: &Image) -> io::Result<()> {
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

    fn by_hand(&mut self, image: &Image) {
        let prefix = Prefix::now(self.conductor.target.path());
        let journal = self.conductor.journal.directory();
        self.commands.extend(by_hand::put_back(&prefix, &journal, image));
    }

    fn say(&mut self, step: usize, image: &Image, how: How) {
        self.reverted.push(Reverted { step, path: image.path.clone(), how });
    }

    fn done(&mut self, index: usize, how: How) {
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
