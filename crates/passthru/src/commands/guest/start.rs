//! `passthru guest start`.

use std::time::Duration;

use passthru_guest::look::Looked;
use passthru_guest::run::{self, GuestState, Launcher, StartError, Tuning};
use passthru_guest::{Guest, GuestSpec, spec};
use passthru_host::{Subject, Subjects};
use passthru_model::guest_tuning::GuestTuning;
use passthru_model::{HostFacts, PciAddress};
use passthru_plan::pinning::{self, Near, Pinning, Request};
use passthru_plan::{GuestRun, PlannedRun, guest_run};

use super::new::accel;
use super::places::{Places, name, qemu};
use crate::args::GuestStartArguments;
use crate::commands::{bind, change};
use crate::context::Context;
use crate::exit::{Exit, Failure, chain};
use crate::printer::plain;

/// A guest's memory is pinned before QEMU answers: a second for some gigabytes, more where it is fragmented.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a guest is built from, and what is tuned for it.
const SUBJECTS: Subjects = Subjects::USUAL.with(&[Subject::RunTime]);

/// Plans what is changed of the host for it, and starts the guest.
pub(crate) fn run(context: &Context, arguments: &GuestStartArguments) -> Result<Exit, Failure> {
    context.only_live("guest start")?;
    let places = Places::of_this_user()?;
    let name = name(&arguments.name)?;
    let mut spec = places.load(&name)?;
    if let Some(choice) = arguments.accel {
        spec.accel = accel(choice);
    }
    let paths = places.paths(&name);
    // What an earlier run has left is put back first, so that the facts are those of the host as it is without a guest.
    if change::left_behind(context, &places).contains(&name) {
        context.printer.say(&format!("Putting back what was changed for the last run of ‘{name}’"));
        change::put_back(context, &name)?;
    }
    let mut facts = context.facts_of(SUBJECTS)?;
    let check = format!("‘passthru guest check {name}’ says more");
    let build = |facts: &HostFacts| {
        Guest::build(&spec, facts, &Looked::here(&spec))
            .map_err(|errors| Failure::no(errors.to_string()).hint(check.clone()))
    };
    let mut guest = build(&facts)?;
    if let GuestState::Running { pid } = run::state(&paths).map_err(|error| Failure::no(chain(&error)))? {
        return Err(failed(&StartError::Running { pid }));
    }
    if !guest.not_ready(&facts).is_empty() {
        // Only where functions change drivers it matters who has them open, which takes long to find out.
        facts = context.facts_of(SUBJECTS | bind::SUBJECTS)?;
        guest = build(&facts)?;
    }
    let planned = plan(&facts, &spec, &guest)?;
    for note in &planned.plan.notes {
        context.printer.say(&plain(note));
    }
    if spec.accel == spec::AccelChoice::Auto && guest.accel() == passthru_guest::accel::Accel::Tcg {
        context.printer.say("KVM cannot be used here, so the guest is emulated (TCG), which is slow");
    }
    let tuning =
        Tuning { plan: planned.plan, group: planned.group, threads: planned.threads, ..Tuning::none(&name) };
    let mut progress = |line: &str| context.printer.say(&plain(line));
    let started = run::start(&guest, &paths, &Launcher::new(qemu()?), &tuning, PATIENCE, &mut progress)
        .map_err(|error| failed(&error))?;
    context.printer.say(&format!(
        "‘{name}’ runs (process {}); its log is {}",
        started.pid,
        paths.log().display()
    ));
    context.printer.say(&format!("Stop it with: passthru guest stop {name}"));
    Ok(Exit::Done)
}

/// What is changed of the host for a guest.
fn plan(facts: &HostFacts, spec: &GuestSpec, guest: &Guest) -> Result<PlannedRun, Failure> {
    let functions: Vec<PciAddress> = guest.host_functions().collect();
    let pinning = pinning(facts, spec, &functions);
    let run = GuestRun {
        guest: guest.name(),
        functions: &functions,
        tuning: spec.tuning,
        pinning: pinning.as_ref(),
        pages: None,
    };
    guest_run(facts, &run).map_err(|refusal| change::refusal(&refusal))
}

/// Where the threads of a guest run: on CPUs of their own where it is given a device, or something is tuned about them.
fn pinning(facts: &HostFacts, spec: &GuestSpec, functions: &[PciAddress]) -> Option<Pinning> {
    if functions.is_empty() && spec.tuning == GuestTuning::default() {
        return None;
    }
    let first = functions.first().and_then(|address| facts.function(*address));
    let near = first.map(|function| Near { address: function.address, node: function.numa_node });
    let request = Request { vcpus: usize::try_from(spec.cpus).ok()?, near, ..Request::default() };
    pinning::pin(facts.topology.value()?, &request).ok()
}

/// An error of the room that runs guests.
fn failed(error: &StartError) -> Failure {
    match error {
        StartError::Failed { message, exit } => Failure::new(change::exit(*exit), message.clone()),
        other => Failure::no(chain(other)),
    }
}
