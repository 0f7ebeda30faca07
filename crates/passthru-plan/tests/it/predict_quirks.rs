//! Devices that the kernel knows to keep apart what does not look like it, or to share what looks apart.

use crate::common::{at, cmdline, group};
use crate::machines::{
    ENDPOINT, FULL, RC_ENDPOINT, ROOT_PORT, conventional, express, groups, joined, machine, plainly, port,
    several,
};
use passthru_plan::predict::{Joined, compare};

#[test]
fn functions_with_services_part_and_those_the_kernel_knows_part_too() {
    for (id, services, expected) in [
        ("10de:13c2", None, 2),
        ("10de:13c2", FULL, 3),
        // 82599 network cards, and Wangxun's, of which those that are not listed are known not to part.
        ("8086:10fb", None, 3),
        ("8088:1001", None, 3),
        ("8088:9999", FULL, 2),
    ] {
        let facts = joined(vec![
            vec![port("00:01.0", FULL)],
            vec![
                several(express("01:00.0", id, ENDPOINT, services, &["00:01.0"])),
                express("01:00.1", id, ENDPOINT, services, &["00:01.0"]),
            ],
        ]);
        assert_eq!(groups(&plainly(&facts)).len(), expected, "{id} {services:?}");
    }
}

#[test]
fn endpoints_of_the_root_complex_part_if_they_are_intel_s() {
    for (id, expected) in [("8086:a348", 2), ("1022:a348", 1)] {
        let facts = machine(vec![
            several(express("00:14.0", id, RC_ENDPOINT, None, &[])),
            express("00:14.2", id, RC_ENDPOINT, None, &[]),
        ]);
        assert_eq!(groups(&plainly(&facts)).len(), expected, "{id}");
    }
}

#[test]
fn a_controller_that_does_dma_as_its_neighbour_is_in_the_neighbour_s_group() {
    let facts = joined(vec![
        vec![port("00:01.0", FULL)],
        vec![
            several(express("01:00.0", "1b4b:9230", ENDPOINT, FULL, &["00:01.0"])),
            express("01:00.1", "1b4b:91a4", ENDPOINT, FULL, &["00:01.0"]),
        ],
    ]);
    let prediction = plainly(&facts);
    assert_eq!(groups(&prediction), ["00:01.0", "01:00.0 01:00.1"]);
    assert_eq!(prediction.groups[1].members[1].joined, Joined::Alias { with: at("01:00.0") });
}

#[test]
fn intel_s_older_chipsets_keep_apart_where_their_registers_are_mapped() {
    let chipset = |mapped: Option<u8>| {
        let mut bridge = conventional("00:1f.0", "8086:8c44", "060100", &[]);
        match mapped {
            Some(byte) => bridge.config[0xf0] = byte,
            None => bridge.config.truncate(64),
        }
        joined(vec![
            vec![several(express("00:1c.0", "8086:8c10", ROOT_PORT, None, &[]))],
            vec![express("00:1c.1", "8086:8c12", ROOT_PORT, None, &[]), bridge],
        ])
    };
    assert_eq!(groups(&plainly(&chipset(Some(1)))).len(), 3);
    assert_eq!(groups(&plainly(&chipset(Some(0)))).len(), 2);
    let unsure = plainly(&chipset(None));
    assert!(!unsure.groups[0].certain);
    assert_eq!(unsure.groups[0].at_best.len(), 2);
}

#[test]
fn intel_s_ports_with_registers_of_double_words_keep_apart() {
    let ports = |id: &str, control: u8| {
        let port = |address: &str| {
            let mut port = express(address, id, ROOT_PORT, Some((0x0f, 0)), &[]);
            port.config[0x108] = control;
            port
        };
        let mut facts = machine(vec![several(port("00:1c.0")), port("00:1c.4")]);
        cmdline(&mut facts, "pci=config_acs=xxxx@0000:00:1c.0");
        groups(&plainly(&facts)).len()
    };
    assert_eq!((ports("8086:a110", 0x0d), ports("8086:a110", 0)), (2, 1));
    assert_eq!(ports("8086:a338", 0x0d), 1, "other ports have the register where the specification says");
}

#[test]
fn amd_s_southbridges_keep_apart_beside_an_amd_iommu() {
    let southbridge = || {
        vec![
            several(conventional("00:14.0", "1002:4385", "0c0500", &[])),
            conventional("00:14.2", "1002:4383", "040300", &[]),
        ]
    };
    assert_eq!(groups(&plainly(&machine(southbridge()))).len(), 1);
    let mut with = southbridge();
    with.push(several(conventional("00:00.0", "1022:1480", "060000", &[])));
    with.push(conventional("00:00.2", "1022:1481", "080600", &[]));
    let prediction = plainly(&machine(with));
    assert_eq!(groups(&prediction), ["00:14.0", "00:14.2"]);
    assert_eq!(prediction.ungrouped.len(), 2, "the IOMMU itself and the host bridge beside it");
}

#[test]
fn a_kernel_that_is_too_old_for_a_quirk_explains_a_difference() {
    let mut facts = machine(vec![
        several(express("00:14.0", "8086:a348", RC_ENDPOINT, None, &[])),
        express("00:14.2", "8086:a348", RC_ENDPOINT, None, &[]),
    ]);
    group(&mut facts, 0, &["00:14.0", "00:14.2"]);
    facts.kernel.release =
        passthru_model::Fact::known("5.4.0-1-generic".to_owned(), "/proc/sys/kernel/osrelease", "");
    let differences = compare(&facts, &plainly(&facts)).expect("groups");
    assert!(differences[0].because[0].contains("5.8"), "{differences:?}");
}
