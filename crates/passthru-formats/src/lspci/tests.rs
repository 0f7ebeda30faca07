//! Texts as they are found in reports and forums.

use super::{is_listing, parse};
use proptest::prelude::*;

const VERBOSE: &str = "\
00:01.0 PCI bridge [0604]: Intel Corporation Bridge [8086:1901] (rev 07) (prog-if 00 [Normal decode])
\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0
\tKernel driver in use: pcieport

0000:01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GM204 [GeForce GTX 970] [10de:13c2] (rev a1) (prog-if 00 [VGA controller])
\tSubsystem: eVga.com. Corp. Device [3842:3975]
\tIOMMU group: 14
\tNUMA node: 1
\tRegion 0: Memory at eb000000 (32-bit, non-prefetchable) [size=16M]
\tRegion 1: Memory at f800000000 (64-bit, prefetchable) [size=16G]
\tRegion 5: I/O ports at f000 [size=128]
\tRegion 3: Memory at <unassigned> (64-bit, prefetchable) [disabled]
\tExpansion ROM at ec000000 [virtual] [disabled] [size=512K]
\tCapabilities: [320 v1] Single Root I/O Virtualization (SR-IOV)
\t\tRegion 2: Memory at 0000006402000000 (64-bit, prefetchable) [size=1M]
\tKernel driver in use: nvidia
\tKernel modules: nouveau, nvidia
";

#[test]
fn a_verbose_listing_tells_ids_drivers_groups_and_ranges() {
    assert!(is_listing(VERBOSE));
    let listing = parse(VERBOSE).expect("right");
    assert!(listing.tells_drivers && listing.tells_groups);
    let bridge = &listing.functions[&"00:01.0".parse().expect("an address")];
    assert_eq!((bridge.secondary_bus, bridge.is_bridge(), bridge.revision), (Some(1), true, 7));
    let card = &listing.functions[&"01:00.0".parse().expect("an address")];
    assert_eq!(
        (card.id.to_string().as_str(), card.subsystem.unwrap_or_default().to_string().as_str()),
        ("10de:13c2", "3842:3975")
    );
    assert_eq!(
        (card.class.bits(), card.name.as_str()),
        (0x03_00_00, "NVIDIA Corporation GM204 [GeForce GTX 970]")
    );
    assert_eq!((card.group, card.numa_node, card.driver.as_deref()), (Some(14), Some(1), Some("nvidia")));
    assert_eq!(card.has_rom, Some(true));
    let ranges: Vec<_> = card.resources.iter().flatten().map(|range| (range.index, range.size())).collect();
    assert_eq!(ranges, [(0, 16 << 20), (1, 16 << 30), (5, 128)]);
    assert_eq!(card.resources.as_ref().map(|ranges| ranges[2].is_memory()), Some(false));
}

#[test]
fn with_a_single_v_group_and_node_are_among_the_flags_and_ranges_have_no_numbers() {
    let text = "01:00.0 0300: 10de:13c2 (rev a1)\n\tSubsystem: 3842:3975\n\tFlags: bus master, fast devsel, IRQ 16, NUMA node 0, IOMMU group 3\n\tMemory at eb000000 (32-bit, non-prefetchable) [size=16M]\n\tBus: primary=00\n";
    let listing = parse(text).expect("right");
    let card = listing.functions.values().next().expect("one");
    assert_eq!((card.group, card.numa_node, card.resources.clone()), (Some(3), Some(0), None));
    assert_eq!((card.id.to_string().as_str(), card.has_rom), ("10de:13c2", Some(false)));
    assert!(!listing.tells_drivers);
}

/// A dump of this many bytes of an endpoint.
fn dump(size: usize) -> String {
    let mut bytes = vec![0u8; size];
    bytes[..16].copy_from_slice(&[0xde, 0x10, 0xc2, 0x13, 6, 0, 0x10, 0, 0xa1, 0, 0, 3, 0, 0, 0x80, 0]);
    bytes[0x2c..0x30].copy_from_slice(&[0x42, 0x38, 0x75, 0x39]);
    bytes.chunks(16).enumerate().fold(String::new(), |text, (row, bytes)| {
        let bytes = bytes.iter().fold(String::new(), |line, byte| format!("{line} {byte:02x}"));
        format!("{text}{:02x}:{bytes}\n", row * 16)
    })
}

#[test]
fn names_alone_are_enough_where_there_is_a_dump() {
    for size in [64, 256, 4096] {
        let text =
            format!("01:00.0 VGA compatible controller: NVIDIA Corporation GM204 (rev a1)\n{}\n", dump(size));
        let listing = parse(&text).expect("right");
        let card = listing.functions.values().next().expect("one");
        assert_eq!(
            (card.id.to_string().as_str(), card.subsystem.unwrap_or_default().to_string().as_str()),
            ("10de:13c2", "3842:3975")
        );
        assert_eq!((card.class.bits(), card.revision, card.config.len()), (0x03_00_00, 0xa1, size));
    }
    let error = parse("01:00.0 VGA compatible controller: NVIDIA Corporation GM204\n").expect_err("no ids");
    assert!(error.to_string().contains("lspci -nn"), "{error}");
}

#[test]
fn a_function_may_be_listed_twice_if_both_say_the_same() {
    let first = "0000:01:00.0 0300: 10de:13c2\n\tKernel driver in use: vfio-pci\n";
    let listing = parse(&format!("{first}\n01:00.0 VGA: x\n{}", dump(64))).expect("right");
    let card = listing.functions.values().next().expect("one");
    assert_eq!(
        (listing.functions.len(), card.driver.as_deref(), card.config.len()),
        (1, Some("vfio-pci"), 64)
    );
    let error = parse(&format!("{first}01:00.0 0300: 10de:13c3\n")).expect_err("two things in one place");
    assert_eq!(error.line, 3);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, line, piece) in [
        ("hello\n", 1, "not the address"),
        ("\n", 1, "no PCI function"),
        ("00:00.0 0600: 8086:1237\nhello\n", 2, "no line of lspci's"),
        ("00:00.0 0600: 8086:1237\n00: 86 80\n10: 00\n", 3, "goes on at 0x10, where 0x2"),
        ("00:00.0 0600: 8086:1237\n00: 86 80\n00: 86 80\n", 3, "goes on at 0x0"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.line, line, "{error}");
        assert!(error.to_string().contains(piece), "{error}");
    }
    let long = format!("00:00.0 0600: 8086:1237\n{}1000: 00\n", dump(4096));
    assert!(parse(&long).is_err());
}

#[test]
fn a_driver_whose_name_leads_elsewhere_is_left_out() {
    let listing = parse("00:00.0 0600: 8086:1237\n\tKernel driver in use: ../../etc\n").expect("right");
    assert_eq!(listing.functions.values().next().and_then(|function| function.driver.clone()), None);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "([0-9a-f:. \\[\\]()\t\n=-]|Region |size=|prog-if |secondary=|é){0,60}") {
        let _ = (parse(&text), is_listing(&text), parse(&format!("00:00.0 0600: 8086:1237\n{text}")));
    }
}
