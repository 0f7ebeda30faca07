//! Limits of a process and the groups of a host: `/proc/PID/limits` (proc_pid_limits(5)) and group(5).

pub mod settings;

use std::collections::BTreeMap;

use passthru_model::virtualisation::LockLimit;

/// The row `Max locked memory`, in bytes. `None`: there is none that can be read.
pub fn locked_memory(bytes: &[u8]) -> Option<LockLimit> {
    let text = String::from_utf8_lossy(bytes);
    let row = text.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    let mut words = row.split_ascii_whitespace();
    let mut limit = || match words.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some(LockLimit { soft: limit()?, hard: limit()? })
}

/// The names of groups by their numbers.
pub fn groups(bytes: &[u8]) -> BTreeMap<u32, String> {
    let text = String::from_utf8_lossy(bytes);
    let one = |line: &str| {
        let mut parts = line.split(':');
        let name = parts.next().filter(|name| !name.is_empty())?;
        Some((parts.nth(1)?.parse().ok()?, name.to_owned()))
    };
    text.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::{LockLimit, groups, locked_memory};
    use proptest::prelude::*;

    #[test]
    fn a_limit_is_a_number_or_none() {
        let table = b"Limit                     Soft Limit           Hard Limit           Units     \n\
            Max processes             31000                31000                processes \n\
            Max locked memory         8388608              unlimited            bytes     \n";
        assert_eq!(locked_memory(table), Some(LockLimit { soft: Some(8_388_608), hard: None }));
        assert_eq!(locked_memory(b"Max locked memory x"), None);
    }

    #[test]
    fn groups_are_known_by_number() {
        let found = groups(b"root:x:0:\nkvm:x:993:anna,bob\nbroken\n:x:1:\n");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(0, "root".to_owned()), (993, "kvm".to_owned())]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic(bytes: Vec<u8>) {
            let _ = (locked_memory(&bytes), groups(&bytes));
        }
    }
}
