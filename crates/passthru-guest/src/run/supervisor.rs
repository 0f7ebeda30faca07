//! The supervisor of a guest: a process of ours in a session of its own, which changes the host for the guest, starts QEMU,
//! waits for its end however it comes, and puts back what was changed.
//!
//! Whoever started it may end meanwhile; nothing depends on it. If the supervisor itself is killed, the journal of the change
//! stands, and the next command finds it there ([`super::put_back`]).

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use passthru_apply::{Event, Runner, Target};
use passthru_model::causes::chain;
use passthru_model::setting::CGROUPS;

use super::awake;
use super::child::{self, Life};
use super::order::{Order, Report};
use super::process::Record;
use super::put_back::put_back_when_free;
use super::ready::{clear, ready};
use super::threads;
use super::watchdog;
use super::{Launcher, Tuning, explain};
use crate::qmp::QmpError;

/// The name under which the supervisor is started.
const NAME: &str = "passthru-guest-supervisor";

/// How long QEMU gets for an answer once it is ready.
const ANSWER: Duration = Duration::from_secs(20);

/// How long another change of the host is waited for before what was changed for the guest is left to the next command.
pub(super) const OTHERS: Duration = Duration::from_mins(30);

/// How far a supervisor has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has said who it is.
    Begun,
    /// The host is changed for the guest.
    Tuned,
    /// QEMU is there, and the guest does not run yet.
    Paused,
    /// QEMU's threads are in their places.
    Placed,
    /// The guest runs.
    Running,
    /// QEMU has ended.
    Ended,
    /// All is put back.
    PutBack,
}

/// What the supervisor needs of the program that it is part of.
pub trait Surroundings {
    /// Runs programs and writes to the running kernel.
    fn runner(&mut self) -> &mut dyn Runner;

    /// A stage is reached. Tests end the supervisor here.
    fn reached(&mut self, _stage: Stage) {}
}

/// The command that starts a supervisor. Its standard input is the guest's lock, which it holds until the guest runs, and its
/// standard output takes reports.
pub(super) fn command(helper: &Path, order: &Path) -> Command {
    let mut command = Command::new(helper);
    command.arg0(NAME).arg(order).current_dir("/");
    command
}

/// To be called early in `main`: where this process is a supervisor, it does its work and says how it ends.
pub fn enter(surroundings: &mut dyn Surroundings) -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let name = arguments.next()?;
    let arguments: Vec<OsString> = arguments.collect();
    if name == watchdog::NAME {
        return Some(watchdog::main(&arguments, surroundings.runner()));
    }
    if name != NAME {
        return None;
    }
    let [order] = arguments.as_slice() else { return Some(ExitCode::FAILURE) };
    // The session of whoever started us may end. That this fails means that we lead one already.
    let _ = rustix::process::setsid();
    let order = match Order::read(Path::new(order)) {
        Ok(order) => order,
        Err(error) => {
            say(&Report::Failed { message: format!("the supervisor got no order: {error}"), exit: 1 });
            return Some(ExitCode::FAILURE);
        }
    };
    let mut supervisor = Supervisor { order, surroundings };
    match supervisor.start() {
        Ok(qemu) => {
            supervisor.keep_awake(&qemu);
            supervisor.wait(qemu);
            supervisor.leave();
            Some(ExitCode::SUCCESS)
        }
        Err(Failed { message, exit }) => {
            supervisor.leave();
            say(&Report::Failed { message, exit });
            Some(ExitCode::FAILURE)
        }
    }
}

/// Why a guest does not run.
struct Failed {
    message: String,
    exit: u8,
}

impl Failed {
    fn no(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: 1 }
    }
}

struct Supervisor<'a> {
    order: Order,
    surroundings: &'a mut dyn Surroundings,
}

