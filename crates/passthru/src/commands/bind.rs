//! `passthru bind`: give functions to vfio-pci now, until the next boot.

use passthru_host::{Subject, Subjects};

use crate::args::{BindArguments, BootChain};
use crate::commands::change;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// What is read for a change of drivers: everything, and who has devices open.
pub(crate) const SUBJECTS: Subjects = Subjects::USUAL.with(&[Subject::Holders]);

/// Plans it and carries it out once agreed.
pub(crate) fn run(context: &Context, arguments: &BindArguments) -> Result<Exit, Failure> {
    if !arguments.agreement.dry_run {
        context.only_live("bind")?;
    }
    let facts = context.facts_of(SUBJECTS)?;
    let consent = change::consent(arguments.insist, BootChain::default());
    let plan = passthru_plan::bind(&facts, &arguments.addresses, arguments.driver.as_ref(), &consent)
        .map_err(|refusal| change::refusal(&refusal))?;
    change::carry_out(context, &plan, arguments.agreement)
}
