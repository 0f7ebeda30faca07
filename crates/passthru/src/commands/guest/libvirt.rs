//! Guests whose specification says `backend = "libvirt"`: libvirt's daemon starts and stops them, and is asked by virsh.

use std::io::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use passthru_formats::libvirt_domain;
use passthru_guest::look::Looked;
use passthru_guest::machine::Binder;
use passthru_guest::run::libvirt::{released, state_by_libvirt};
use passthru_guest::run::{GuestPaths, HowStopped, StopError, StopOptions};
use passthru_guest::{Guest, GuestName, GuestSpec, libvirt};
use passthru_host::program::{self, ProgramError};
use passthru_model::backend::Backend;
use passthru_model::plan::Action;
use passthru_model::program::Program;
use passthru_model::{HostFacts, PciAddress};
use passthru_plan::{GuestRun, guest_run};

use super::list::{pid, state_of};
use super::places::Places;
use super::{start, stop};
use crate::commands::change;
use crate::context::{Context, only_root};
use crate::exit::{Exit, Failure, chain};
use crate::hold::Hold;
use crate::printer::plain;
use crate::runner::HostRunner;

/// The daemon that runs guests with devices; those of users have none of the host's.
const SYSTEM: &str = "qemu:///system";

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a start may: hooks and the guest's memory come first.
const STARTED: Duration = Duration::from_mins(8);

/// How long what the hook puts back is waited for.
const PUT_BACK: Duration = Duration::from_mins(4);

/// How often it is looked whether a guest has shut down.
const GLANCE: Duration = Duration::from_millis(200);

/// Defines the guest anew from its specification, and starts it.
pub(super) fn start(context: &Context, places: &Places, spec: &GuestSpec) -> Result<Exit, Failure> {
    let name = &spec.name;
    only_root("starting a guest under libvirt's system daemon")?;
    let facts = context.facts_of(start::EVERYTHING)?;
    let guest = Guest::build(spec, &facts, &Looked::here(spec)).map_err(|errors| {
        Failure::no(errors.to_string()).hint(format!("‘passthru guest check {name}’ says more"))
    })?;
    start::free_of_others(places, spec)?;
    let domain = Domain::of(name)?;
    let state = state_of(places, spec).map_err(|error| Failure::no(chain(&error)))?;
    if let Some(pid) = pid(&state) {
        return Err(Failure::no(format!("the guest runs already (process {pid})")));
    }
    let binder = places.binder(&facts);
    if binder == Binder::Libvirt {
        without_hook(&facts, spec, &guest)?;
    }
    let mut machine = guest.machine(&places.paths(name));
    machine.binder = binder;
    let mut file = tempfile::NamedTempFile::new().map_err(|error| Failure::no(error.to_string()))?;
    file.write_all(libvirt::defined(&machine, domain.uuid.as_deref()).as_bytes())
        .map_err(|error| Failure::no(format!("the domain cannot be written: {error}")))?;
    let path = file.path().to_string_lossy();
    virsh(&["define", "--validate", &path], ANSWER)?;
    virsh(&["start", name.as_str()], STARTED)?;
    let process = pid(&state_by_libvirt(name)).map(|pid| format!(" (process {pid})")).unwrap_or_default();
    context.printer.say(&format!("‘{name}’ runs under libvirt{process}"));
    context.printer.say(&format!("Stop it with: passthru guest stop {name}"));
    Ok(Exit::Done)
}

/// Refuses what libvirt alone would not do: it takes whatever it is told to from the host, and tunes nothing.
fn without_hook(facts: &HostFacts, spec: &GuestSpec, guest: &Guest) -> Result<(), Failure> {
    let functions: Vec<PciAddress> = guest.host_functions().collect();
    let run = GuestRun {
        guest: &spec.name,
        backend: Backend::Libvirt,
        functions: &functions,
        tuning: spec.tuning,
        pinning: guest.pinning(),
        scheduler: spec.processor.scheduler,
        pages: guest.huge_pages(),
    };
    let planned = guest_run(facts, &run).map_err(|refusal| change::refusal_to_run(&refusal, &spec.name))?;
    let tunes = |action: &Action| matches!(action, Action::Tune { .. });
    let steps = planned.plan.steps.iter().filter(|step| tunes(&step.action));
    let left: Vec<&str> = steps.map(|step| step.what.as_str()).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "libvirt does not call passthru, so this would not be done: {}",
        left.join("; ")
    ))
    .hint("have it call: passthru guest hook"))
}

