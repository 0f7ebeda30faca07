//! `/proc/iomem` (proc_iomem(5); `r_show`, `kernel/resource.c`): a line `START-END : NAME` for each range, two spaces
//! deeper for a range inside another.

use passthru_model::io_memory::{IoMemory, IoRange};

/// The kernel indents no deeper than this (`MAX_IORES_LEVEL`).
const DEEPEST: usize = 8;

/// Reads the ranges; `None` where all addresses are zero, as they are to everybody but root. Lines that are no range
/// are left out.
pub fn parse(bytes: &[u8]) -> Option<IoMemory> {
    let text = String::from_utf8_lossy(bytes);
    let ranges: Vec<IoRange> = text.lines().filter_map(line).collect();
    let hidden = !ranges.is_empty() && ranges.iter().all(|range| range.start == 0 && range.end == 0);
    (!hidden).then_some(IoMemory { ranges })
}

fn line(line: &str) -> Option<IoRange> {
    let inner = line.trim_start_matches(' ');
    let depth = ((line.len() - inner.len()) / 2).min(DEEPEST);
    let (range, name) = inner.split_once(" : ")?;
    let (start, end) = range.split_once('-')?;
    let number = |digits: &str| {
        let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        all.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
    };
    let (start, end) = (number(start)?, number(end)?);
    (start <= end).then(|| IoRange { depth, start, end, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use passthru_model::io_memory::is_boot_framebuffer;
    use proptest::prelude::*;

    /// Of a machine whose firmware drew on the GPU that vfio-pci has now (siderolabs/talos#14356, in our own numbers).
    const TEXT: &[u8] = b"00001000-0009ffff : System RAM\n\
        1800000000-87ffffffff : PCI Bus 0000:00\n\
        \x20 1810000000-18201fffff : PCI Bus 0000:c5\n\
        \x20   1810000000-181fffffff : 0000:c5:00.0\n\
        \x20     1810000000-18107e8fff : BOOTFB\n\
        \x20       1810000000-18107e8fff : simpledrm\n\
        \x20   1820000000-18201fffff : 0000:c5:00.0\n";

    #[test]
    fn who_sits_in_a_bar_is_found_at_any_depth() {
        let map = parse(TEXT).expect("addresses");
        assert_eq!(map.ranges.iter().map(|range| range.depth).collect::<Vec<_>>(), [0, 0, 1, 2, 3, 4, 2]);
        let names = |start, end| map.inside(start, end).map(|range| range.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(0x18_1000_0000, 0x18_1fff_ffff), ["BOOTFB", "simpledrm"]);
        assert!(names(0x18_1000_0000, 0x18_1fff_ffff).into_iter().all(is_boot_framebuffer));
        assert!(names(0x18_2000_0000, 0x18_201f_ffff).is_empty());
    }

    #[test]
    fn zeros_are_no_addresses() {
        assert_eq!(parse(b"00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code\n"), None);
        assert_eq!(parse(b"").map(|map| map.ranges.len()), Some(0));
    }

    proptest! {
        #[test]
        fn what_the_kernel_writes_is_read_back(
            ranges in prop::collection::vec((0usize..8, 1u64.., 0u64..0x1000, "[A-Za-z][A-Za-z0-9:. -]{0,20}"), 1..20)
        ) {
            let text = ranges.iter().fold(String::new(), |text, (depth, start, size, name)| {
                let end = start.saturating_add(*size);
                format!("{text}{:indent$}{start:08x}-{end:08x} : {name}\n", "", indent = depth * 2)
            });
            let map = parse(text.as_bytes()).expect("addresses");
            prop_assert_eq!(map.ranges.len(), ranges.len());
            for (found, (depth, start, _, name)) in map.ranges.iter().zip(&ranges) {
                prop_assert_eq!((found.depth, found.start, &found.name), (*depth, *start, name));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, start: u64, end: u64) {
            if let Some(map) = parse(&bytes) {
                let _ = map.inside(start, end).count();
            }
        }
    }
}