impl Supervisor<'_> {
    /// Changes the host and starts the guest. What was changed is put back where that fails.
    fn start(&mut self) -> Result<Child, Failed> {
        let record = self.order.paths.supervisor();
        Record::of_this_process()
            .and_then(|made| made.write(&record))
            .map_err(|error| Failed::no(format!("{} cannot be written: {error}", record.display())))?;
        self.surroundings.reached(Stage::Begun);
        if self.order.tuning.plan.hands_over_display() {
            self.outlive_the_desktop()?;
        }
        self.tune()?;
        self.surroundings.reached(Stage::Tuned);
        match self.run() {
            Ok(qemu) => Ok(qemu),
            Err(mut failed) => {
                if let Err(why) = self.put_back() {
                    failed.message = format!("{}\n{why}", failed.message);
                    failed.exit = 6;
                }
                Err(failed)
            }
        }
    }

    /// Leaves the session of whoever started us, which may end with the desktop, and has a watchdog beside us.
    fn outlive_the_desktop(&self) -> Result<(), Failed> {
        // systemd ends what is in the group of a session or of a user's services; nothing of it is at the top.
        let group = self.order.tuning.root.join(CGROUPS.trim_start_matches('/')).join("cgroup.procs");
        let left = OpenOptions::new().write(true).open(&group).and_then(|mut file| file.write_all(b"0\n"));
        left.map_err(|error| {
            Failed::no(format!("the desktop's end would be the guest's: {}: {error}", group.display()))
        })?;
        watchdog::start(&self.order.helper, &self.order.paths.order())
            .map_err(|error| Failed::no(format!("the watchdog cannot be started: {error}")))
    }

    /// Changes the host for the guest: all of it, or nothing.
    fn tune(&mut self) -> Result<(), Failed> {
        tune(&self.order.tuning, self.surroundings.runner(), &mut |line| {
            // There is nobody who could read it where the desktop ends.
            note(line);
            say(&Report::Progress { line: line.to_owned() });
        })
        .map_err(|error| Failed { message: chain(&error), exit: error.exit_code() })
    }

    /// Starts QEMU, puts its threads in their places, and lets the guest go.
    fn run(&mut self) -> Result<Child, Failed> {
        let mut last = Failed::no("QEMU has no arguments");
        for arguments in self.order.arguments.clone() {
            match self.launch(&arguments) {
                // A QEMU that was built without seccomp refuses the option; then it runs without.
                Err(failed) if failed.message.contains("sandbox") => last = failed,
                other => return other,
            }
        }
        Err(last)
    }

    fn launch(&mut self, arguments: &[String]) -> Result<Child, Failed> {
        let mut qemu = self.spawn(arguments)?;
        match self.let_go(&mut qemu) {
            Ok(status) => {
                // Whoever waits for the report may stop the guest at once, for which the lock must be free.
                hand_over(|null| rustix::stdio::dup2_stdin(null));
                say(&Report::Started { pid: i32::try_from(qemu.id()).unwrap_or(i32::MAX), status });
                hand_over(|null| rustix::stdio::dup2_stdout(null));
                self.surroundings.reached(Stage::Running);
                Ok(qemu)
            }
            Err(failed) => {
                let _ = qemu.kill();
                let _ = qemu.wait();
                let _ = std::fs::remove_file(self.order.paths.record());
                Err(failed)
            }
        }
    }

    /// Starts QEMU once, which waits before the guest's first instruction.
    fn spawn(&self, arguments: &[String]) -> Result<Child, Failed> {
        let Order { paths, qemu, helper, memlock, real_user, tuning, .. } = &self.order;
        clear(paths)
            .map_err(|(path, error)| Failed::no(format!("{} cannot be used: {error}", path.display())))?;
        let log = paths.log();
        let at_log = |error: io::Error| Failed::no(format!("{} cannot be used: {error}", log.display()));
        let out = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&log).map_err(at_log)?;
        let err = out.try_clone().map_err(at_log)?;
        let launcher = Launcher { qemu: qemu.clone(), helper: helper.clone() };
        let cpus = tuning.threads.as_ref().map(|threads| &threads.emulator);
        let group = tuning
            .group
            .as_ref()
            .map(|group| tuning.root.join(group.trim_start_matches('/')).join("cgroup.procs"));
        let place = child::Place { memlock: *memlock, cpus, real_user: *real_user, group: group.as_deref() };
        child::command(&launcher, Life::Own, &paths.record(), &place)
            .envs(&self.order.environment)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .current_dir("/")
            .spawn()
            .map_err(|error| Failed::no(format!("{} cannot be started: {error}", helper.display())))
    }

    /// Waits for QEMU, puts its threads in their places, and lets the guest run.
    fn let_go(&mut self, qemu: &mut Child) -> Result<String, Failed> {
        let log = self.order.paths.log();
        let not_ready = |error: QmpError| {
            Failed::no(format!(
                "QEMU was started and did not become ready, so it was ended again: {}; its log is {}",
                chain(&error),
                log.display()
            ))
        };
        let patience = self.order.patience;
        let qmp = ready(qemu, &self.order.paths, Instant::now() + patience, patience).map_err(not_ready)?;
        let Some(mut qmp) = qmp else { return Err(self.died()) };
        self.surroundings.reached(Stage::Paused);
        if let Some(places) = &self.order.tuning.threads {
            threads::place(&mut qmp, places, ANSWER).map_err(|error| {
                Failed::no(format!("the guest's threads cannot be put on their CPUs: {}", chain(&error)))
            })?;
        }
        self.surroundings.reached(Stage::Placed);
        qmp.resume(ANSWER).map_err(not_ready)
    }

    /// What QEMU said before it ended.
    fn died(&self) -> Failed {
        let log = self.order.paths.log();
        let text = std::fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let (words, cause) = explain(&text.unwrap_or_default());
        let words = if words.is_empty() { "it ended without a word".to_owned() } else { words };
        let cause = cause.map(|cause| format!("{cause} — ")).unwrap_or_default();
        Failed::no(format!("QEMU did not start: {cause}{words}; its log is {}", log.display()))
    }

    /// Has the host stay awake while QEMU runs. The guest runs all the same where that cannot be.
    fn keep_awake(&self, qemu: &Child) {
        let Some(guest) = self.order.tuning.plan.guest.as_ref().filter(|_| self.order.tuning.awake) else {
            return;
        };
        // Standard error, which is the log, is the lock's holder's too.
        let pid = i32::try_from(qemu.id()).unwrap_or(i32::MAX);
        match awake::until_ended(guest, pid, Stdio::inherit()) {
            // It ends with QEMU; sooner it ends only where there is no lock for it.
            Ok(mut holder) => drop(std::thread::spawn(move || match holder.wait() {
                Ok(status) if !status.success() => {
                    note(&awake::asleep(&format!("systemd-inhibit ended with {status}")));
                }
                _ => {}
            })),
            Err(why) => note(&why),
        }
    }

    /// Waits for QEMU's end, which the kernel tells however it comes, and puts back what was changed.
    fn wait(&mut self, mut qemu: Child) {
        let ended: io::Result<ExitStatus> = qemu.wait();
        note(&match ended {
            Ok(status) => format!("QEMU has ended ({status})"),
            Err(error) => format!("QEMU could not be waited for: {error}"),
        });
        self.surroundings.reached(Stage::Ended);
        match self.put_back() {
            Ok(()) => note("what was changed for the guest is put back"),
            Err(why) => note(&why),
        }
        self.surroundings.reached(Stage::PutBack);
    }

    /// Takes back what was changed for the guest. While somebody else changes the host, that is waited for.
    fn put_back(&mut self) -> Result<(), String> {
        let Order { tuning, .. } = &self.order;
        if tuning.plan.is_empty() {
            return Ok(());
        }
        let Some(guest) = tuning.plan.guest.clone() else { return Ok(()) };
        let target = Target::open(&tuning.root).map_err(|error| chain(&error))?;
        put_back_when_free(&target, &guest, self.surroundings.runner(), OTHERS)
            .map(drop)
            .map_err(|error| chain(&error))
    }

    /// Takes away what says that there is a supervisor.
    fn leave(&self) {
        for path in [self.order.paths.supervisor(), self.order.paths.order()] {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Changes the host for a guest: all of it, or nothing.
pub(super) fn tune(
    tuning: &Tuning,
    runner: &mut dyn Runner,
    told: &mut dyn FnMut(&str),
) -> Result<(), passthru_apply::Error> {
    if tuning.plan.is_empty() {
        return Ok(());
    }
    let target = Target::open(&tuning.root)?;
    let mut progress = |event: Event<'_>| match event {
        Event::StepStarted { step, .. } => told(&step.what),
        Event::Output { line } => told(line),
        _ => {}
    };
    passthru_apply::apply(&target, &tuning.plan, runner, &mut progress).map(drop)
}

/// Reports a line to whoever started us. If nobody listens any more, nothing is lost.
fn say(report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let _ = io::stdout().lock().write_all(&line);
        let _ = io::stdout().lock().flush();
    }
}

/// Standard error is the supervisor's own log.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "passthru: {text}");
}

/// Gives up the guest's lock, or the pipe to whoever started us. Without `/dev/null` they are kept until our end.
fn hand_over(put: impl Fn(&File) -> rustix::io::Result<()>) {
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = put(&null);
    }
}
