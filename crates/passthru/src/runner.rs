//! Runs the programs of a plan on this machine, and writes to its sysfs, for the room that changes hosts.

use std::path::Path;
use std::time::{Duration, Instant};

use passthru_apply::{AttributeFailure, AttributeWriter, RunFailure, Runner};
use passthru_guest::run::supervisor::Surroundings;
use passthru_host::program::{self, ProgramError, Stream};
use passthru_host::{Host, Options, Subject, Subjects, gather_with};
use passthru_model::PciAddress;
use passthru_model::holders::Holder;
use passthru_model::program::Program;
use passthru_model::setting::KernelWrite;

use crate::printer::plain;

/// Longer than the slowest rebuild that we have seen (an initramfs under emulation: 2.5 minutes), and not for ever.
const LIMIT: Duration = Duration::from_mins(30);

/// Longer than systemd itself waits for a unit to start or stop (`DefaultTimeoutStopSec=`, systemd-system.conf(5)).
const UNIT_LIMIT: Duration = Duration::from_mins(3);

/// systemd keeps what serves a user for ten seconds after the last session (`UserStopDelaySec=`, logind.conf(5)).
const LETTING_GO: Duration = Duration::from_secs(40);

/// How often it is looked who has a function open.
const RETRY: Duration = Duration::from_millis(250);

/// A driver that is loaded looks at its devices first, and may wait for one that does not answer.
const MODULE_LIMIT: Duration = Duration::from_mins(2);

/// The real programs of the live host, or of a mounted system inside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostRunner;

impl Runner for HostRunner {
    fn run(
        &mut self,
        program: Program,
        arguments: &[String],
        root: &Path,
        line: &mut dyn FnMut(&str),
    ) -> Result<(), RunFailure> {
        let command_line = program.command_line(arguments);
        let limit = match program {
            Program::Modprobe | Program::Rmmod => MODULE_LIMIT,
            Program::Systemctl => UNIT_LIMIT,
            _ => LIMIT,
        };
        let mut seen = |_: Stream, text: &str| line(text);
        let ran = if root == Path::new("/") {
            program::run(program, arguments, limit, &mut seen)
        } else {
            program::run_inside(root, program, arguments, limit, &mut seen)
        };
        match ran {
            Ok(_) => Ok(()),
            Err(error) => Err(failure(command_line, error)),
        }
    }

    fn write_attribute(&mut self, path: &str, text: &str, root: &Path) -> Result<(), AttributeFailure> {
        if root != Path::new("/") {
            let why = format!("{} is not the running system", root.display());
            return Err(AttributeFailure::Refused { path: path.to_owned(), text: text.to_owned(), why });
        }
        AttributeWriter::default().write(path, text)
    }

    fn write_kernel(&mut self, writes: &[KernelWrite], root: &Path) -> Vec<Result<(), AttributeFailure>> {
        if root != Path::new("/") {
            let why = format!("{} is not the running system", root.display());
            let refused = |write: &KernelWrite| {
                let path = write.path().to_owned();
                Err(AttributeFailure::Refused { path, text: String::new(), why: why.clone() })
            };
            return writes.iter().map(refused).collect();
        }
        AttributeWriter::default().write_all(writes)
    }

    fn let_go(&mut self, functions: &[PciAddress], root: &Path) -> Vec<String> {
        if root != Path::new("/") {
            return Vec::new();
        }
        let deadline = Instant::now() + LETTING_GO;
        loop {
            let holders = holders(functions);
            if holders.is_empty() || Instant::now() >= deadline {
                return holders;
            }
            std::thread::sleep(RETRY);
        }
    }
}

impl Surroundings for HostRunner {
    fn runner(&mut self) -> &mut dyn Runner {
        self
    }
}

/// Who has any of these functions open now, so that its driver would wait. What cannot be seen is not there: root sees all.
fn holders(functions: &[PciAddress]) -> Vec<String> {
    let options =
        Options { subjects: Subjects::of(&[Subject::Groups, Subject::Holders]), ..Options::default() };
    let facts = gather_with(&Host::live(), &options);
    let found = facts.holders.value().cloned().unwrap_or_default();
    let keeps = |holder: &&Holder| functions.iter().any(|at| holder.files_that_keep(*at).next().is_some());
    let who = |holder: &Holder| format!("{} (process {})", plain(&holder.program), holder.process);
    found.holders.iter().filter(keeps).map(who).collect()
}

/// Says in the other room's words what went wrong.
fn failure(command_line: String, error: ProgramError) -> RunFailure {
    match error {
        ProgramError::Failed { status, stderr, .. } => RunFailure {
            command_line,
            reason: format!("failed ({status})"),
            status: None,
            stderr_tail: stderr,
        },
        other => RunFailure {
            command_line,
            reason: format!("did not run: {other}"),
            status: None,
            stderr_tail: String::new(),
        },
    }
}
