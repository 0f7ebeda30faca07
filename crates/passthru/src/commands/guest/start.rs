//! `passthru guest start`.

use std::time::Duration;

use passthru_guest::check::in_common;
use passthru_guest::look::Looked;
use passthru_guest::run::{self, Launcher};
use passthru_guest::{Guest, GuestSpec, spec};

use super::list::pid;
use super::new::accel;
use super::places::{Places, name, qemu};
use crate::args::GuestStartArguments;
use crate::context::Context;
use crate::exit::{Exit, Failure, chain};

/// A guest's memory is pinned before QEMU answers: a second for some gigabytes, more where it is fragmented.
const PATIENCE: Duration = Duration::from_mins(2);

/// Checks that the devices are ready, and starts QEMU.
pub(crate) fn run(context: &Context, arguments: &GuestStartArguments) -> Result<Exit, Failure> {
    context.only_live("guest start")?;
    let places = Places::of_this_user()?;
    let name = name(&arguments.name)?;
    let mut spec = places.load(&name)?;
    if let Some(choice) = arguments.accel {
        spec.accel = accel(choice);
    }
    let facts = context.facts()?;
    let check = format!("‘passthru guest check {name}’ says more");
    let guest = Guest::build(&spec, &facts, &Looked::here(&spec))
        .map_err(|errors| Failure::no(errors.to_string()).hint(check.clone()))?;
    let not_ready = guest.not_ready(&facts);
    if !not_ready.is_empty() {
        let reasons: Vec<String> = not_ready.iter().map(ToString::to_string).collect();
        return Err(
            Failure::no(format!("the guest cannot have its devices yet: {}", reasons.join("; "))).hint(check)
        );
    }
    if spec.accel == spec::AccelChoice::Auto && guest.accel() == passthru_guest::accel::Accel::Tcg {
        context.printer.say("KVM cannot be used here, so the guest is emulated (TCG), which is slow");
    }
    free_of_others(&places, &spec)?;
    let paths = places.paths(&name);
    let started = run::start(&guest, &paths, &Launcher::new(qemu()?), PATIENCE)
        .map_err(|error| Failure::no(chain(&error)))?;
    context.printer.say(&format!(
        "‘{name}’ runs (process {}); its log is {}",
        started.pid,
        paths.log().display()
    ));
    context.printer.say(&format!("Stop it with: passthru guest stop {name}"));
    Ok(Exit::Done)
}

/// Refuses what another guest, which runs, has already.
fn free_of_others(places: &Places, spec: &GuestSpec) -> Result<(), Failure> {
    for other in places.all().iter().filter(|other| other.name != spec.name) {
        let common = in_common(spec, other);
        let runs = || run::state(&places.paths(&other.name)).is_ok_and(|state| pid(&state).is_some());
        if !common.is_empty() && runs() {
            return Err(Failure::refused(format!(
                "the guest ‘{}’ runs and has {}",
                other.name,
                common.join(", ")
            ))
            .hint(format!("stop it first: passthru guest stop {}", other.name)));
        }
    }
    Ok(())
}
