//! Writes an attribute of sysfs: the one piece of code that takes drivers from devices and gives them others.
//!
//! A driver that does not let go of its device keeps the writer waiting in the kernel for as long as it does not
//! (`device_release_driver`, `drivers/base/dd.c`). So the writing is done by a child with a time limit.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::child::{self, ChildError};

/// Drivers of GPUs take seconds to let go, of NVMe disks up to ten.
const LIMIT: Duration = Duration::from_mins(1);
/// The name under which the child is started.
const NAME: &str = "passthru-attribute-writer";

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
        let (name, said) = (path.to_owned(), text.to_owned());
        let refused = |why: String| AttributeFailure::Refused { path: name.clone(), text: said.clone(), why };
        match child::ask(&self.helper, NAME, &[OsStr::new(path), OsStr::new(text)], self.limit) {
            Ok(_) => Ok(()),
            Err(ChildError::TimedOut) => {
                Err(AttributeFailure::Hung { path: name, text: said, limit: self.limit })
            }
            Err(ChildError::NotStarted(error)) => {
                Err(refused(format!("the writer could not be started: {error}")))
            }
            Err(ChildError::NoAnswer) => Err(refused("the writer ended without an answer".to_owned())),
            Err(ChildError::Refused(why)) => Err(refused(why)),
        }
    }
}

/// To be called first in `main`: where this process is the child, it does its work and says how it ends.
pub fn enter() -> Option<ExitCode> {
    child::enter(NAME, |arguments| match arguments {
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
