//! The child that becomes QEMU: it leaves our session, raises the limit of locked memory, writes down who it is, and only
//! then turns into QEMU. So there is never a QEMU that nothing knows of.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use passthru_model::cpu_set::CpuSet;

use super::process::Record;
use super::{Launcher, memlock, threads};

/// The name under which the child is started.
pub const NAME: &str = "passthru-guest-child";

/// What a child exits with when it could not become QEMU.
pub const NOT_STARTED: u8 = 127;

/// How long a QEMU lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until it is stopped, in a session of its own.
    Own,
    /// No longer than the thread that started it.
    WithParent,
}

/// The word for [`Life::Own`] on the child's command line; for [`Life::WithParent`] the parent's process id stands there.
const OWN: &str = "own";

/// The word for what is left as it is.
const NOTHING: &str = "-";

impl Life {
    fn word(self) -> String {
        match self {
            Self::Own => OWN.to_owned(),
            Self::WithParent => std::process::id().to_string(),
        }
    }
}

/// Where QEMU runs, and how much it may lock. What is `None` is left as it is inherited.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place<'a> {
    /// Bytes of memory that may be locked.
    pub(crate) memlock: Option<u64>,
    /// The CPUs of all threads that are not put elsewhere.
    pub(crate) cpus: Option<&'a CpuSet>,
    /// The real user; the effective one stays, and with it all rights.
    pub(crate) real_user: Option<u32>,
    /// The `cgroup.procs` of the control group.
    pub(crate) group: Option<&'a Path>,
}

/// The command that starts a child.
pub(crate) fn command(launcher: &Launcher, life: Life, record: &Path, place: &Place<'_>) -> Command {
    let word = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let mut command = Command::new(&launcher.helper);
    command.arg0(NAME).arg(life.word()).arg(record);
    command.arg(word(place.memlock.map(|bytes| bytes.to_string())));
    command.arg(word(place.cpus.map(ToString::to_string)));
    command.arg(word(place.real_user.map(|user| user.to_string())));
    command.arg(place.group.map_or(OsStr::new(NOTHING), Path::as_os_str)).arg(&launcher.qemu);
    // QEMU needs none of the caller's surroundings, and some of them (LD_PRELOAD, sound servers) change what it does.
    command
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C");
    command
}

/// The child's whole life, up to QEMU's.
pub(crate) fn main(arguments: &[OsString]) -> ExitCode {
    let [life, record, limit, cpus, user, group, qemu, rest @ ..] = arguments else {
        return failed("started without its arguments");
    };
    let prepared = prepare(life.to_str(), Path::new(record), limit.to_str())
        .and_then(|()| settle(cpus.to_str(), Path::new(group)))
        .and_then(|()| appear(user.to_str()));
    if let Err(why) = prepared {
        return failed(&why);
    }
    let error = Command::new(qemu).args(rest).exec();
    failed(&format!("{} cannot be started: {error}", Path::new(qemu).display()))
}

fn prepare(life: Option<&str>, record: &Path, limit: Option<&str>) -> Result<(), String> {
    if life == Some(OWN) {
        rustix::process::setsid().map_err(|error| format!("no session of its own: {error}"))?;
    } else {
        let parent: Option<i32> = life.and_then(|life| life.parse().ok());
        let signal = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal)
            .map_err(|error| format!("cannot be tied to passthru: {error}"))?;
        // A parent that ended before the line above sends no signal any more.
        if rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != parent {
            return Err("passthru ended before QEMU was started".to_owned());
        }
    }
    if let Some(bytes) = limit.and_then(|limit| limit.parse().ok()) {
        memlock::set(bytes)
            .map_err(|error| format!("the limit of locked memory cannot be raised: {error}"))?;
    }
    Record::of_this_process()
        .and_then(|made| made.write(record))
        .map_err(|error| format!("{} cannot be written: {error}", record.display()))
}

/// Goes where QEMU shall run: into the control group first, for it says which CPUs there are.
fn settle(cpus: Option<&str>, group: &Path) -> Result<(), String> {
    if group != Path::new(NOTHING) {
        std::fs::OpenOptions::new()
            .write(true)
            .open(group)
            .and_then(|mut file| file.write_all(b"0\n"))
            .map_err(|error| format!("{} cannot be joined: {error}", group.display()))?;
    }
    match cpus.map(str::parse::<CpuSet>) {
        Some(Ok(cpus)) => threads::bind(None, &cpus, "QEMU").map_err(|error| error.to_string()),
        _ => Ok(()),
    }
}

/// Takes the real user that is said. Sound servers, and the libraries that reach them, look at that one.
fn appear(user: Option<&str>) -> Result<(), String> {
    let Some(user) = user.and_then(|user| user.parse().ok()).map(rustix::process::Uid::from_raw) else {
        return Ok(());
    };
    // This process has one thread.
    rustix::thread::set_thread_res_uid(user, None, None)
        .map_err(|error| format!("the user {} cannot be taken: {error}", user.as_raw()))
}

/// Standard error is the guest's log here.
fn failed(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "passthru: {why}");
    ExitCode::from(NOT_STARTED)
}
