//! Tables as firmware writes them, made by an encoder of the tests' own, and tables as nobody should.

use passthru_model::acpi::{
    DeviceScope, DmarAffinity, DmarReserved, DmarUnit, IvrsEntry, IvrsMemory, IvrsUnit, ScopeKind,
};
use proptest::prelude::*;

use super::{AcpiError, dmar, ivrs};

/// A table of a signature with what follows its header; the checksum is made to fit.
fn table(signature: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = signature.as_bytes().to_vec();
    bytes.extend(u32::try_from(36 + body.len()).expect("small").to_le_bytes());
    bytes.extend([1, 0]);
    bytes.extend(b"ALASKAA M I \0\0\x09\x20\x07\x01AMI \x13\0\0\x01");
    bytes.extend(body);
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[9] = 0u8.wrapping_sub(sum);
    bytes
}

fn scope_bytes(scope: &DeviceScope) -> Vec<u8> {
    let kind = match scope.kind {
        ScopeKind::Endpoint => 1,
        ScopeKind::Bridge => 2,
        ScopeKind::IoApic => 3,
        ScopeKind::Hpet => 4,
        ScopeKind::Named => 5,
        ScopeKind::Other(other) => other,
    };
    let length = u8::try_from(6 + 2 * scope.path.len()).expect("small");
    let mut bytes = vec![kind, length, 0, 0, scope.number, scope.bus];
    bytes.extend(scope.path.iter().flat_map(|(device, function)| [*device, *function]));
    bytes
}

fn structure(kind: u16, fields: &[u8], scope: &[DeviceScope]) -> Vec<u8> {
    let scope: Vec<u8> = scope.iter().flat_map(scope_bytes).collect();
    let length = u16::try_from(4 + fields.len() + scope.len()).expect("small");
    [&kind.to_le_bytes(), &length.to_le_bytes(), fields, &scope].concat()
}

fn unit_bytes(unit: &DmarUnit) -> Vec<u8> {
    let mut fields = vec![u8::from(unit.is_catch_all), 0];
    fields.extend(unit.domain.to_le_bytes());
    fields.extend(unit.registers.to_le_bytes());
    structure(0, &fields, &unit.scope)
}

fn reserved_bytes(reserved: &DmarReserved) -> Vec<u8> {
    let mut fields = vec![0, 0];
    fields.extend(reserved.domain.to_le_bytes());
    fields.extend(reserved.start.to_le_bytes());
    fields.extend(reserved.end.to_le_bytes());
    structure(1, &fields, &reserved.scope)
}

fn dmar_bytes(width: u8, flags: u8, structures: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![width, flags];
    body.extend([0; 10]);
    body.extend(structures.concat());
    table("DMAR", &body)
}

fn endpoint(bus: u8, path: &[(u8, u8)]) -> DeviceScope {
    DeviceScope { kind: ScopeKind::Endpoint, number: 0, bus, path: path.to_vec() }
}

/// The figures of a laptop of HP with a Coffee Lake processor, as its kernel printed them.
fn laptop() -> Vec<u8> {
    let other = |kind, number, device| DeviceScope { kind, number, bus: 0xf0, path: vec![(device, 0)] };
    dmar_bytes(
        38,
        0b101,
        &[
            unit_bytes(&DmarUnit {
                domain: 0,
                is_catch_all: false,
                registers: 0xfed9_0000,
                scope: vec![endpoint(0, &[(2, 0)])],
            }),
            unit_bytes(&DmarUnit {
                domain: 0,
                is_catch_all: true,
                registers: 0xfed9_1000,
                scope: vec![other(ScopeKind::IoApic, 2, 0x1f), other(ScopeKind::Hpet, 0, 0)],
            }),
            reserved_bytes(&DmarReserved {
                domain: 0,
                start: 0x53df_c000,
                end: 0x53e1_bfff,
                scope: vec![endpoint(0, &[(0x14, 0)])],
            }),
            reserved_bytes(&DmarReserved {
                domain: 0,
                start: 0x5b80_0000,
                end: 0x5fff_ffff,
                scope: vec![endpoint(0, &[(2, 0)])],
            }),
        ],
    )
}

