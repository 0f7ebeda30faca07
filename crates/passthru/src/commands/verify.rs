//! `passthru verify`: is the host as intended?

use passthru_host::{Subject, Subjects};
use passthru_model::HostFacts;
use passthru_model::intent::Intent;

use crate::args::VerifyArguments;
use crate::commands::{change, doctor};
use crate::context::{Context, only_root};
use crate::exit::{Exit, Failure};

/// Checks the host against its intent.
pub(crate) fn run(context: &Context, arguments: &VerifyArguments) -> Result<Exit, Failure> {
    if arguments.record {
        context.only_live("verify --record")?;
        only_root("keeping the record of a boot")?;
    }
    let facts = context.facts_of(Subjects::USUAL | Subjects::of(&[Subject::OwnImages]))?;
    let intent = passthru_plan::intent::of(&facts).map_err(|error| Failure::no(error.to_string()))?;
    match intent {
        Some(intent) if context.root().is_some() => {
            doctor::print(context, "passthru.verify/1", passthru_plan::verify_files(&facts, &intent))
        }
        Some(intent) => {
            if arguments.record {
                record(context, &facts, &intent)?;
            }
            doctor::print(context, "passthru.verify/1", passthru_plan::verify(&facts, &intent))
        }
        None if context.printer.json => doctor::print(context, "passthru.verify/1", Vec::new()),
        None => {
            context.printer.say("Nothing is isolated on this host, so there is nothing to verify");
            Ok(Exit::Done)
        }
    }
}

/// Keeps the record of this boot.
fn record(context: &Context, facts: &HostFacts, intent: &Intent) -> Result<(), Failure> {
    if let Some(because) = facts.boots.because() {
        return Err(Failure::no(format!("this boot cannot be recorded: {because}")));
    }
    let record = passthru_plan::boot_record(facts, intent, passthru_host::clock::now()).ok_or_else(|| {
        Failure::no("this boot cannot be recorded: the kernel does not say which boot it is, or its release")
    })?;
    let target = context.target()?;
    let path =
        passthru_apply::keep_boot_record(&target, &record).map_err(|error| change::apply_failure(&error))?;
    context.printer.say(&format!("Recorded in {path}"));
    Ok(())
}
