//! Runs the programs of a plan on this machine, and writes to its sysfs, for the room that changes hosts.

use std::path::Path;
use std::time::Duration;

use passthru_apply::{AttributeFailure, AttributeWriter, RunFailure, Runner};
use passthru_guest::run::supervisor::Surroundings;
use passthru_host::program::{self, ProgramError, Stream};
use passthru_model::program::Program;
use passthru_model::setting::KernelWrite;

/// Longer than the slowest rebuild that we have seen (an initramfs under emulation: 2.5 minutes), and not for ever.
const LIMIT: Duration = Duration::from_mins(30);

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
        let limit = if program == Program::Modprobe { MODULE_LIMIT } else { LIMIT };
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
}

impl Surroundings for HostRunner {
    fn runner(&mut self) -> &mut dyn Runner {
        self
    }
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