#[test]
fn a_laptops_units_flags_and_reserved_memory_are_read() {
    let bytes = laptop();
    // As long as the kernel says that of the laptop is.
    assert_eq!(bytes.len(), 0xa8);
    let table = dmar(&bytes).expect("reads");
    assert!(table.sums_up && table.others.is_empty());
    assert_eq!(table.maker, "ALASKA A M I");
    let dmar = table.body;
    assert_eq!(
        (dmar.address_bits, dmar.interrupt_remapping, dmar.x2apic_opt_out, dmar.platform_opt_in),
        (39, true, false, true)
    );
    assert_eq!(dmar.units.iter().map(|unit| unit.is_catch_all).collect::<Vec<_>>(), [false, true]);
    let graphics = dmar.units[0].scope[0].address(0).expect("one step");
    assert_eq!(graphics.to_string(), "0000:00:02.0");
    assert_eq!(dmar.units[1].scope[0].kind, ScopeKind::IoApic);
    assert_eq!(
        dmar.reserved.iter().map(|one| (one.start, one.end)).collect::<Vec<_>>(),
        [(0x53df_c000, 0x53e1_bfff), (0x5b80_0000, 0x5fff_ffff)]
    );
}

#[test]
fn the_rarer_structures_are_read_and_unknown_ones_stepped_over() {
    let ports = endpoint(0, &[(1, 0)]);
    let mut near = vec![0; 4];
    near.extend(0xfed9_1000u64.to_le_bytes());
    near.extend(1u32.to_le_bytes());
    let table = dmar(&dmar_bytes(
        45,
        0,
        &[
            structure(2, &[0, 0, 1, 0], &[ports.clone(), endpoint(0, &[(1, 0), (0, 0)])]),
            structure(3, &near, &[]),
            structure(4, &[&[0, 0, 0, 7], b"\\_SB.PCI0.I2C0\0".as_slice()].concat(), &[]),
            structure(5, &[1, 0, 0, 0], std::slice::from_ref(&ports)),
            structure(6, &[0, 0, 0, 0], &[]),
        ],
    ))
    .expect("reads");
    assert_eq!(table.others.iter().map(|other| other.1).collect::<Vec<_>>(), [6]);
    assert_eq!((table.body.ats[0].domain, table.body.ats[0].is_all), (1, false));
    assert_eq!(table.body.ats[0].scope[1].path, [(1, 0), (0, 0)]);
    assert_eq!(table.body.ats[0].scope[1].address(0), None, "behind a bridge, buses have no numbers yet");
    assert_eq!(table.body.affinity, [DmarAffinity { registers: 0xfed9_1000, proximity: 1 }]);
    assert_eq!(table.body.named[0].name, "\\_SB.PCI0.I2C0");
    assert!(table.body.integrated[0].is_required && table.body.integrated[0].scope == [ports]);
}

/// As QEMU 7.2 gives it to a machine with `-device intel-iommu,intremap=on`, two root ports and a display device.
const OF_QEMU: [u8; 136] = [
    0x44, 0x4d, 0x41, 0x52, 0x88, 0x00, 0x00, 0x00, 0x01, 0xdc, 0x42, 0x4f, 0x43, 0x48, 0x53, 0x20, 0x42,
    0x58, 0x50, 0x43, 0x20, 0x20, 0x20, 0x20, 0x01, 0x00, 0x00, 0x00, 0x42, 0x58, 0x50, 0x43, 0x01, 0x00,
    0x00, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x50,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xd9, 0xfe, 0x00, 0x00, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00,
    0x00, 0xff, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x01, 0x00, 0x02, 0x08, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x02, 0x08, 0x00, 0x00, 0x00, 0x00,
    0x03, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x1f, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x1f,
    0x02, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x1f, 0x03, 0x02, 0x00, 0x08, 0x00, 0x01, 0x00, 0x00, 0x00,
];

