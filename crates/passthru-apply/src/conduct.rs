//! Carrying out a plan, step by step, each written ahead.

use std::io;

use passthru_model::plan::{Action, FileState, Step};
use passthru_model::program::Program;

use crate::error::{Error, StepFailure};
use crate::install;
use crate::journal::{self, Journal};
use crate::lock::Lock;
use crate::preflight;
use crate::progress::{Event, Progress};
use crate::record::{Image, Outcome, Prepared, Record};
use crate::revert::{Manner, Revert};
use crate::runner::{RunFailure, Runner};
use crate::standing::Standing;
use crate::target::Target;

/// Everything that is needed to change the host.
pub(crate) struct Conductor<'a> {
    pub(crate) target: &'a Target,
    pub(crate) lock: Lock,
    pub(crate) journal: Journal,
    pub(crate) runner: &'a mut dyn Runner,
    pub(crate) progress: &'a mut dyn Progress,
}

impl Conductor<'_> {
    /// Carries out all steps that are not done yet. A failure rolls back everything.
    pub(crate) fn forward(&mut self, mut prepared: Prepared) -> Result<(), Error> {
        let total = self.journal.plan.steps.len();
        prepared.resize(total, None);
        for (index, images) in prepared.into_iter().enumerate() {
            if self.journal.course.steps[index].after.is_some() {
                continue;
            }
            let step = self.journal.plan.steps[index].clone();
            self.progress.event(Event::StepStarted { index, total, step: &step });
            if let Err(cause) = self.step(index, &step, images) {
                return Err(self.roll_back(index, cause));
            }
            self.progress.event(Event::StepDone { index });
        }
        let finished = Record::Finished { outcome: Outcome::Applied, stamp: journal::stamp() };
        self.append(&finished).map_err(|source| Error::Io { path: self.journal.directory(), source })
    }

    fn step(&mut self, index: usize, step: &Step, images: Option<Vec<Image>>) -> Result<(), StepFailure> {
        let begun = self.journal.course.steps[index].intent.clone();
        let done = if let Some((images, directories)) = begun {
            self.again(index, step, &images, &directories)?
        } else {
            if let Action::Rebind { functions } = &step.action {
                self.unmoved(index, functions)?;
            }
            if let Action::Tune { settings } = &step.action {
                self.untuned(settings)?;
            }
            let images = match images {
                Some(images) => images,
                None => preflight::capture(self.target, &self.journal.directory(), index, step)
                    .map_err(|error| StepFailure::Recorded(error.to_string()))?,
            };
            let directories = match &step.action {
                Action::File { path, after, .. } if *after != FileState::Absent => {
                    preflight::missing(self.target, path).map_err(io_at(path))?
                }
                _ => Vec::new(),
            };
            self.unchanged(step, &images)?;
            let intent =
                Record::StepIntent { index, images: images.clone(), directories: directories.clone() };
            self.record(&intent)?;
            self.act(index, step, &images, &directories)?
        };
        self.record(&Record::StepDone { index, after: done })
    }

    /// A step that was begun and perhaps not ended: a file is either as before or as after, a program is run again, and
    /// functions are brought on from wherever they are.
    fn again(
        &mut self,
        index: usize,
        step: &Step,
        images: &[Image],
        directories: &[String],
    ) -> Result<Vec<Standing>, StepFailure> {
        if let Action::File { path, before, after } = &step.action {
            let stands =
                Standing::at(self.target, path, preflight::follow(before, after)).map_err(io_at(path))?;
            if stands == Standing::of(after) {
                return Ok(vec![stands]);
            }
            self.unchanged(step, images)?;
        }
        self.act(index, step, images, directories)
    }

    /// Nobody else may have touched the paths since they were copied.
    fn unchanged(&self, step: &Step, images: &[Image]) -> Result<(), StepFailure> {
        for ((path, follow), image) in preflight::touched(step).into_iter().zip(images) {
            let changed = |difference| StepFailure::Changed { path: path.to_owned(), difference };
            let stands = Standing::at(self.target, path, follow).map_err(io_at(path))?;
            if let Some(difference) = stands.differs_from(&image.before) {
                return Err(changed(difference));
            }
            if let Action::File { before, .. } = &step.action
                && let Some(difference) = stands.differs_from(&Standing::of(before))
            {
                return Err(changed(difference));
            }
        }
        Ok(())
    }

    fn act(
        &mut self,
        index: usize,
        step: &Step,
        images: &[Image],
        directories: &[String],
    ) -> Result<Vec<Standing>, StepFailure> {
        match &step.action {
            Action::File { path, before, after } => {
                let put = || -> io::Result<()> {
                    install::make_directories(self.target, directories)?;
                    let place = self.target.place(path, preflight::follow(before, after));
                    let temporary = self.journal.temporary();
                    match after {
                        // Where the directory is gone, the file is.
                        FileState::Absent => match place {
                            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                            place => install::remove(&place?),
                        },
                        FileState::Link { target } => install::link(&place?, &temporary, target),
                        FileState::File { content, mode, uid, gid } => {
                            install::file(&place?, &temporary, &content.0, *mode, (*uid, *gid))
                        }
                    }
                };
                put().map_err(io_at(path))?;
            }
            Action::Run { program, arguments, expect, .. } => {
                self.run(*program, arguments)?;
                for expectation in expect {
                    crate::expect::check(self.target, expectation)?;
                }
                rustix::fs::sync();
            }
            Action::Rebind { functions } => self.rebind(index, functions)?,
            Action::Tune { settings } => self.tune(settings)?,
        }
        let stands = |image: &Image| {
            Standing::at(self.target, &image.real, crate::target::Follow::Nothing).map_err(io_at(&image.path))
        };
        images.iter().map(stands).collect()
    }

    /// Runs a program in the target.
    pub(crate) fn run(&mut self, program: Program, arguments: &[String]) -> Result<(), RunFailure> {
        crate::failpoint::hit();
        let (runner, progress, root) = (&mut *self.runner, &mut *self.progress, self.target.path());
        let shared = runner.starts_processes();
        let mut work =
            || runner.run(program, arguments, root, &mut |line| progress.event(Event::Output { line }));
        let outcome = if shared { self.lock.shared_with_children(work) } else { work() };
        crate::failpoint::hit();
        outcome
    }

    /// Adds a record to the journal.
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<()> {
        self.journal.append(record)
    }

    fn record(&mut self, record: &Record) -> Result<(), StepFailure> {
        self.append(record).map_err(|source| StepFailure::Io { path: self.journal.directory(), source })
    }

    fn roll_back(&mut self, index: usize, cause: StepFailure) -> Error {
        self.progress.event(Event::RollingBack { index });
        let mut revert = Revert::new(self, Manner::RollBack);
        revert.note(&Record::StepFailed { index, cause: cause.to_string() });
        revert.finish_rollback(cause)
    }
}

/// Says which path it was.
pub(crate) fn io_at(path: &str) -> impl FnOnce(io::Error) -> StepFailure + use<> {
    let path = path.to_owned();
    move |source| StepFailure::Io { path, source }
}
