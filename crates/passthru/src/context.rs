//! What every command needs: where to print, and which host to look at.

use std::path::PathBuf;

use passthru_host::Host;
use passthru_model::HostFacts;

use crate::exit::{Exit, Failure};
use crate::printer::Printer;

/// The printer and the choice of host.
#[derive(Debug)]
pub(crate) struct Context {
    /// The only way to the terminal.
    pub(crate) printer: Printer,
    host: Option<PathBuf>,
}

impl Context {
    /// What the global options say.
    pub(crate) fn new(printer: Printer, host: Option<PathBuf>) -> Self {
        Self { printer, host }
    }

    /// Opens the chosen host for reading.
    pub(crate) fn open(&self) -> Result<Host, Failure> {
        match &self.host {
            None => Ok(Host::live()),
            Some(path) => Host::open(path).map_err(|error| Failure::usage(crate::exit::chain(&error))),
        }
    }

    /// Reads the chosen host.
    pub(crate) fn facts(&self) -> Result<HostFacts, Failure> {
        Ok(gather(&self.open()?))
    }

    /// Whether the machine we run on is looked at.
    pub(crate) fn is_live(&self) -> bool {
        self.host.is_none()
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

/// Reads a host, with what only the environment of this process knows.
pub(crate) fn gather(host: &Host) -> HostFacts {
    let options = passthru_host::gather::Options { ssh_connection: std::env::var("SSH_CONNECTION").ok() };
    passthru_host::gather::gather_with(host, &options)
}
