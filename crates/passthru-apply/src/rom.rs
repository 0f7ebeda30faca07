//! Reads a function's option ROM through sysfs: the one piece of code that switches a ROM on and off.
//!
//! A device that hangs makes its reader hang, in a way that no signal ends. So the reading is done by a child with a time
//! limit, which is this program once more: `main` calls [`enter`] first. Nothing is left behind: the child puts back
//! what it changed on every path, also when its owner is gone.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::child::{self, ChildError};

/// The largest range that a ROM can have, in bytes (PCI Local Bus Specification 3.0, §6.2.5.2).
pub const MOST_BYTES: u64 = 16 << 20;
/// A ROM of 1 MiB takes about a second: every four bytes are one access to a slow chip.
const LIMIT: Duration = Duration::from_mins(1);
/// The name under which the child is started.
const NAME: &str = "passthru-rom-reader";
/// Any text switches it on.
const ON: &[u8] = b"1\n";
/// With the line's end: the kernel takes `0` alone for on (`pci_write_rom`, `drivers/pci/pci-sysfs.c`).
const OFF: &[u8] = b"0\n";

/// Why a ROM could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RomReadError {
    /// The child could not be started.
    #[error("the reader of the ROM could not be started")]
    NotStarted(#[source] io::Error),
    /// The device hangs.
    #[error(
        "the device did not give its ROM within {} seconds; the reader is left alone, and switches the ROM off \
         should the device answer",
        .0.as_secs()
    )]
    TimedOut(Duration),
    /// The child ended without an answer.
    #[error("the reader of the ROM ended without an answer")]
    NoAnswer,
    /// The kernel refused, in its words or better ones.
    #[error("{0}")]
    Refused(String),
}

/// Reads ROMs in a child.
#[derive(Clone, Debug)]
pub struct RomReader {
    /// The program that is started: one that calls [`enter`].
    pub helper: PathBuf,
    /// How long it may take.
    pub limit: Duration,
}

impl Default for RomReader {
    fn default() -> Self {
        Self { helper: child::this_program(), limit: LIMIT }
    }
}

impl RomReader {
    /// Reads the ROM of the function whose directory in sysfs this is, and leaves the function as it was.
    pub fn read(&self, directory: &Path) -> Result<Vec<u8>, RomReadError> {
        child::ask(&self.helper, NAME, &[directory.as_os_str()], self.limit).map_err(|error| match error {
            ChildError::NotStarted(error) => RomReadError::NotStarted(error),
            ChildError::TimedOut => RomReadError::TimedOut(self.limit),
            ChildError::NoAnswer => RomReadError::NoAnswer,
            ChildError::Refused(why) => RomReadError::Refused(why),
        })
    }
}

/// To be called first in `main`: where this process is the child, it does its work and says how it ends.
pub fn enter() -> Option<ExitCode> {
    child::enter(NAME, |arguments| match arguments {
        [directory] => Some(read_here(Path::new(directory))),
        _ => None,
    })
}

/// Reads the ROM in this process: without a time limit, for a process that has nothing else to do.
pub fn read_here(directory: &Path) -> io::Result<Vec<u8>> {
    let awake = Awake::keep(&directory.join("power/control"));
    let path = directory.join("rom");
    let switch = |value| OpenOptions::new().write(true).open(&path)?.write_all(value);
    switch(ON)?;
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
    let off = switch(OFF);
    drop(awake);
    read.map_err(in_words)?;
    off?;
    Ok(bytes)
}

/// The kernel's numbers as sentences (`pci_read_rom`, `drivers/pci/pci-sysfs.c`).
fn in_words(error: io::Error) -> io::Error {
    match rustix::io::Errno::from_io_error(&error) {
        Some(rustix::io::Errno::IO) => {
            io::Error::other("the kernel finds no ROM there, or has no address for it (EIO)")
        }
        Some(rustix::io::Errno::INVAL) => {
            io::Error::other("somebody else switched it off meanwhile (EINVAL)")
        }
        _ => error,
    }
}

/// A device that is kept from falling asleep, as one does that vfio-pci has and nobody uses.
struct Awake {
    control: PathBuf,
    before: Option<String>,
}

impl Awake {
    /// A device without power management, or one that is kept awake already, is left alone.
    fn keep(control: &Path) -> Self {
        let before = std::fs::read_to_string(control).ok().map(|word| word.trim().to_owned());
        let before = before.filter(|word| word != "on");
        if before.is_some() {
            let _ = std::fs::write(control, "on");
        }
        Self { control: control.to_owned(), before }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = std::fs::write(&self.control, before);
        }
    }
}

#[cfg(test)]
mod tests;
