//! `passthru guest start`.

use std::time::Duration;

use passthru_guest::check::in_common;
use passthru_guest::look::Looked;
use passthru_guest::run::{self, GuestState, Launcher, StartError, Tuning};
use passthru_guest::{Guest, GuestSpec, spec};
use passthru_host::{Subject, Subjects};
use passthru_model::backend::Backend;
use passthru_model::guest_tuning::GuestTuning;
use passthru_model::{HostFacts, PciAddress};
use passthru_plan::{GuestRun, PlannedRun, guest_run};

use super::libvirt;
use super::list::{pid, state_of};
use super::new::accel;
use super::places::{Places, name, qemu};
use crate::args::GuestStartArguments;
use crate::commands::{bind, change};
use crate::context::{Context, only_root};
use crate::exit::{Exit, Failure, chain};
use crate::printer::plain;

/// A guest's memory is pinned before QEMU answers: a second for some gigabytes, more where it is fragmented.
const PATIENCE: Duration = Duration::from_mins(2);

/// What each guest is built from. What else boots the host, or could bind its devices, is read only where a function changes drivers.
const ANY: Subjects = Subjects::of(&[
    Subject::Cpu,
    Subject::Iommu,
    Subject::Topology,
    Subject::Memory,
    Subject::Virtualization,
    Subject::Guests,
    Subject::GuestFirmware,
]);

/// What one with devices of the host is built from besides.
const WITH_DEVICES: Subjects =
    Subjects::of(&[Subject::Pci, Subject::PciDetails, Subject::Names, Subject::Groups]);

/// What this guest is built from.
pub(crate) fn built_from(spec: &GuestSpec) -> Subjects {
    let devices = if spec.devices.is_empty() { ANY } else { ANY | WITH_DEVICES };
    if spec.usb.is_empty() { devices } else { devices.with(&[Subject::Usb]) }
}

/// What is looked at to tune the host for one.
pub(crate) const TUNED: Subjects = Subjects::of(&[Subject::Tuning, Subject::RunTime]);

/// The same where it is not known yet what will be changed: functions may change drivers too.
pub(crate) const EVERYTHING: Subjects = bind::SUBJECTS.with(&[Subject::RunTime]);

/// Plans what is changed of the host for it, and starts the guest.
pub(crate) fn run(context: &Context, arguments: &GuestStartArguments) -> Result<Exit, Failure> {
    context.only_live("guest start")?;
    let places = Places::of_this_user()?;
    let name = name(&arguments.name)?;
    let mut spec = places.load(&name)?;
    if let Some(choice) = arguments.accel {
        spec.accel = accel(choice);
    }
    if spec.backend == Backend::Libvirt {
        return libvirt::start(context, &places, &spec);
    }
    if spec.run_as.is_some() {
        only_root("having QEMU become another user (run-as)")?;
    }
    let paths = places.paths(&name);
    // What an earlier run has left is put back first, so that the facts are those of the host as it is without a guest.
    if change::left_behind(context, &places).contains(&name) {
        context.printer.say(&format!("Putting back what was changed for the last run of ‘{name}’"));
        change::put_back(context, &name)?;
    }
    let tunes = spec.tuning != GuestTuning::default();
    let subjects = if tunes { built_from(&spec) | TUNED } else { built_from(&spec) };
    let mut facts = context.facts_of(subjects)?;
    let check = format!("‘passthru guest check {name}’ says more");
    let build = |facts: &HostFacts| {
        Guest::build(&spec, facts, &Looked::here(&spec).by_this_user())
            .map_err(|errors| Failure::no(errors.to_string()).hint(check.clone()))
    };
    let mut guest = build(&facts)?;
    if let GuestState::Running { pid } = run::state(&paths).map_err(|error| Failure::no(chain(&error)))? {
        return Err(failed(&StartError::Running { pid }));
    }
    if !guest.not_ready(&facts).is_empty() {
        // Only where functions change drivers it matters who has them open, which takes long to find out.
        facts = context.facts_of(subjects | bind::SUBJECTS)?;
        guest = build(&facts)?;
    }
    let planned = plan(&facts, &spec, &guest)?;
    for note in &planned.plan.notes {
        context.printer.say(&plain(note));
    }
    if spec.accel == spec::AccelChoice::Auto && guest.accel() == passthru_guest::accel::Accel::Tcg {
        context.printer.say("KVM cannot be used here, so the guest is emulated (TCG), which is slow");
    }
    free_of_others(&places, &spec)?;
    let tuning = Tuning {
        plan: planned.plan,
        group: planned.group,
        threads: planned.threads,
        awake: planned.awake,
        ..Tuning::none(&name)
    };
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

/// Refuses what another guest, which runs, has already.
pub(crate) fn free_of_others(places: &Places, spec: &GuestSpec) -> Result<(), Failure> {
    for other in places.all().iter().filter(|other| other.name != spec.name) {
        let common = in_common(spec, other);
        let runs = || state_of(places, other).is_ok_and(|state| pid(&state).is_some());
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

/// What is changed of the host for a guest.
pub(crate) fn plan(facts: &HostFacts, spec: &GuestSpec, guest: &Guest) -> Result<PlannedRun, Failure> {
    let functions: Vec<PciAddress> = guest.host_functions().collect();
    let run = GuestRun {
        guest: guest.name(),
        backend: Backend::Qemu,
        functions: &functions,
        tuning: spec.tuning,
        pinning: guest.pinning(),
        scheduler: spec.processor.scheduler,
        pages: guest.huge_pages(),
    };
    guest_run(facts, &run).map_err(|refusal| change::refusal_to_run(&refusal, guest.name()))
}

/// An error of the room that runs guests.
pub(crate) fn failed(error: &StartError) -> Failure {
    match error {
        StartError::Failed { message, exit } => Failure::new(change::exit(*exit), message.clone()),
        other => Failure::no(chain(other)),
    }
}
