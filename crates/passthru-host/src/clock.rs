//! The time, and which boot this is.

use crate::error::ReadError;
use crate::host::Host;

/// Now, in UTC, as RFC 3339 writes it: `2026-11-22T20:14:05Z`.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    let seconds = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
    seconds.to_string()
}

/// The kernel's random name for the present boot (random(4), `boot_id`): it tells whether the host was rebooted since.
pub fn boot_id(host: &Host) -> Result<String, ReadError> {
    host.read("/proc/sys/kernel/random/boot_id").map(|bytes| passthru_formats::sysfs::line(&bytes))
}

#[cfg(test)]
mod tests {
    use super::{boot_id, now};
    use crate::host::Host;

    #[test]
    fn now_is_written_without_fractions_in_utc() {
        let now = now();
        assert!(now.len() == 20 && now.ends_with('Z') && now.as_bytes().get(10) == Some(&b'T'), "{now}");
    }

    #[test]
    fn the_boot_has_a_name_that_stays() {
        let host = Host::live();
        assert_eq!(boot_id(&host), boot_id(&host));
    }
}
