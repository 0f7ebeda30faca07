//! `passthru release`: take functions out of the intent, then plan and apply.

use crate::args::{Insist, ReleaseArguments};
use crate::commands::change;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Plans the release of the named functions and carries it out once agreed.
pub(crate) fn run(context: &Context, arguments: &ReleaseArguments) -> Result<Exit, Failure> {
    if !arguments.agreement.dry_run {
        context.only_live("release")?;
    }
    let facts = context.facts()?;
    let addresses = if arguments.all {
        let intent = passthru_plan::intent::of(&facts).map_err(|error| Failure::no(error.to_string()))?;
        let Some(intent) = intent else {
            context.printer.say("Nothing is isolated on this host");
            return Ok(Exit::Done);
        };
        intent.isolate.iter().map(|device| device.address).collect()
    } else {
        arguments.addresses.clone()
    };
    let consent = change::consent(Insist::default(), arguments.boot);
    let planned =
        passthru_plan::release(&facts, &addresses, &consent).map_err(|refusal| change::refusal(&refusal))?;
    change::carry_out(context, &planned.plan, arguments.agreement)
}
