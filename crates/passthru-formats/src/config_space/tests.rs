//! A function's space made by hand, and what is read of all, a part, or none of it.

use super::{
    Acs, AddressSpaces, AddressTranslation, L1Substates, LinkSpeed, MemoryBar, Msi, PageRequests, PortType,
    Seen, Trigger, acs, address_spaces, address_translation, advanced_features, containment, error_reporting,
    express, extended, function_level_reset, header_type, is_multifunction, l1_substates, latency_tolerance,
    memory_bars, message_interrupts, msi, msix, page_requests, port_type, power_management, resizable_bars,
    standard, virtual_functions, virtual_resizable_bars,
};
use proptest::prelude::*;

/// A multifunction endpoint with MSI at 0x50, PCI Express with FLR at 0x60, and ACS at 0x148 after a serial number.
fn endpoint() -> Vec<u8> {
    let mut config = vec![0u8; super::EXTENDED];
    for (offset, bytes) in [
        (0x00, [0xde, 0x10, 0xc2, 0x13].as_slice()),
        (0x06, &[0x10, 0x00]),
        (0x0e, &[0x80]),
        (0x34, &[0x50]),
        (0x50, &[0x05, 0x60, 0x80, 0x00]),
        (0x60, &[0x10, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x10]),
        (0x100, &[0x03, 0x00, 0x81, 0x14]),
        (0x148, &[0x0d, 0x00, 0x01, 0x00, 0x5f, 0x00, 0x1d, 0x00]),
    ] {
        config[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    config
}

#[test]
fn all_of_an_endpoint_is_seen_in_full_space() {
    let config = endpoint();
    assert_eq!((header_type(&config), is_multifunction(&config)), (Some(0), Some(true)));
    assert_eq!(port_type(&config), Seen::There(PortType::Endpoint));
    assert_eq!(function_level_reset(&config), Seen::There(()));
    assert_eq!(message_interrupts(&config), Seen::There(()));
    assert_eq!(acs(&config), Seen::There(Acs { capability: 0x5f, control: 0x1d }));
    assert_eq!(extended(&config).iter().map(|at| at.offset).collect::<Vec<_>>(), [0x100, 0x148]);
}

#[test]
fn registers_tell_which_bars_there_are_with_and_without_an_address() {
    let mut config = endpoint();
    // A GPU's: 32 bits at an address, two of 64 bits, the second without an address, and one of ports.
    for (index, register) in
        [0xf600_0000_u32, 0xe000_000c, 0x1, 0x0000_000c, 0, 0xe001].into_iter().enumerate()
    {
        config[0x10 + 4 * index..][..4].copy_from_slice(&register.to_le_bytes());
    }
    let bar = |index, wide| MemoryBar { index, wide, prefetchable: wide };
    assert_eq!(memory_bars(&config), Seen::There(vec![bar(0, false), bar(1, true), bar(3, true)]));
    assert_eq!(memory_bars(&config[..0x20]), Seen::Unseen);
    assert_eq!(memory_bars(&[0xff; 64]), Seen::Unseen);
    config[0x0e] = 1;
    assert_eq!(memory_bars(&config), Seen::Absent, "a bridge has two, and other things behind them");
}

#[test]
fn what_lies_beyond_is_unseen_and_not_absent() {
    let config = endpoint();
    let conventional = &config[..256];
    assert_eq!(function_level_reset(conventional), Seen::There(()));
    assert_eq!(acs(conventional), Seen::Unseen);
    let header = &config[..64];
    assert_eq!((standard(header), port_type(header)), (Seen::Unseen, Seen::Unseen));
    assert_eq!((function_level_reset(header), message_interrupts(header)), (Seen::Unseen, Seen::Unseen));
    assert_eq!(is_multifunction(header), Some(true));
}

#[test]
fn a_function_without_a_list_has_nothing_and_one_without_power_is_unseen() {
    let mut config = endpoint();
    config[0x06] = 0;
    assert_eq!((standard(&config[..64]), acs(&config)), (Seen::Absent, Seen::Absent));
    let dead = [0xff; 256];
    assert_eq!((header_type(&dead), acs(&dead), standard(&dead)), (None, Seen::Unseen, Seen::Unseen));
}

#[test]
fn a_list_that_runs_in_a_circle_ends() {
    let mut config = endpoint();
    config[0x61] = 0x50;
    assert_eq!(standard(&config).there().map(|list| list.len()), Some(2));
    config[0x14a..0x14c].copy_from_slice(&[0x01, 0x10]);
    assert_eq!(extended(&config).len(), 2);
}

/// A space with one capability of the standard list, behind PCI Express at 0x40, or one of the extended list.
fn with(id: u16, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut config = vec![0u8; super::EXTENDED];
    let [low, high] = id.to_le_bytes();
    let next = if offset < 0x100 { u8::try_from(offset).expect("small") } else { 0 };
    for (at, bytes) in [
        (0x00, [0xde, 0x10, 0xc2, 0x13].as_slice()),
        (0x06, &[0x10, 0x00]),
        (0x34, &[0x40]),
        (0x40, &[0x10, next, 0x42, 0x01]),
        (offset, &[low, if offset < 0x100 { 0 } else { high }]),
        (offset + 2, if offset < 0x100 { &[] } else { &[0x01, 0x00] }),
        (offset + if offset < 0x100 { 2 } else { 4 }, bytes),
    ] {
        config[at..at + bytes.len()].copy_from_slice(bytes);
    }
    config
}

#[test]
fn a_port_tells_its_link_its_slot_and_its_limits() {
    let mut config = vec![0u8; super::EXTENDED];
    for (offset, bytes) in [
        (0x00, [0x86, 0x80, 0x10, 0xa1].as_slice()),
        (0x06, &[0x10, 0x00]),
        (0x34, &[0x40]),
        // A root port, version 2, with a slot; 256 bytes of payload, of which 128 are used; reads of 512.
        (0x40, &[0x10, 0x00, 0x42, 0x01, 0x01, 0x80, 0x00, 0x00, 0x00, 0x20, 0x20, 0x00]),
        // Sixteen lanes at 8 GT/s with L1, port 2, which reports that the link is up; four lanes at 2.5 GT/s now.
        (0x4c, &[0x03, 0x09, 0x10, 0x02, 0x02, 0x00, 0x41, 0x20]),
        // A slot for hot plugging, number 9, 75 W, with its power switched off and a card in it.
        (0x54, &[0xe2, 0x25, 0x48, 0x00, 0x00, 0x04, 0x40, 0x00]),
        (0x64, &[0x20, 0x08, 0x00, 0x00, 0x00, 0x04]),
    ] {
        config[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    let express = express(&config).there().expect("there");
    assert_eq!((express.version, express.kind, express.slot_implemented), (2, PortType::RootPort, true));
    assert_eq!(
        (express.max_payload_supported, express.max_payload, express.max_read_request),
        (256, 128, 512)
    );
    assert_eq!((express.function_level_reset, express.transactions_pending), (false, true));
    assert_eq!(
        (express.latency_tolerance, express.ari_forwarding),
        (Some((true, true)), Some((true, false)))
    );
    let link = express.link.expect("a port has a link");
    assert_eq!((link.max_speed, link.max_width, link.port), (LinkSpeed(3), 16, 2));
    assert_eq!((link.speed, link.width, link.active), (LinkSpeed(1), 4, Some(true)));
    assert_eq!((link.aspm_supported, link.aspm_enabled, link.disabled), (0b10, 0b10, false));
    assert!(link.is_below_its_best());
    assert_eq!((link.max_speed.to_string(), link.speed.to_string()), ("8 GT/s".into(), "2.5 GT/s".into()));
    let slot = express.slot.expect("a slot is implemented");
    assert_eq!((slot.number, slot.power_limit, slot.occupied), (9, 75_000, true));
    assert_eq!((slot.hot_plug, slot.surprise, slot.power), (true, true, Some(false)));
}

#[test]
fn capabilities_of_the_standard_list_are_decoded() {
    // D3hot now; state is lost on the way back; wakes from D3hot and D3cold.
    let power = power_management(&with(0x01, 0x50, &[0x03, 0xc8, 0x03, 0x01])).there().expect("there");
    assert_eq!((power.version, power.state, power.keeps_state), (3, 3, false));
    assert_eq!((power.wakes_from, power.wake_enabled, power.d1_d2), (0b11001, true, (false, false)));
    assert_eq!(
        msi(&with(0x05, 0x50, &[0xa7, 0x01])),
        Seen::There(Msi { enabled: true, vectors: 8, vectors_enabled: 4, wide: true, maskable: true })
    );
    let table =
        msix(&with(0x11, 0x50, &[0x07, 0xc0, 0x04, 0x20, 0, 0, 0x05, 0x30, 0, 0])).there().expect("there");
    assert_eq!((table.enabled, table.masked, table.vectors), (true, true, 8));
    assert_eq!((table.table, table.pending), ((4, 0x2000), (5, 0x3000)));
    let features = advanced_features(&with(0x13, 0x50, &[0x06, 0x03])).there().expect("there");
    assert!(features.reset && features.tells_pending);
    assert_eq!(function_level_reset(&with(0x13, 0x50, &[0x06, 0x02])), Seen::Absent);
}

#[test]
fn capabilities_of_the_extended_list_are_decoded() {
    // 256 MiB of 64 MiB to 256 MiB, and nothing of a second BAR that the count does not cover.
    let bars =
        resizable_bars(&with(0x15, 0x100, &[0x00, 0x1c, 0, 0, 0x21, 0x08, 0, 0])).there().expect("there");
    assert_eq!((bars.len(), bars[0].bar, bars[0].bytes()), (1, 1, Some(256 << 20)));
    assert_eq!(bars[0].all(), [64 << 20, 128 << 20, 256 << 20]);
    // The largest sizes are in the control register: 256 TiB.
    let large =
        virtual_resizable_bars(&with(0x24, 0x100, &[0, 0, 0, 0, 0x20, 28, 1, 0])).there().expect("there");
    assert_eq!((large[0].all(), large[0].bytes()), (vec![1 << 48], Some(1 << 48)));
    let bytes = [
        0, 0, 0, 0, 0x19, 0, 0, 0, 7, 0, 7, 0, 2, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0x67, 0x7d, 0x53, 0x05, 0, 0,
    ];
    let functions = virtual_functions(&with(0x10, 0x100, &bytes)).there().expect("there");
    assert_eq!((functions.enabled, functions.memory_enabled, functions.numbered_through), (true, true, true));
    assert_eq!((functions.initial, functions.total, functions.number), (7, 7, 2));
    assert_eq!((functions.offset, functions.stride, functions.device), (16, 1, 0x7d67));
    assert_eq!(functions.page_sizes, 0x553);
    assert_eq!(
        address_translation(&with(0x0f, 0x100, &[0x20, 0, 0x01, 0x80])),
        Seen::There(AddressTranslation { enabled: true, queue: 32, smallest: 1 })
    );
    assert_eq!(
        page_requests(&with(0x13, 0x100, &[1, 0, 0, 1, 64, 0, 0, 0, 32, 0, 0, 0])),
        Seen::There(PageRequests { enabled: true, stopped: true, capacity: 64, allowed: 32 })
    );
    assert_eq!(
        address_spaces(&with(0x1b, 0x100, &[0, 0x14, 1, 0])),
        Seen::There(AddressSpaces { enabled: true, width: 20 })
    );
    // 71 times 32768 ns, and nothing.
    let latency = latency_tolerance(&with(0x18, 0x100, &[0x47, 0x0c, 0, 0])).there().expect("there");
    assert_eq!((latency.snooped, latency.not_snooped), (71 * 32_768, 0));
    assert_eq!(
        l1_substates(&with(0x1e, 0x100, &[0x1f, 0, 0, 0, 0x05, 0, 0, 0])),
        Seen::There(L1Substates { supported: 0xf, enabled: 0x5 })
    );
    let errors = error_reporting(&with(0x01, 0x100, &[0, 0, 0x10, 0])).there().expect("there");
    assert_eq!((errors.uncorrectable, errors.correctable), (1 << 20, 0));
    let contained = containment(&with(0x1d, 0x100, &[0x80, 0, 1, 0, 1, 0])).there().expect("there");
    assert_eq!((contained.trigger, contained.by_software, contained.triggered), (Trigger::Fatal, true, true));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..4200)) {
        decode_all(&bytes);
    }

    #[test]
    fn no_place_of_a_capability_makes_it_panic(
        id in any::<u16>(), place in 0x44usize..0xff0, length in 64usize..4096, bytes: [u8; 12],
    ) {
        let mut config = with(id, place & !3, &bytes);
        config[0x41] = u8::try_from(place & 0xfc).unwrap_or(0);
        config.truncate(length);
        decode_all(&config);
    }
}

fn decode_all(bytes: &[u8]) {
    let _ = (header_type(bytes), is_multifunction(bytes), standard(bytes), extended(bytes), express(bytes));
    let _ = (
        port_type(bytes),
        function_level_reset(bytes),
        acs(bytes),
        message_interrupts(bytes),
        memory_bars(bytes),
    );
    let _ = (power_management(bytes), msi(bytes), msix(bytes), advanced_features(bytes), containment(bytes));
    let _ =
        (virtual_functions(bytes), address_translation(bytes), page_requests(bytes), address_spaces(bytes));
    let _ = (latency_tolerance(bytes), l1_substates(bytes), error_reporting(bytes));
    for bar in
        resizable_bars(bytes).there().into_iter().chain(virtual_resizable_bars(bytes).there()).flatten()
    {
        assert!(bar.all().is_sorted());
        let _ = bar.bytes();
    }
}
