//! A specification of what another program keeps: domain XML of libvirt, a command line of QEMU, a quickemu file. What is
//! said there and cannot be said in a specification is accounted for, line by line. Nothing is run.

mod desktop;
mod draft;
mod libvirt;
mod libvirt_desktop;
mod libvirt_devices;
mod libvirt_memory;
mod libvirt_tuning;
mod qemu;
mod qemu_devices;
mod qemu_drives;
mod qemu_tuning;
mod quickemu;
mod reasons;
mod tuning;

use std::path::Path;

use passthru_formats::libvirt_domain::DomainError;
use passthru_formats::qemu_command::{self, QemuCommandError};
use passthru_formats::shell::{ShellError, ShellFile};
use passthru_model::HostFacts;
use schemars::JsonSchema;
use serde::Serialize;

use crate::name::{GuestName, NameError};
use crate::spec::GuestSpec;

/// What becomes of something that a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It makes the guest another one, and a specification cannot say it.
    Lost,
    /// passthru sees to it itself, or it is not the guest's.
    LeftOut,
}

/// Something that a file says and the specification does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Note {
    /// The line of the file, from 1.
    pub line: usize,
    /// What becomes of it.
    pub fate: Fate,
    /// What stands there.
    pub what: String,
    /// Why it is not carried over, or what is there instead.
    pub why: String,
}

/// A file to import.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its path as the user names it, for errors.
    pub path: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// The directory that relative paths in it are taken from, absolute.
    pub folder: &'a Path,
}

/// A specification, and what did not come into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The specification.
    pub spec: GuestSpec,
    /// What it does not say, in order of line.
    pub notes: Vec<Note>,
}

/// Why a file makes no specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It begins like XML and is no domain.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// It is no text, or no shell could read it.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// It is something else.
    #[error(
        "{path}: this is neither domain XML of libvirt, nor a command or script that starts qemu-system-x86_64, nor a quickemu file"
    )]
    Other {
        /// The file.
        path: String,
    },
    /// Something without which there is no guest.
    #[error("{path}: it does not say {what}")]
    Missing {
        /// The file.
        path: String,
        /// What is not said.
        what: &'static str,
    },
    /// A value that a guest cannot have.
    #[error("{path}:{line}: ‘{}’ is no {what}", value.escape_debug())]
    Value {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// What it should be.
        what: &'static str,
        /// What is written.
        value: String,
    },
    /// A name that is no guest's here.
    #[error("{path}: {error}; give one with --name")]
    Name {
        /// The file.
        path: String,
        /// What is wrong with it.
        error: NameError,
    },
}

/// Imports a file. `name` is the guest's name instead of the one in the file.
pub fn import(
    source: &Source<'_>,
    name: Option<GuestName>,
    facts: &HostFacts,
) -> Result<Imported, ImportError> {
    let path = || source.path.to_owned();
    let text = std::str::from_utf8(source.bytes).map_err(|error| ImportError::Unreadable {
        path: path(),
        why: format!("not text in UTF-8: {error}"),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('<') {
        return libvirt::import(source, name, facts);
    }
    let unreadable = |error: ShellError| ImportError::Unreadable { path: path(), why: error.to_string() };
    match qemu_command::parse(text) {
        Ok(command) => qemu::import(source, &command, name, facts),
        Err(QemuCommandError::Shell(error)) => Err(unreadable(error)),
        Err(QemuCommandError::NoCommand) if quickemu::may_be_one(text) => {
            let file = ShellFile::parse(text).map_err(unreadable)?;
            quickemu::import(source, &file, name, facts)
        }
        Err(QemuCommandError::NoCommand) => Err(ImportError::Other { path: path() }),
    }
}
