//! What libvirt calls around each guest: the host is changed before QEMU starts, and put back after its end.
//!
//! libvirt waits for it with the guest locked, so it asks libvirt nothing, and nothing here takes for ever. What goes wrong before the
//! start refuses the start; what goes wrong after the end is written down, and never keeps a guest from ending.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use passthru_formats::libvirt_domain;
use passthru_guest::libvirt::left_to_hook;
use passthru_guest::look::Looked;
use passthru_guest::run::libvirt::{self, Moment};
use passthru_guest::run::{GuestPaths, Tuning};
use passthru_guest::{Guest, GuestName, GuestSpec};
use passthru_model::backend::Backend;
use passthru_plan::{GuestRun, guest_run};

use super::guest::places::Places;
use super::guest::start;
use crate::args::LibvirtHookArguments;
use crate::commands::change;
use crate::context::Context;
use crate::exit::{Exit, Failure, chain};
use crate::runner::HostRunner;

/// How long a start may be kept waiting: a driver that hangs is given up after a minute, modules after two.
const BEFORE: Duration = Duration::from_mins(4);

/// How long an end may be: a driver of the host takes its time to start a device.
const AFTER: Duration = Duration::from_mins(4);

/// How long another change of the host is waited for, of that.
const OTHERS: Duration = Duration::from_mins(2);

/// The longest domain that is read, in bytes. Those of people have some kilobytes.
const LONGEST: u64 = 16 << 20;

/// Does what the moment asks for. Guests without a specification of root's are none of our concern.
pub(crate) fn run(context: &Context, arguments: &LibvirtHookArguments) -> Result<Exit, Failure> {
    let moment = Moment::of(&arguments.operation, &arguments.part);
    let Ok(name) = arguments.guest.parse::<GuestName>() else { return Ok(Exit::Done) };
    let places = Places::of_this_user()?;
    let paths = places.paths(&name);
    // A specification that is taken away while its guest runs leaves something to put back.
    let has_run = moment != Moment::Prepare && paths.state().exists();
    let ours = places.specs.join(name.file_name()).exists() || has_run;
    if !rustix::process::geteuid().is_root() || !ours || moment == Moment::Other {
        return Ok(Exit::Done);
    }
    match moment {
        Moment::Prepare => {
            give_up_after(BEFORE, Exit::No);
            prepare(context, &places, &name, arguments.daemon)?;
        }
        Moment::Started | Moment::Reconnected => {
            match libvirt::started(&paths, arguments.daemon, &libvirt::pid_file(&name)) {
                // A daemon that finds it again finds the host awake.
                Ok(Some(qemu)) if moment == Moment::Started => keep_awake(&places, &name, qemu),
                Ok(_) => {}
                Err(error) => note(&paths, &chain(&error)),
            }
        }
        Moment::Released => {
            give_up_after(AFTER, Exit::Done);
            release(context, &name, &paths);
        }
        Moment::Other => {}
    }
    Ok(Exit::Done)
}

/// Plans what is changed of the host for a guest, and does it.
fn prepare(context: &Context, places: &Places, name: &GuestName, daemon: i32) -> Result<(), Failure> {
    let paths = &places.paths(name);
    let mut xml = Vec::new();
    std::io::stdin()
        .lock()
        .take(LONGEST)
        .read_to_end(&mut xml)
        .map_err(|error| Failure::no(format!("the domain cannot be read: {error}")))?;
    let domain =
        libvirt_domain::parse("libvirt's domain", &xml).map_err(|error| Failure::no(chain(&error)))?;
    change::refuse_where_hung(context)?;
    let spec = places.load(name)?;
    if change::left_behind(context, places).contains(name) {
        change::put_back(context, name)?;
    }
    let facts = context.facts_of(start::EVERYTHING)?;
    let guest = Guest::build(&spec, &facts, &Looked::here(&spec)).map_err(|errors| {
        Failure::no(errors.to_string()).hint(format!("‘passthru guest check {name}’ says more"))
    })?;
    let left = left_to_hook(&domain, &guest, spec.tuning).map_err(|error| Failure::no(error.to_string()))?;
    start::free_of_others(places, &spec)?;
    let run = GuestRun {
        guest: name,
        backend: Backend::Libvirt,
        functions: &left.functions,
        tuning: spec.tuning,
        pinning: guest.pinning(),
        scheduler: spec.processor.scheduler,
        pages: left.pages,
    };
    let planned = guest_run(&facts, &run).map_err(|refusal| change::refusal_to_run(&refusal, name))?;
    let tuning = Tuning { plan: planned.plan, ..Tuning::none(name) };
    let _ = std::fs::remove_file(paths.supervisor_log());
    let mut told = |line: &str| note(paths, line);
    libvirt::prepare(paths, daemon, &tuning, &mut HostRunner, &mut told)
        .map_err(|error| start::failed(&error))
}

/// Has the host stay awake for a guest with devices of it, unless its specification says otherwise. It runs already, and goes on.
fn keep_awake(places: &Places, name: &GuestName, qemu: i32) {
    let paths = &places.paths(name);
    let wants = |spec: GuestSpec| spec.tuning.keeps_awake(!spec.devices.is_empty());
    if !places.load(name).is_ok_and(wants) {
        return;
    }
    let kept =
        log(paths).map_err(|error| error.to_string()).and_then(|log| libvirt::keep_awake(name, qemu, log));
    if let Err(why) = kept {
        note(paths, &why);
    }
}

/// Puts back what was changed for a guest.
fn release(context: &Context, name: &GuestName, paths: &GuestPaths) {
    let end = context.target().map_err(|failure| failure.to_string()).and_then(|target| {
        libvirt::released(&target, paths, name, &mut HostRunner, OTHERS).map_err(|error| chain(&error))
    });
    match end {
        Ok(undone) if undone.is_empty() => {}
        Ok(_) => note(paths, "what was changed for the guest is put back"),
        Err(why) => note(paths, &format!("not put back: {why}\n{}", change::say_left_behind(name))),
    }
}

/// Writes a line to the guest's log, and says it to libvirt, which keeps it only of what fails.
fn note(paths: &GuestPaths, line: &str) {
    let _ = writeln!(std::io::stderr(), "passthru: {line}");
    if let Ok(mut log) = log(paths) {
        let _ = writeln!(log, "passthru: {line}");
    }
}

/// The guest's log, to be written to at its end.
fn log(paths: &GuestPaths) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(paths.supervisor_log())
}

/// Ends this process when the time is over: libvirt waits for it. What it was doing stands in the journal, as after any kill, and is put
/// back when libvirt releases the guest, or by the next command.
#[expect(clippy::exit, reason = "what hangs cannot be asked to return, and libvirt waits for this process")]
fn give_up_after(limit: Duration, exit: Exit) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        let _ = writeln!(
            std::io::stderr(),
            "passthru: given up after {} seconds; ‘passthru status’ says what stands",
            limit.as_secs()
        );
        std::process::exit(i32::from(exit.code()));
    });
}
