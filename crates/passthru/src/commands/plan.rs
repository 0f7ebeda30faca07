//! `passthru plan`: the steps that would bring this host to its intent. Writes nothing but the file asked for.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use passthru_model::HostFacts;
use passthru_model::plan::Plan;
use passthru_plan::Consent;

use crate::args::PlanArguments;
use crate::commands::change;
use crate::context::Context;
use crate::exit::{Exit, Failure};

/// Shows the plan, and saves it where asked.
pub(crate) fn run(context: &Context, arguments: &PlanArguments) -> Result<Exit, Failure> {
    let facts = context.facts()?;
    let plan = of_intent(&facts, &change::consent(arguments.insist, arguments.boot))?;
    if plan.is_empty() && !context.printer.json {
        context.printer.say("The host is set up as intended already; nothing to do");
    } else {
        change::show(context, &plan)?;
    }
    if let Some(path) = &arguments.output {
        let bytes = passthru_apply::plan_file::write(&plan, &fingerprint(&facts))
            .map_err(|error| Failure::no(format!("the plan cannot be saved: {error}")))?;
        save(path, &bytes)?;
        context.printer.say(&format!("Saved. ‘passthru apply {}’ carries it out", path.display()));
    }
    Ok(Exit::Done)
}

/// The plan that brings a host to the intent that stands in its file.
pub(crate) fn of_intent(facts: &HostFacts, consent: &Consent) -> Result<Plan, Failure> {
    let intent =
        passthru_plan::intent::of(facts).map_err(|error| Failure::no(error.to_string()))?.unwrap_or_default();
    passthru_plan::plan_for(facts, &intent, consent).map_err(|refusal| change::refusal(&refusal))
}

/// What tells this host from others in a saved plan: its PCI functions and their ids.
pub(crate) fn fingerprint(facts: &HostFacts) -> String {
    let mut text = String::new();
    for function in facts.functions() {
        let _ = writeln!(text, "{} {} {}", function.address, function.id, function.subsystem);
    }
    passthru_model::plan::Digest256::of(text.as_bytes()).as_str().to_owned()
}

/// Writes a new file that only its owner may read; an existing one is left alone.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let wrong = |error: std::io::Error| Failure::no(format!("{} cannot be written: {error}", path.display()));
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(wrong)
}
