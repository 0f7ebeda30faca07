//! The way in which this crate runs programs and writes to sysfs: it does not. Whoever calls gives a [`Runner`].

use std::path::Path;

use passthru_model::address::PciAddress;
use passthru_model::program::Program;
use passthru_model::setting::KernelWrite;

use crate::attribute::AttributeFailure;

/// Why a program did not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("‘{command_line}’ {reason}{}", stderr_suffix(.stderr_tail))]
pub struct RunFailure {
    /// The command as a person would type it.
    pub command_line: String,
    /// What went wrong, as the rest of a sentence: "ended with status 1", "was not found; it is in the package …".
    pub reason: String,
    /// Its exit status, where it ran and ended by itself.
    pub status: Option<i32>,
    /// The last lines that it wrote to standard error.
    pub stderr_tail: String,
}

fn stderr_suffix(tail: &str) -> String {
    let tail = tail.trim_end();
    if tail.is_empty() { String::new() } else { format!(", and said:\n{tail}") }
}

/// Runs programs and writes attributes of sysfs. The real one is in the crate that opens the host; tests bring fakes.
pub trait Runner {
    /// Runs `program` to its end with these arguments inside the host whose root directory is `root`.
    ///
    /// Each line that it writes, on either stream, goes to `line` as it comes. A status other than 0, a program that is
    /// not there and one that took too long are all failures.
    fn run(
        &mut self,
        program: Program,
        arguments: &[String],
        root: &Path,
        line: &mut dyn FnMut(&str),
    ) -> Result<(), RunFailure>;

    /// Writes a text to an attribute of sysfs of the host whose root directory is `root`, and waits for the kernel to have
    /// acted on it, but not for ever. Refuses, where nothing else is said.
    fn write_attribute(&mut self, path: &str, text: &str, _root: &Path) -> Result<(), AttributeFailure> {
        let why = "there is no running system here".to_owned();
        Err(AttributeFailure::Refused { path: path.to_owned(), text: text.to_owned(), why })
    }

    /// Does several small things to the running kernel of that host, in order and each whether or not those before it could be
    /// done; the answers are in the same order. Refuses, where nothing else is said.
    fn write_kernel(&mut self, writes: &[KernelWrite], _root: &Path) -> Vec<Result<(), AttributeFailure>> {
        let refused = |write: &KernelWrite| {
            let why = "there is no running system here".to_owned();
            Err(AttributeFailure::Refused { path: write.path().to_owned(), text: String::new(), why })
        };
        writes.iter().map(refused).collect()
    }

    /// Waits until no program has any of these functions open, but not for ever, and says who still has. Nobody, where nothing else
    /// is said.
    fn let_go(&mut self, _functions: &[PciAddress], _root: &Path) -> Vec<String> {
        Vec::new()
    }

    /// Whether it starts real processes, which must then hold the lock for as long as they live, should we be killed.
    fn starts_processes(&self) -> bool {
        true
    }
}
