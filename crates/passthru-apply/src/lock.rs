//! One writer at a time.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;

use crate::error::Error;
use crate::install;
use crate::target::Target;

/// The lock's file. It lies beside the journals and not in `/run`, so that a system mounted under `/mnt` is locked in
/// the same place whether it is reached as `/mnt` or as `/`. The lock is the kernel's: it goes when its holder goes.
pub const LOCK: &str = "/var/lib/passthru/lock";

/// The directory of all that we keep.
pub(crate) const STATE_DIRECTORY: &str = "/var/lib/passthru";

/// How long somebody else is waited for. Some have it for a moment only, as the one who keeps the record of a boot, and who comes
/// just then shall not be turned away.
const MOMENT: Duration = Duration::from_secs(2);

/// How often it is looked whether the lock is free.
const GLANCE: Duration = Duration::from_millis(20);

/// The lock, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock, or says who has it and keeps it.
    pub(crate) fn take(target: &Target) -> Result<Self, Error> {
        let directories = ["/var", "/var/lib", STATE_DIRECTORY].map(str::to_owned);
        install::make_directories(target, &directories).map_err(|error| Error::at(STATE_DIRECTORY, error))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
        let file = target
            .open_at(LOCK, flags, Mode::from_raw_mode(0o644))
            .map_err(|error| Error::at(LOCK, error))?;
        let mut file = File::from(file);
        let until = Instant::now() + MOMENT;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(GLANCE),
                Err(TryLockError::WouldBlock) => {
                    let mut pid = String::new();
                    // Who has it is a courtesy: without it the answer is the same.
                    let _ = file.read_to_string(&mut pid);
                    return Err(Error::Locked { pid: pid.trim().parse().ok() });
                }
                Err(TryLockError::Error(error)) => return Err(Error::at(LOCK, error)),
            }
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| Error::at(LOCK, error))?;
        Ok(Self(file))
    }

    /// Runs something whose child processes hold the lock too: if we are killed, a program that we started goes on, and
    /// nobody may begin to undo its work before it has ended.
    pub(crate) fn shared_with_children<T>(&self, work: impl FnOnce() -> T) -> T {
        // Without the flag the lock is merely not shared.
        let _ = rustix::io::fcntl_setfd(&self.0, FdFlags::empty());
        let result = work();
        let _ = rustix::io::fcntl_setfd(&self.0, FdFlags::CLOEXEC);
        result
    }
}

impl Drop for Lock {
    /// Given back in words, for a program that we started and that stays in the background would keep it otherwise.
    fn drop(&mut self) {
        // If it cannot be, it goes with the last process that has it.
        let _ = self.0.unlock();
    }
}
