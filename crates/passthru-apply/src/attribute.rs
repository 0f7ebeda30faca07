//! Writes an attribute of sysfs, or makes a control group: the one piece of code that takes drivers from devices and gives
//! them others, and that changes values of the running kernel.
//!
//! A driver that does not let go of its device keeps the writer waiting in the kernel for as long as it does not
//! (`device_release_driver`, `drivers/base/dd.c`). So the writing is done by a child with a time limit.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use passthru_model::setting::KernelWrite;

use crate::child::{self, ChildError};

/// Drivers of GPUs take seconds to let go, of NVMe disks up to ten.
const LIMIT: Duration = Duration::from_mins(1);
/// The name under which the child is started.
const NAME: &str = "passthru-attribute-writer";
/// The word before several things to do, three words each.
const MANY: &str = "many";

/// Why an attribute was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeFailure {
    /// The driver hangs. Whether it will ever let go, nobody knows.
    #[error(
        "writing ‘{text}’ to {path} has not come to an end within {} seconds; it is not tried again",
        .limit.as_secs()
    )]
    Hung {
        /// The attribute.
        path: String,
        /// What was to be written.
        text: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The kernel refused, or there is no such attribute.
    #[error("‘{text}’ could not be written to {path}: {why}")]
    Refused {
        /// The attribute.
        path: String,
        /// What was to be written.
        text: String,
        /// Why, in the kernel's words.
        why: String,
    },
}

/// Writes attributes in a child.
#[derive(Clone, Debug)]
pub struct AttributeWriter {
    /// The program that is started: one that calls [`enter`].
    pub helper: PathBuf,
    /// How long one write may take.
    pub limit: Duration,
}

impl Default for AttributeWriter {
    fn default() -> Self {
        Self { helper: child::this_program(), limit: LIMIT }
    }
}

impl AttributeWriter {
    /// Writes a text, in one write as sysfs wants it, to an attribute of this host.
    pub fn write(&self, path: &str, text: &str) -> Result<(), AttributeFailure> {
        self.ask(&[OsStr::new(path), OsStr::new(text)])
            .map(|_| ())
            .map_err(|why| self.failure(path, text, &why))
    }

    /// Does several small things in order, each whether or not those before it could be done, in one child. The answers are in
    /// the same order.
    pub fn write_all(&self, writes: &[KernelWrite]) -> Vec<Result<(), AttributeFailure>> {
        let arguments = writes.iter().flat_map(words);
        let arguments: Vec<&OsStr> = std::iter::once(MANY).chain(arguments).map(OsStr::new).collect();
        let answer = self.ask(&arguments).and_then(|bytes| {
            let answers: Result<Vec<Option<String>>, _> = serde_json::from_slice(&bytes);
            answers.ok().filter(|answers| answers.len() == writes.len()).ok_or(ChildError::NoAnswer)
        });
        let one = |(index, write): (usize, &KernelWrite)| {
            let [_, path, text] = words(write);
            match &answer {
                Ok(answers) => match answers.get(index).cloned().flatten() {
                    None => Ok(()),
                    Some(why) => Err(self.failure(path, text, &ChildError::Refused(why))),
                },
                Err(why) => Err(self.failure(path, text, why)),
            }
        };
        writes.iter().enumerate().map(one).collect()
    }

    fn ask(&self, arguments: &[&OsStr]) -> Result<Vec<u8>, ChildError> {
        child::ask(&self.helper, NAME, arguments, self.limit)
    }

    fn failure(&self, path: &str, text: &str, why: &ChildError) -> AttributeFailure {
        let (path, text) = (path.to_owned(), text.to_owned());
        let why = match why {
            ChildError::TimedOut => return AttributeFailure::Hung { path, text, limit: self.limit },
            ChildError::NotStarted(error) => format!("the writer could not be started: {error}"),
            ChildError::NoAnswer => "the writer ended without an answer".to_owned(),
            ChildError::Refused(why) => why.clone(),
        };
        AttributeFailure::Refused { path, text, why }
    }
}

/// The words that tell the child of one such thing: what is done, the path, and the text.
fn words(write: &KernelWrite) -> [&str; 3] {
    match write {
        KernelWrite::Text { path, text } => ["write", path, text],
        KernelWrite::Make { path } => ["make", path, ""],
        KernelWrite::Remove { path } => ["remove", path, ""],
    }
}

/// Does one such thing in this process, as the child is told of it.
fn do_here(what: &str, path: &Path, text: &str) -> io::Result<()> {
    match what {
        "write" => write_here(path, text),
        "make" => match std::fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        },
        "remove" => match std::fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        },
        _ => Err(io::Error::other("nobody knows how to do that")),
    }
}

/// Does all that the child is told of, and says of each what was in the way.
fn do_all_here(arguments: &[OsString]) -> Option<Vec<u8>> {
    let answers: Option<Vec<Option<String>>> = arguments
        .chunks(3)
        .map(|words| {
            let [what, path, text] = words else { return None };
            let done = do_here(what.to_str()?, Path::new(path), text.to_str()?);
            Some(done.err().map(|error| error.to_string()))
        })
        .collect();
    serde_json::to_vec(&answers?).ok()
}

/// To be called first in `main`: where this process is the child, it does its work and says how it ends.
pub fn enter() -> Option<ExitCode> {
    child::enter(NAME, |arguments| match arguments {
        [many, rest @ ..] if many == MANY => do_all_here(rest).map(Ok),
        [path, text] => Some(write_here(Path::new(path), text.to_str()?).map(|()| Vec::new())),
        _ => None,
    })
}

/// Writes in this process. A line's end goes along: an override is cleared by an empty line, not by nothing.
fn write_here(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(format!("{text}\n").as_bytes())
}

#[cfg(test)]
mod tests;