#[test]
fn the_table_that_qemu_makes_is_read() {
    let table = dmar(&OF_QEMU).expect("reads");
    assert!(table.sums_up && table.others.is_empty());
    assert_eq!(table.maker, "BOCHS BXPC");
    assert_eq!((table.body.address_bits, table.body.interrupt_remapping), (39, true));
    assert_eq!(table.body.units.len(), 1);
    let unit = &table.body.units[0];
    assert_eq!((unit.is_catch_all, unit.registers), (false, 0xfed9_0000));
    let kinds: Vec<ScopeKind> = unit.scope.iter().map(|scope| scope.kind).collect();
    let (endpoint, bridge) = (ScopeKind::Endpoint, ScopeKind::Bridge);
    assert_eq!(kinds, [ScopeKind::IoApic, endpoint, endpoint, bridge, bridge, endpoint, endpoint, endpoint]);
    let last = unit.scope.last().and_then(|scope| scope.address(0)).expect("an address");
    assert_eq!(last.to_string(), "0000:00:1f.3");
    assert!(table.body.ats[0].is_all);
}

fn unit_block(unit: &IvrsUnit, entries: &[u8]) -> Vec<u8> {
    let mut bytes = vec![unit.form, unit.flags, 0, 0];
    bytes.extend(unit.device.to_le_bytes());
    bytes.extend(0x40u16.to_le_bytes());
    bytes.extend(unit.registers.to_le_bytes());
    bytes.extend(unit.domain.to_le_bytes());
    bytes.extend([0; 6]);
    if let Some(features) = unit.features {
        bytes.extend(features.to_le_bytes());
        bytes.extend([0; 8]);
    }
    bytes.extend(entries);
    let length = u16::try_from(bytes.len()).expect("small").to_le_bytes();
    bytes[2..4].copy_from_slice(&length);
    bytes
}

