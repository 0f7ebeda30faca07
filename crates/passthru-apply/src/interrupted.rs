//! A change that was not brought to its end.

use std::collections::BTreeSet;

use passthru_model::address::PciAddress;
use passthru_model::guest_name::GuestName;
use passthru_model::plan::Action;

use crate::conduct::Conductor;
use crate::error::Error;
use crate::journal::{self, Journal};
use crate::lock::Lock;
use crate::preflight;
use crate::progress::Progress;
use crate::record::{Course, Phase};
use crate::revert::{Manner, Revert};
use crate::runner::Runner;
use crate::target::Target;
use crate::undo::{self, OnConflict, Undone};

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Underway {
    /// A plan was being carried out.
    Applying,
    /// A step had failed, and what was done was being rolled back.
    RollingBack,
    /// A step had failed, and not all could be rolled back.
    PartlyRolledBack,
    /// A plan was being undone.
    Undoing,
}

/// A change that was not brought to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// The journal that tells of it.
    pub journal: String,
    /// The plan's title.
    pub title: String,
    /// When it was begun: `20261122T200000Z`.
    pub since: String,
    /// What was being done.
    pub underway: Underway,
    /// How many steps are done and stand.
    pub done: usize,
    /// How many steps there are.
    pub total: usize,
    /// The step at which it stopped: its place from 0, and what it does.
    pub step: Option<(usize, String)>,
    /// Whether the host was booted since.
    pub rebooted: Option<bool>,
    /// The functions whose drivers hang: only a reboot frees them.
    pub hung: BTreeSet<PciAddress>,
    /// The guest that it was done for.
    pub guest: Option<GuestName>,
    /// How a command is told of the system, where it is a mounted one: ` --root /mnt`.
    pub root: Option<String>,
}

impl Interrupted {
    /// What is to be done about it.
    pub(crate) fn way_out(&self) -> String {
        if let (Some(root), true) = (&self.root, self.hung.is_empty()) {
            return format!("take it back with ‘passthru undo{root}’");
        }
        if let (Some(guest), true) = (&self.guest, self.hung.is_empty()) {
            return format!("take it back with ‘passthru guest stop {guest}’ or ‘passthru undo’");
        }
        if self.hung.is_empty() {
            return "finish it with ‘passthru apply --resume’ or take it back with ‘passthru undo’"
                .to_owned();
        }
        let hung: Vec<String> = self.hung.iter().map(ToString::to_string).collect();
        format!(
            "a driver hangs ({}), and only a reboot frees it: reboot, which ends all of this",
            hung.join(", ")
        )
    }
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let was = match self.underway {
            Underway::Applying => "was being applied",
            Underway::RollingBack => "failed and was being rolled back",
            Underway::PartlyRolledBack => "failed and was rolled back only in part",
            Underway::Undoing => "was being undone",
        };
        let Self { journal, title, since, done, total, .. } = self;
        write!(
            f,
            "‘{title}’ {was} and was not finished: {done} of {total} steps are done (journal {journal}, begun {since})"
        )
    }
}

/// How an interrupted change was finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The plan is now carried out; the name of its journal.
    Applied(String),
    /// It had failed already, and is now rolled back; the name of its journal.
    RolledBack(String),
    /// It was being undone, and now is.
    Undone(Undone),
}

/// The change that was not brought to its end, if there is one. Writes nothing.
pub fn interrupted(target: &Target) -> Result<Option<Interrupted>, Error> {
    for id in journal::list(target)?.into_iter().rev() {
        let saved = journal::read(target, &id)?;
        let Some(underway) = underway(&saved.course) else { continue };
        if journal::ended_by_boot(target, &saved.plan, &saved.course) {
            continue;
        }
        let course = saved.course;
        let stands = |step: &&crate::record::StepState| step.after.is_some() && !step.reverted;
        let open = |step: &crate::record::StepState| match underway {
            Underway::Applying => step.after.is_none(),
            _ => step.intent.is_some() && !step.reverted,
        };
        let at = match underway {
            Underway::Applying => course.steps.iter().position(open),
            _ => course.steps.iter().rposition(open),
        };
        return Ok(Some(Interrupted {
            journal: id,
            underway,
            done: course.steps.iter().filter(stands).count(),
            total: course.steps.len(),
            step: at.map(|index| (index, saved.plan.steps[index].what.clone())),
            rebooted: course.boot.zip(journal::boot(target)).map(|(then, now)| then != now),
            hung: course.steps.iter().flat_map(|step| step.hung.iter().copied()).collect(),
            guest: saved.plan.guest.clone(),
            root: (!target.is_live()).then(|| target.option()),
            title: course.title,
            since: course.started,
        }));
    }
    Ok(None)
}

pub(crate) fn underway(course: &Course) -> Option<Underway> {
    match course.phase {
        Phase::Applying => Some(Underway::Applying),
        Phase::RollingBack => Some(Underway::RollingBack),
        Phase::PartlyRolledBack => Some(Underway::PartlyRolledBack),
        Phase::Undoing => Some(Underway::Undoing),
        Phase::Applied | Phase::RolledBack | Phase::Undone => None,
    }
}

/// Brings an interrupted change to the end that it was heading for: a plan is carried out, a rollback or an undo is
/// completed. The steps that are left must still find the host as the plan expects it.
pub fn resume(
    target: &Target,
    runner: &mut dyn Runner,
    progress: &mut dyn Progress,
) -> Result<Resumed, Error> {
    let lock = Lock::take(target)?;
    let found = interrupted(target)?.ok_or(Error::NothingToResume)?;
    let journal = Journal::open(target, &found.journal)?;
    journal.clear_temporaries(target).map_err(|error| Error::at(journal::JOURNALS, error))?;
    let mut conductor = Conductor { target, lock, journal, runner, progress };
    match found.underway {
        Underway::Applying => {
            let from = unbegun(target, &conductor.journal)?;
            let drift = preflight::drift(target, &conductor.journal.plan, from)?;
            if !drift.is_empty() {
                return Err(Error::Drift(drift));
            }
            conductor.forward(Vec::new())?;
            Ok(Resumed::Applied(found.journal))
        }
        Underway::RollingBack | Underway::PartlyRolledBack => {
            Revert::new(&mut conductor, Manner::RollBackLater).resume_rollback()?;
            Ok(Resumed::RolledBack(found.journal))
        }
        Underway::Undoing => Ok(Resumed::Undone(undo::carry_on(&mut conductor, OnConflict::Refuse)?)),
    }
}

/// The first step that must find the host as it expects it: the first that is not done, or the one after it where that
/// one is a file which is already in place, or has begun to change the running kernel.
fn unbegun(target: &Target, journal: &Journal) -> Result<usize, Error> {
    let steps = &journal.course.steps;
    let from = steps.iter().position(|step| step.after.is_none()).unwrap_or(steps.len());
    let Some(step) = journal.plan.steps.get(from) else { return Ok(from) };
    if matches!(step.action, Action::Rebind { .. } | Action::Tune { .. }) && steps[from].intent.is_some() {
        return Ok(from + 1);
    }
    if let Action::File { path, before, after } = &step.action
        && steps[from].intent.is_some()
    {
        let stands = crate::standing::Standing::at(target, path, preflight::follow(before, after));
        if stands.map_err(|error| Error::at(path, error))? == crate::standing::Standing::of(after) {
            return Ok(from + 1);
        }
    }
    Ok(from)
}
