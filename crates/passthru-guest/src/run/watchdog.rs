//! The watchdog of a guest that has the host's picture: a process of ours beside the supervisor, which does what that would have
//! done where it is killed. Nobody who sits at the host could type a command then.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use passthru_apply::{Runner, Target};
use passthru_model::causes::chain;

use super::order::Order;
use super::process::{Process, Record};
use super::put_back::put_back_when_free;
use super::state::find;
use super::stop::never_ran;
use super::supervisor::{OTHERS, note};
use super::{GuestPaths, StopOptions, stop};

/// The name under which the watchdog is started.
pub(super) const NAME: &str = "passthru-guest-watchdog";

/// How long one wait for the end of a process is.
const LOOK: Duration = Duration::from_hours(1);

/// Starts a watchdog of this process, which has written down who it is. Standard error, the log, is the watchdog's too.
pub(super) fn start(helper: &Path, order: &Path) -> io::Result<()> {
    Command::new(helper)
        .arg0(NAME)
        .arg(order)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        // What ends the supervisor's group does not end it.
        .process_group(0)
        .spawn()
        .map(drop)
}

/// The watchdog's whole life.
pub(super) fn main(arguments: &[OsString], runner: &mut dyn Runner) -> ExitCode {
    let _ = rustix::process::setsid();
    let [order] = arguments else { return ExitCode::FAILURE };
    let order = match Order::read(Path::new(order)) {
        Ok(order) => order,
        Err(error) => {
            note(&format!("the watchdog got no order: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match watch(&order, runner) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            note(&format!("the watchdog could not put back what was changed for the guest: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn watch(order: &Order, runner: &mut dyn Runner) -> Result<(), String> {
    let Order { paths, tuning, .. } = order;
    let Some(guest) = &tuning.plan.guest else { return Ok(()) };
    let there = || Record::read(&paths.supervisor()).map_err(|error| error.to_string());
    // To take this away is a supervisor's last work, when all is put back.
    let Some(record) = there()? else { return Ok(()) };
    if let Some(supervisor) = record.process().map_err(|error| error.to_string())? {
        ended(&supervisor)?;
    }
    // Another one is there for a start that came since, which has put back what was left.
    if there()? != Some(record) {
        return Ok(());
    }
    note("the supervisor of the guest was killed; its watchdog goes on in its place");
    wait_for_qemu(paths)?;
    let target = Target::open(&tuning.root).map_err(|error| chain(&error))?;
    put_back_when_free(&target, guest, runner, OTHERS).map_err(|error| chain(&error))?;
    note("all that was changed for the guest is put back");
    for path in [paths.supervisor(), paths.order()] {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Waits for the guest's end. One that has not run its first instruction never will, now.
fn wait_for_qemu(paths: &GuestPaths) -> Result<(), String> {
    let Some((_, qemu)) = find(paths).map_err(|error| chain(&error))?.0 else { return Ok(()) };
    if never_ran(paths) {
        let at_once = StopOptions { patience: Duration::ZERO, force: true };
        return stop(paths, at_once).map(drop).map_err(|error| chain(&error));
    }
    ended(&qemu)
}

fn ended(process: &Process) -> Result<(), String> {
    while !process.ended_within(LOOK).map_err(|error| error.to_string())? {}
    Ok(())
}
