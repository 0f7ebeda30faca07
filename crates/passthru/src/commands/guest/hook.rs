//! `passthru guest hook`: have libvirt call passthru around each guest, or no more.

use passthru_host::{Subject, Subjects};

use crate::args::GuestHookArguments;
use crate::commands::change;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::printer::plain;

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
    // The plan says it too, and is a screen away by now.
    if exit == Exit::Done && !arguments.agreement.dry_run && !plan.is_empty() {
        for note in &plan.notes {
            context.printer.say(&plain(note));
        }
    }
    Ok(exit)
}
