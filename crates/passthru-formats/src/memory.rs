//! Small files about memory: `/proc/meminfo` and the `meminfo` of a NUMA node, `/proc/buddyinfo`, settings that show all
//! their choices, and sizes of caches.

use std::collections::BTreeMap;

use passthru_model::memory::ZoneBlocks;

use crate::error::FormatError;

/// The amounts in KiB of `/proc/meminfo` (`fs/proc/meminfo.c`), or of a node's `meminfo`, where each line begins with
/// `Node N` (`drivers/base/node.c`). Lines that count something else than memory are left out.
pub fn meminfo(bytes: &[u8]) -> BTreeMap<String, u64> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some((name, amount)) = line.split_once(':') else { continue };
        let Some(amount) = amount.trim().strip_suffix(" kB") else { continue };
        if let (Some(name), Ok(amount)) = (name.split_ascii_whitespace().next_back(), amount.trim().parse()) {
            found.insert(name.to_owned(), amount);
        }
    }
    found
}

/// `/proc/buddyinfo` (`frag_show_print`, `mm/vmstat.c`): `Node 0, zone   Normal    762    893 …`.
pub fn buddyinfo(bytes: &[u8]) -> Result<Vec<ZoneBlocks>, FormatError> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for (position, line) in text.lines().enumerate() {
        let wrong = || {
            FormatError::new(
                "buddyinfo",
                position + 1,
                format!("‘{line}’ is not a zone with its free blocks"),
            )
        };
        let (node, rest) =
            line.strip_prefix("Node ").and_then(|rest| rest.split_once(',')).ok_or_else(wrong)?;
        let mut words = rest.trim_start().strip_prefix("zone").ok_or_else(wrong)?.split_ascii_whitespace();
        found.push(ZoneBlocks {
            node: node.trim().parse().map_err(|_| wrong())?,
            zone: words.next().ok_or_else(wrong)?.to_owned(),
            free: words.map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?,
        });
    }
    Ok(found)
}

/// The chosen word of a setting that shows all its choices: `always [madvise] never`.
pub fn chosen(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('[')?;
    let (word, _) = rest.split_once(']')?;
    (!word.is_empty()).then_some(word)
}

/// The `size` of a cache (`drivers/base/cacheinfo.c` writes KiB with a `K`), in KiB.
pub fn cache_size_kib(text: &str) -> Option<u64> {
    let (digits, factor) = match text.strip_suffix('K') {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('M')?, 1024),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor).filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use super::{buddyinfo, cache_size_kib, chosen, meminfo};
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_of_the_host_and_of_a_node() {
        let host =
            meminfo(b"MemTotal:       32651016 kB\nHugePages_Total:      16\nHugepagesize:       2048 kB\n");
        assert_eq!((host.get("MemTotal"), host.get("Hugepagesize")), (Some(&32_651_016), Some(&2048)));
        assert_eq!(host.get("HugePages_Total"), None);
        let node = meminfo(b"\nNode 1 MemTotal:       16777216 kB\nNode 1 Active(anon):  7 kB\n");
        assert_eq!((node.get("MemTotal"), node.get("Active(anon)")), (Some(&16_777_216), Some(&7)));
    }

    #[test]
    fn free_blocks_are_counted_by_their_order() {
        let zones =
            buddyinfo(b"Node 0, zone      DMA      0      1\nNode 1, zone   Normal    762    893      4 \n");
        let zones = zones.expect("reads");
        assert_eq!(
            (zones[1].node, zones[1].zone.as_str(), zones[1].free.as_slice()),
            (1, "Normal", &[762, 893, 4][..])
        );
        assert_eq!((zones[1].free_pages(), zones[1].pages_from(2), zones[1].pages_from(9)), (2564, 16, 0));
        let error = buddyinfo(b"Node 0, zone DMA 1 2\nNode 0, zone DMA x\n").expect_err("no number");
        assert_eq!(
            error.to_string(),
            "line 2 of buddyinfo: ‘Node 0, zone DMA x’ is not a zone with its free blocks"
        );
    }

    #[test]
    fn the_chosen_word_stands_in_brackets() {
        assert_eq!(chosen("always [madvise] never\n"), Some("madvise"));
        assert_eq!([chosen("always"), chosen("[]"), chosen("]x[")], [None, None, None]);
    }

    #[test]
    fn caches_have_sizes_in_kib() {
        assert_eq!(
            ["24576K", "32M", "0K", "K", "-1K", "12"].map(cache_size_kib),
            [Some(24_576), Some(32_768), None, None, None, None]
        );
    }

    proptest! {
        #[test]
        fn zones_as_the_kernel_writes_them_are_read_back(zones in prop::collection::vec((0u32..64, prop::collection::vec(any::<u64>(), 1..12)), 0..8)) {
            let text = zones.iter().fold(String::new(), |text, (node, free)| {
                let free = free.iter().map(|count| format!("{count:6}")).collect::<Vec<_>>().join(" ");
                format!("{text}Node {node}, zone {:>8} {free}\n", "Normal")
            });
            let found = buddyinfo(text.as_bytes()).expect("reads");
            prop_assert_eq!(found.into_iter().map(|zone| (zone.node, zone.free)).collect::<Vec<_>>(), zones);
        }

        #[test]
        fn no_bytes_make_a_parser_panic(bytes: Vec<u8>, text in "\\PC{0,30}") {
            let zones = buddyinfo(&bytes).unwrap_or_default();
            let _ = (meminfo(&bytes), chosen(&text), cache_size_kib(&text));
            let _ = zones.iter().map(|zone| zone.pages_from(1)).max();
        }
    }
}
