//! What every command needs: where to print, and which host to look at.

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use passthru_apply::Target;
use passthru_host::{Host, Subjects};
use passthru_model::HostFacts;

use crate::commands::change;
use crate::exit::{Exit, Failure};
use crate::printer::Printer;

/// The printer and the choice of host.
#[derive(Debug)]
pub(crate) struct Context {
    /// The only way to the terminal.
    pub(crate) printer: Printer,
    host: Option<PathBuf>,
    /// The mounted system that the command is about; then it is the host too.
    root: Option<PathBuf>,
    /// What is read whatever the command asks for: nothing more, but in the tests that compare.
    least: Subjects,
}

impl Context {
    /// What the global options say.
    pub(crate) fn new(printer: Printer, host: Option<PathBuf>) -> Self {
        Self { printer, host, root: None, least: Subjects::NONE }
    }

    /// From now on about a system that is mounted somewhere, once all of it is found to be there.
    pub(crate) fn in_root(&mut self, root: Option<&Path>) -> Result<(), Failure> {
        let Some(root) = root else { return Ok(()) };
        let root = passthru_host::mounted::system(root).map_err(|error| {
            let failure = Failure::refused(error.to_string());
            error.cure().into_iter().fold(failure, Failure::hint)
        })?;
        self.host = Some(root.clone());
        self.root = Some(root);
        Ok(())
    }

    /// The mounted system that the command is about.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// The host for the room that changes hosts: the running one, or the mounted one.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        let target = match &self.root {
            None => Target::live(),
            Some(root) => Target::open(root),
        };
        target.map_err(|error| change::apply_failure(&error))
    }

    /// Opens the chosen host for reading.
    pub(crate) fn open(&self) -> Result<Host, Failure> {
        match &self.host {
            None => Ok(Host::live()),
            Some(path) => Host::open(path).map_err(|error| Failure::usage(crate::exit::chain(&error))),
        }
    }

    /// The same, with every subject read whatever a command asks for.
    #[cfg(test)]
    pub(crate) fn reading_all(self) -> Self {
        Self { least: Subjects::USUAL, ..self }
    }

    /// Reads everything that is known of the chosen host.
    pub(crate) fn facts(&self) -> Result<ManuallyDrop<HostFacts>, Failure> {
        self.facts_of(Subjects::USUAL)
    }

    /// Reads these subjects of the chosen host, and what they are read from; the rest is unknown.
    ///
    /// The process ends with its command, and the kernel takes all of its memory at once: to take the facts of a large host
    /// apart one by one before would take a tenth of the command's time.
    pub(crate) fn facts_of(&self, subjects: Subjects) -> Result<ManuallyDrop<HostFacts>, Failure> {
        Ok(ManuallyDrop::new(self.gather(&self.open()?, subjects)))
    }

    /// Reads these subjects of an opened host, with what only the environment of this process knows.
    pub(crate) fn gather(&self, host: &Host, subjects: Subjects) -> HostFacts {
        let ssh_connection = std::env::var("SSH_CONNECTION").ok();
        let options = passthru_host::Options { ssh_connection, subjects: subjects | self.least };
        passthru_host::gather_with(host, &options)
    }

    /// Whether the machine we run on is looked at.
    pub(crate) fn is_live(&self) -> bool {
        self.host.is_none()
    }

    /// Whether changes were made on this host that we can tell of: it runs us, or it is mounted.
    pub(crate) fn has_journals(&self) -> bool {
        self.is_live() || self.root.is_some()
    }

    /// Refuses a command that changes a system when a capture or another host to look at was named.
    pub(crate) fn only_systems(&self, command: &str) -> Result<(), Failure> {
        if self.has_journals() {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "‘passthru {command}’ works on this machine, or on a mounted system with --root; leave out --host"
        )))
    }

    /// Refuses a command that changes or needs the live machine when another host was named.
    pub(crate) fn only_live(&self, command: &str) -> Result<(), Failure> {
        if self.is_live() {
            return Ok(());
        }
        Err(Failure::usage(format!("‘passthru {command}’ works on this machine only; leave out --host")))
    }
}

/// Refuses a command that needs root when it is not there.
pub(crate) fn only_root(what: &str) -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, format!("{what} needs root"))
        .hint("run the same command with sudo; the plan can be read without"))
}
