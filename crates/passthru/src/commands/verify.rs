//! `passthru verify`: is the host as intended?

use crate::commands::doctor;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Checks the host against its intent.
pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let facts = context.facts()?;
    let intent = passthru_plan::intent::of(&facts).map_err(|error| Failure::no(error.to_string()))?;
    match intent {
        Some(intent) => doctor::print(context, "passthru.verify/1", passthru_plan::verify(&facts, &intent)),
        None if context.printer.json => doctor::print(context, "passthru.verify/1", Vec::new()),
        None => {
            context.printer.say("Nothing is isolated on this host, so there is nothing to verify");
            Ok(Exit::Done)
        }
    }
}