fn memory_block(kind: u8, flags: u8, memory: &IvrsMemory) -> Vec<u8> {
    let mut bytes = vec![kind, flags, 32, 0];
    bytes.extend(memory.first.to_le_bytes());
    bytes.extend(if kind == 0x22 { memory.last } else { 0 }.to_le_bytes());
    bytes.extend(memory.domain.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(memory.start.to_le_bytes());
    bytes.extend(memory.length.to_le_bytes());
    bytes
}

fn ivrs_bytes(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut body = 0x0020_3043u32.to_le_bytes().to_vec();
    body.extend([0; 8]);
    body.extend(blocks.concat());
    table("IVRS", &body)
}

/// The entries that boards with AMD's chipsets have: a range, an alias, an IO-APIC, a timer, a named device, padding.
fn entries() -> Vec<u8> {
    let mut bytes = vec![0x03, 0x08, 0x00, 0xd7, 0x04, 0xfe, 0xff, 0x00];
    bytes.extend([0x43, 0x00, 0xff, 0x00, 0, 0xa5, 0x00, 0x00, 0x04, 0xff, 0xff, 0x00]);
    bytes.extend([0x48, 0x00, 0x00, 0xd7, 0x21, 0xa0, 0x00, 0x01]);
    bytes.extend([0x48, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x00, 0x02]);
    bytes.extend([0xf0, 0x98, 0x00, 0x00]);
    bytes.extend(b"PNPD0040\0\0\0\0\0\0\0\0\0\0");
    bytes.extend([0, 0, 0, 0]);
    bytes
}

#[test]
fn a_boards_units_are_read_and_the_newest_form_counts() {
    let unit = |form, features| IvrsUnit {
        form,
        flags: 0xb0,
        domain: 0,
        device: 2,
        registers: 0xfd20_0000,
        features,
        entries: Vec::new(),
    };
    let features = 0x0024_6577_efa2_254a;
    let memory = IvrsMemory {
        first: 0,
        last: 0x0fff,
        domain: 0,
        start: 0x1000,
        length: 0x2000,
        is_unity: true,
        is_exclusion: false,
    };
    let bytes = ivrs_bytes(&[
        unit_block(&unit(0x10, None), &entries()),
        unit_block(&unit(0x11, Some(features)), &entries()),
        unit_block(&unit(0x40, Some(features)), &entries()),
        memory_block(0x22, 0x07, &memory),
        memory_block(0x21, 0x08, &memory),
    ]);
    let table = ivrs(&bytes).expect("reads");
    assert!(table.sums_up);
    let forms: Vec<u8> = table.body.blocks.iter().map(|unit| unit.form).collect();
    assert_eq!(forms, [0x10, 0x11, 0x40]);
    let units: Vec<_> = table.body.units().collect();
    assert_eq!(units.len(), 1);
    assert_eq!((units[0].form, units[0].features), (0x40, Some(features)));
    assert_eq!(
        units[0].entries,
        [
            IvrsEntry::Devices { first: 8, last: 0xfffe, alias: None, flags: 0xd7 },
            IvrsEntry::Devices { first: 0xff00, last: 0xffff, alias: Some(0xa5), flags: 0 },
            IvrsEntry::Special { variety: 1, number: 0x21, device: 0xa0 },
            IvrsEntry::Special { variety: 2, number: 0, device: 0xa0 },
            IvrsEntry::Named { device: 0x98, id: "PNPD0040".to_owned() },
            // The four bytes behind it are padding.
        ]
    );
    assert_eq!(table.body.memory[0], memory);
    assert_eq!((table.body.memory[1].first, table.body.memory[1].last), (0, 0));
    assert!(table.body.memory[1].is_exclusion && table.body.memory[1].is_direct());
    assert!(table.body.memory[0].covers("0f:1f.7".parse().expect("an address")));
    assert!(!table.body.memory[0].covers("10:00.0".parse().expect("an address")));
}

/// As QEMU 7.2 gives it to a machine with `-device amd-iommu`, two root ports and a display device.
const OF_QEMU_AMD: [u8; 128] = [
    0x49, 0x56, 0x52, 0x53, 0x80, 0x00, 0x00, 0x00, 0x01, 0xb5, 0x42, 0x4f, 0x43, 0x48, 0x53, 0x20, 0x42,
    0x58, 0x50, 0x43, 0x20, 0x20, 0x20, 0x20, 0x01, 0x00, 0x00, 0x00, 0x42, 0x58, 0x50, 0x43, 0x01, 0x00,
    0x00, 0x00, 0x00, 0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0xd1, 0x50,
    0x00, 0x20, 0x00, 0x40, 0x00, 0x00, 0x00, 0xd8, 0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x44, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x08, 0x00, 0x00, 0x02, 0x10, 0x00, 0x00, 0x03,
    0x00, 0x01, 0x00, 0x04, 0xff, 0x01, 0x00, 0x02, 0x18, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x04, 0xff,
    0x02, 0x00, 0x02, 0x20, 0x00, 0x00, 0x02, 0xf8, 0x00, 0x00, 0x02, 0xfa, 0x00, 0x00, 0x02, 0xfb, 0x00,
    0x00, 0x48, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x00, 0x01,
];

#[test]
fn the_table_that_qemu_makes_for_amd_is_read() {
    let table = ivrs(&OF_QEMU_AMD).expect("reads");
    assert!(table.sums_up && table.others.is_empty());
    let units: Vec<_> = table.body.units().collect();
    assert_eq!(units.len(), 1);
    // At 00:04.0, in the oldest form.
    assert_eq!((units[0].form, units[0].device, units[0].registers), (0x10, 0x20, 0xfed8_0000));
    assert_eq!(units[0].entries.len(), 11);
    assert!(units[0].entries.contains(&IvrsEntry::Devices {
        first: 0x100,
        last: 0x1ff,
        alias: None,
        flags: 0
    }));
    assert_eq!(units[0].entries.last(), Some(&IvrsEntry::Special { variety: 1, number: 0, device: 0xa0 }));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let good = laptop();
    let error = |bytes: &[u8]| dmar(bytes).expect_err("is wrong").to_string();
    assert_eq!(error(&good[..20]), "it ends after 20 bytes, before its header does");
    assert_eq!(error(&good[..100]), "it says that it has 168 bytes, and has 100");
    assert_eq!(error(&table("IVRS", &[])), "it begins with ‘IVRS’ in the place of ‘DMAR’");
    let mut endless = good.clone();
    endless[50] = 0;
    assert_eq!(
        error(&endless),
        "at byte 0x30: a structure states a length below that of its header",
        "a length of zero is not walked for ever"
    );
    let mut long = good.clone();
    long[51] = 0xff;
    assert_eq!(error(&long), "at byte 0x30: a structure goes beyond the end of the table");
    let mut scope = good.clone();
    scope[65] = 2;
    assert_eq!(error(&scope), "at byte 0x30: a device scope states a length below that of its header");
    let unknown = ivrs_bytes(&[unit_block(
        &IvrsUnit {
            form: 0x11,
            flags: 0,
            domain: 0,
            device: 2,
            registers: 0,
            features: Some(0),
            entries: Vec::new(),
        },
        &[0x80, 0, 0, 0],
    )]);
    assert_eq!(
        ivrs(&unknown),
        Err(AcpiError::Part { offset: 48, reason: "an entry has no length that is known" })
    );
    let mut changed = good;
    changed[36] = 45;
    assert!(!dmar(&changed).expect("still reads").sums_up);
}

prop_compose! {
    fn any_scope()(kind in prop_oneof![
            Just(ScopeKind::Endpoint), Just(ScopeKind::Bridge), Just(ScopeKind::IoApic), Just(ScopeKind::Hpet), Just(ScopeKind::Named)
        ], number: u8, bus: u8, path in prop::collection::vec((0u8..32, 0u8..8), 1..4)) -> DeviceScope {
        DeviceScope { kind, number, bus, path }
    }
}

proptest! {
    #[test]
    fn units_and_ranges_come_back_as_they_were_written(
        width in 0u8..64, flags in 0u8..8,
        units in prop::collection::vec((any::<u16>(), any::<bool>(), any::<u64>(), prop::collection::vec(any_scope(), 0..4)), 0..4),
        ranges in prop::collection::vec((any::<u16>(), any::<u64>(), any::<u64>(), prop::collection::vec(any_scope(), 0..4)), 0..4),
    ) {
        let units: Vec<DmarUnit> = units.into_iter()
            .map(|(domain, is_catch_all, registers, scope)| DmarUnit { domain, is_catch_all, registers, scope }).collect();
        let reserved: Vec<DmarReserved> = ranges.into_iter()
            .map(|(domain, start, end, scope)| DmarReserved { domain, start, end, scope }).collect();
        let structures: Vec<Vec<u8>> = units.iter().map(unit_bytes).chain(reserved.iter().map(reserved_bytes)).collect();
        let mut bytes = dmar_bytes(width, flags, &structures);
        // Bytes behind the table are not the table's.
        bytes.extend([0xee; 5]);
        let table = dmar(&bytes).expect("reads");
        prop_assert!(table.sums_up);
        prop_assert_eq!(table.body.address_bits, width + 1);
        prop_assert_eq!((table.body.units, table.body.reserved), (units, reserved));
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes: Vec<u8>) {
        let _ = (dmar(&bytes), ivrs(&bytes), dmar(&table("DMAR", &bytes)), ivrs(&table("IVRS", &bytes)));
    }

    #[test]
    fn no_changed_byte_makes_a_parser_panic(at in 0usize..168, value: u8, end in 0usize..169) {
        let mut bytes = laptop();
        bytes[at] = value;
        let _ = dmar(&bytes[..end]);
        let unit = IvrsUnit { form: 0x11, flags: 0, domain: 0, device: 2, registers: 0, features: Some(0), entries: Vec::new() };
        let mut bytes = ivrs_bytes(&[unit_block(&unit, &entries())]);
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = ivrs(&bytes[..end.min(bytes.len())]);
    }
}
