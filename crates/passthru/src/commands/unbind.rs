//! `passthru unbind`: give functions back to the host's drivers now.

use passthru_plan::Consent;

use crate::args::UnbindArguments;
use crate::commands::{bind, change};
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Plans it and carries it out once agreed.
pub(crate) fn run(context: &Context, arguments: &UnbindArguments) -> Result<Exit, Failure> {
    if !arguments.agreement.dry_run {
        context.only_live("unbind")?;
    }
    let facts = context.facts_of(bind::SUBJECTS)?;
    let consent = Consent { only_named: arguments.only_named, ..Consent::default() };
    let plan = passthru_plan::unbind(&facts, &arguments.addresses, &consent)
        .map_err(|refusal| change::refusal(&refusal))?;
    change::carry_out(context, &plan, arguments.agreement)
}
