//! `passthru guest hook`: have libvirt call passthru around each guest, or no more.

use passthru_host::{Subject, Subjects};

use crate::args::GuestHookArguments;
use crate::commands::change;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What is read for it.
const SUBJECTS: Subjects = Subjects::of(&[Subject::Guests, Subject::Files, Subject::Surroundings]);

/// Plans it and carries it out once agreed.
pub(crate) fn run(context: &Context, arguments: &GuestHookArguments) -> Result<Exit, Failure> {
    if !arguments.agreement.dry_run {
        context.only_live("guest hook")?;
    }
    let facts = context.facts_of(SUBJECTS)?;
    let plan = passthru_plan::libvirt_hook(&facts, !arguments.remove)
        .map_err(|refusal| change::refusal(&refusal))?;
    let exit = change::carry_out(context, &plan, arguments.agreement)?;
    // Why, the plan has said; that is a screen away by now.
    if exit == Exit::Done && !arguments.agreement.dry_run && !plan.notes.is_empty() {
        context
            .printer
            .say("Next: restart libvirt's daemon (systemctl restart libvirtd, or virtqemud where that runs)");
    }
    Ok(exit)
}
