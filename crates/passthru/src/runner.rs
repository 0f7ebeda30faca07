//! Runs the programs of a plan on this machine, for the room that changes hosts.

use std::path::Path;
use std::time::Duration;

use passthru_apply::{RunFailure, Runner};
use passthru_host::program::{self, ProgramError, Stream};
use passthru_model::program::Program;

/// Longer than the slowest rebuild that we have seen (an initramfs under emulation: 2.5 minutes), and not for ever.
const LIMIT: Duration = Duration::from_mins(30);

/// The real programs of the live host.
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
        if root != Path::new("/") {
            return Err(RunFailure {
                command_line,
                reason: format!("cannot be run inside {}", root.display()),
                status: None,
                stderr_tail: String::new(),
            });
        }
        let mut seen = |_: Stream, text: &str| line(text);
        match program::run(program, arguments, LIMIT, &mut seen) {
            Ok(_) => Ok(()),
            Err(error) => Err(failure(command_line, error)),
        }
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
