//! Carrying out a plan.

use passthru_model::plan::Plan;

use crate::conduct::Conductor;
use crate::draft;
use crate::error::{Drift, Error};
use crate::interrupted::interrupted;
use crate::lock::Lock;
use crate::preflight;
use crate::progress::Progress;
use crate::runner::Runner;
use crate::target::Target;

/// A plan that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The journal that can undo it; nothing where the plan had no steps.
    pub journal: Option<String>,
}

/// What of the host is not as the plan expects it. Writes nothing.
pub fn drift(target: &Target, plan: &Plan) -> Result<Vec<Drift>, Error> {
    preflight::drift(target, plan, 0)
}

/// Carries out a plan: all of it, or nothing.
///
/// Whatever can be foreseen is looked at before anything is written, then once more under the lock. When a step fails,
/// the steps before it are taken back. Returns once the change is on disk.
pub fn apply(
    target: &Target,
    plan: &Plan,
    runner: &mut dyn Runner,
    progress: &mut dyn Progress,
) -> Result<Applied, Error> {
    preflight::sane(plan)?;
    refuse_what_is_in_the_way(target, plan)?;
    if plan.is_empty() {
        return Ok(Applied { journal: None });
    }
    preflight::writable(target, plan)?;
    let lock = Lock::take(target)?;
    refuse_what_is_in_the_way(target, plan)?;
    let (journal, prepared) = draft::begin(target, plan)?;
    let id = journal.id.clone();
    let mut conductor = Conductor { target, lock, journal, runner, progress };
    conductor.forward(prepared)?;
    Ok(Applied { journal: Some(id) })
}

fn refuse_what_is_in_the_way(target: &Target, plan: &Plan) -> Result<(), Error> {
    if let Some(found) = interrupted(target)? {
        return Err(Error::Interrupted(Box::new(found)));
    }
    let drift = preflight::drift(target, plan, 0)?;
    if drift.is_empty() { Ok(()) } else { Err(Error::Drift(drift)) }
}