/// Asks the guest to shut down and waits; ends it only where that was asked for.
pub(super) fn stop(
    context: &Context,
    name: &GuestName,
    paths: &GuestPaths,
    options: StopOptions,
) -> Result<Exit, Failure> {
    only_root("stopping a guest of libvirt's system daemon")?;
    let how = if running(name)? { end(context, name, options)? } else { HowStopped::NotRunning };
    // The hook does it, which libvirt may call a moment later, or not at all if its daemon was killed with the guest.
    let _hold = Hold::begin()?;
    released(&context.target()?, paths, name, &mut HostRunner, PUT_BACK)
        .map_err(|error| change::apply_failure(&error))?;
    context.printer.say(&stop::ended(name, how));
    Ok(Exit::Done)
}

fn end(context: &Context, name: &GuestName, options: StopOptions) -> Result<HowStopped, Failure> {
    let StopOptions { patience, force } = options;
    context.printer.say(&format!("Asking ‘{name}’ to shut down; waiting up to {} s", patience.as_secs()));
    let asked = Instant::now();
    virsh(&["shutdown", name.as_str()], ANSWER)?;
    while running(name)? {
        if asked.elapsed() >= patience {
            if !force {
                return Err(Failure::no(chain(&StopError::StillRunning { patience })));
            }
            virsh(&["destroy", name.as_str()], STARTED)?;
            return Ok(HowStopped::Quit);
        }
        sleep(GLANCE);
    }
    Ok(HowStopped::ShutDown)
}

/// Whether libvirt runs a guest of this name.
fn running(name: &GuestName) -> Result<bool, Failure> {
    let names = virsh(&["list", "--name"], ANSWER)?;
    Ok(names.lines().any(|line| line.trim() == name.as_str()))
}

/// What libvirt knows of a guest's name.
struct Domain {
    /// The id of the domain that has it; `None`: there is none.
    uuid: Option<String>,
}

impl Domain {
    /// Looks it up. A domain that passthru has not defined keeps its name.
    fn of(name: &GuestName) -> Result<Self, Failure> {
        let names = virsh(&["list", "--all", "--name"], ANSWER)?;
        if !names.lines().any(|line| line.trim() == name.as_str()) {
            return Ok(Self { uuid: None });
        }
        let xml = virsh(&["dumpxml", "--inactive", name.as_str()], ANSWER)?;
        let domain = libvirt_domain::tree(name.as_str(), xml.as_bytes())
            .map_err(|error| Failure::no(format!("libvirt's domain cannot be read: {error}")))?;
        if !libvirt::is_ours(&domain) {
            return Err(Failure::refused(format!(
                "libvirt has a domain ‘{name}’ already, which is not passthru's, so it is left as it is"
            ))
            .hint(format!(
                "rename the guest, or make a specification of that domain (virsh dumpxml {name}, passthru guest import) and \
                 undefine it (virsh undefine --keep-nvram {name})"
            )));
        }
        Ok(Self { uuid: domain.child("uuid").map(|uuid| uuid.text.clone()) })
    }
}

/// Has virsh ask the daemon something, and gives back what it answers.
fn virsh(words: &[&str], limit: Duration) -> Result<String, Failure> {
    let arguments: Vec<String> =
        ["--quiet", "--connect", SYSTEM].iter().chain(words).map(|word| (*word).to_owned()).collect();
    match program::run(Program::Virsh, &arguments, limit, &mut |_, _| {}) {
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error @ ProgramError::NotFound { .. }) => Err(Failure::no(error.to_string())
            .hint("libvirt runs guests with its daemon too (Debian: libvirt-daemon-system); backend = \"qemu\" needs neither")),
        Err(error) => {
            let text = plain(&error.to_string()).into_owned();
            let unreached = text.contains("failed to connect to the hypervisor");
            let hint = "libvirt's daemon must run: systemctl start libvirtd.socket, or virtqemud.socket";
            let failure = Failure::no(text);
            Err(if unreached { failure.hint(hint) } else { failure })
        }
    }
}
