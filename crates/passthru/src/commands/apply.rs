//! `passthru apply`: carry out the present plan, a saved one, or finish one that was interrupted.

use passthru_apply::{Event, Resumed, Which};

use crate::args::ApplyArguments;
use crate::commands::{change, plan};
use crate::context::{Context, only_root};
use crate::exit::{Exit, Failure};
use crate::hold::Hold;
use crate::runner::HostRunner;

/// Carries out a plan.
pub(crate) fn run(context: &Context, arguments: &ApplyArguments) -> Result<Exit, Failure> {
    context.only_live("apply")?;
    if arguments.resume {
        return resume(context);
    }
    let facts = context.facts()?;
    let plan = match &arguments.file {
        None => plan::of_intent(&facts, &change::consent(arguments.insist, arguments.boot))?,
        Some(path) => {
            let bytes = std::fs::read(path)
                .map_err(|error| Failure::no(format!("{} cannot be read: {error}", path.display())))?;
            let saved = passthru_apply::plan_file::parse(&bytes)
                .map_err(|error| Failure::refused(format!("{}: {error}", path.display())))?;
            if saved.host != plan::fingerprint(&facts) {
                return Err(Failure::new(
                    Exit::Drift,
                    format!("{} was made for other hardware than this", path.display()),
                )
                .hint("make a new one here with ‘passthru plan -o FILE’"));
            }
            saved.plan
        }
    };
    change::carry_out(context, &plan, arguments.agreement)
}

/// Brings an interrupted change to its end.
fn resume(context: &Context) -> Result<Exit, Failure> {
    only_root("finishing a change")?;
    let target = context.target()?;
    // What is unfinished comes before what can be undone, so this is the plan that is gone on with.
    let plan = passthru_apply::undo_choice(&target, &Which::Newest).ok().map(|(_, plan)| plan);
    if let Some(plan) = &plan {
        change::refuse_if_held(context, plan, passthru_plan::may_go_on)?;
    }
    let mut runner = HostRunner;
    let mut hold = Hold::begin()?;
    let mut progress = |event: Event<'_>| change::report(context, &mut hold, &event);
    let resumed = passthru_apply::resume(&target, &mut runner, &mut progress)
        .map_err(|error| change::apply_failure(&error))?;
    context.printer.say(match resumed {
        Resumed::Applied(_) if plan.is_some_and(|plan| plan.needs_reboot()) => {
            "Finished: the plan is carried out. Reboot, then ‘passthru verify’"
        }
        Resumed::Applied(_) => "Finished: the plan is carried out",
        Resumed::RolledBack(_) => "Finished: the plan had failed, and all of it is taken back",
        Resumed::Undone(_) => "Finished: the change is undone",
    });
    Ok(Exit::Done)
}
