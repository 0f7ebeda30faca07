//! Locked memory: vfio pins all memory of a guest, and the kernel counts it against `RLIMIT_MEMLOCK`.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::size::{MIB, MemorySize};

/// What QEMU and the devices' own memory take besides the guest's memory; libvirt allows the same
/// (`qemuDomainGetMemLockLimitBytes`).
const BESIDES: u64 = 1 << 30;

/// The limit is too low, and only root can raise it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the guest's memory must be locked for its devices: {} MiB are needed and this user may lock {} MiB; raise the limit (LimitMEMLOCK= in systemd, memlock in /etc/security/limits.conf), or start the guest as root", needed / MIB, allowed / MIB)]
pub struct MemlockError {
    /// Bytes needed.
    pub needed: u64,
    /// Bytes allowed.
    pub allowed: u64,
}

/// Bytes that a guest with passed devices locks.
pub(crate) fn needed(memory: MemorySize) -> u64 {
    memory.bytes().saturating_add(BESIDES)
}

/// The limit to set for a guest that locks this much; `None`: what is inherited is enough.
pub(crate) fn limit_for(needed: u64) -> Result<Option<u64>, MemlockError> {
    decide(needed, &getrlimit(Resource::Memlock), rustix::process::geteuid().is_root())
}

fn decide(needed: u64, now: &Rlimit, root: bool) -> Result<Option<u64>, MemlockError> {
    // No value means no limit.
    if now.current.is_none_or(|current| current >= needed) {
        return Ok(None);
    }
    match now.maximum {
        Some(allowed) if allowed < needed && !root => Err(MemlockError { needed, allowed }),
        _ => Ok(Some(needed)),
    }
}

/// Sets the limit of this process.
pub(super) fn set(bytes: u64) -> rustix::io::Result<()> {
    let maximum = getrlimit(Resource::Memlock).maximum.map(|maximum| maximum.max(bytes));
    setrlimit(Resource::Memlock, Rlimit { current: Some(bytes), maximum })
}

#[cfg(test)]
mod tests {
    use super::{MemlockError, decide};
    use rustix::process::Rlimit;

    #[test]
    fn root_raises_the_limit_and_others_only_as_far_as_they_may() {
        let limit = |current, maximum| Rlimit { current, maximum };
        assert_eq!(decide(100, &limit(None, None), false), Ok(None));
        assert_eq!(decide(100, &limit(Some(100), Some(100)), false), Ok(None));
        assert_eq!(decide(100, &limit(Some(8), Some(200)), false), Ok(Some(100)));
        assert_eq!(decide(100, &limit(Some(8), None), false), Ok(Some(100)));
        assert_eq!(decide(100, &limit(Some(8), Some(8)), true), Ok(Some(100)));
        assert_eq!(
            decide(100, &limit(Some(8), Some(9)), false),
            Err(MemlockError { needed: 100, allowed: 9 })
        );
    }
}
