//! Whether QEMU started by hand may lock the memory of a guest with devices.

use passthru_model::HostFacts;
use passthru_model::facts::HostKind;
use passthru_model::virtualisation::{LockKind, LockSetting};

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "locked-memory",
    title: "a program of this user may lock the memory of a guest",
    section: "Plain QEMU without libvirt",
    why: "a device writes into the guest's memory by itself, so all of it stays locked: the limit must be the guest's memory and a gigabyte more",
    run,
};

/// A small guest and the gigabyte that devices take, in bytes.
const SMALL_GUEST: u64 = 5 << 30;

/// Whether a line gives enough for a guest, as the most that a program may ask for.
fn raises(setting: &LockSetting) -> bool {
    setting.kind != LockKind::Soft && setting.bytes.is_none_or(|bytes| bytes >= SMALL_GUEST)
}

fn run(facts: &HostFacts) -> Outcome {
    if facts.surroundings.kind == HostKind::Capture {
        return Outcome::unknown(
            "how much memory may be locked",
            "a capture has the limit of whoever made it",
        );
    }
    let Some(limit) = facts.virtualisation.lock_limit.value() else {
        return Outcome::unknown(
            "how much memory may be locked",
            facts.virtualisation.lock_limit.because().unwrap_or_default(),
        );
    };
    let shown = |limit: Option<u64>| {
        limit.map_or_else(|| "as much as it wants".to_owned(), |bytes| format!("{} MiB", bytes >> 20))
    };
    let mut remarks = Remarks::default();
    remarks.seen(
        "/proc/self/limits",
        format!("Max locked memory {} (at most {})", shown(limit.soft), shown(limit.hard)),
    );
    // Root may lock without a limit (capabilities(7), CAP_IPC_LOCK), and libvirt raises it for its guests.
    if facts.surroundings.root {
        return remarks
            .outcome("root may lock as much as it wants, and libvirt raises the limit for its guests");
    }
    if limit.hard.is_some_and(|bytes| bytes < SMALL_GUEST) {
        let mut settings = facts.virtualisation.lock_settings.value().into_iter().flatten();
        // The last line counts that raises it for somebody: whether that is this user is not guessed at.
        let raising = settings.rfind(|said| raises(&said.what));
        let little = format!(
            "QEMU started by this user may lock {}, too little for a guest with devices",
            shown(limit.hard)
        );
        match raising {
            Some(said) => remarks
                .warn(format!("{little}, although {} lets {} lock {}", said.place(), said.what.whom, shown(said.what.bytes)))
                .seen(said.place(), format!("memlock of {}: {}", said.what.whom, shown(said.what.bytes)))
                .by_hand(format!("Log in again, for it holds from the next login on; where it does not, {} does not stand for this user", said.what.whom)),
            None => remarks.warn(little).by_hand(
                "`passthru isolate --guest-user USER` raises it, or lines in /etc/security/limits.d do (USER hard memlock unlimited, and soft); log in again; libvirt needs no change",
            ),
        };
    } else if limit.soft.is_some_and(|bytes| bytes < SMALL_GUEST) {
        remarks
            .warn(format!("the limit is {} unless a program raises it, which it may", shown(limit.soft)))
            .by_hand("ulimit -l unlimited in the shell that starts QEMU");
    }
    remarks.outcome(format!("a program of this user may lock {}", shown(limit.soft)))
}
