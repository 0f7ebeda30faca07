//! One small machine for each rule by which the kernel forms groups.

use crate::common::{at, cmdline, edit, group};
use crate::machines::{
    DOWNSTREAM, ENDPOINT, FULL, RC_ENDPOINT, ROOT_PORT, TO_PCI, UPSTREAM, conventional, cut, express, groups,
    joined, machine, overridden, plainly, port, several,
};
use passthru_model::pci::PciFunction;
use passthru_plan::predict::{Joined, compare, with_groups};

/// A graphics card of two functions.
fn card(bus: u8, parents: &[&str]) -> Vec<PciFunction> {
    let address = |number: u8| format!("{bus:02x}:00.{number}");
    vec![
        several(express(&address(0), "10de:13c2", ENDPOINT, None, parents)),
        express(&address(1), "10de:0fbb", ENDPOINT, None, parents),
    ]
}

#[test]
fn a_card_below_a_port_that_keeps_it_apart_is_a_group() {
    let facts = joined(vec![vec![port("00:01.0", FULL)], card(1, &["00:01.0"])]);
    assert_eq!(groups(&plainly(&facts)), ["00:01.0", "01:00.0 01:00.1"]);
}

#[test]
fn a_card_below_a_port_without_services_is_in_the_port_s_group() {
    let facts = joined(vec![vec![port("00:01.0", None)], card(1, &["00:01.0"])]);
    let prediction = plainly(&facts);
    assert_eq!(groups(&prediction), ["00:01.0 01:00.0 01:00.1"]);
    let joined = &prediction.groups[0].members[1].joined;
    assert_eq!(*joined, Joined::Upstream { bridge: at("00:01.0"), blocked: at("00:01.0") });
}

#[test]
fn a_capability_that_implements_nothing_counts_as_built_in() {
    let facts = joined(vec![vec![port("00:01.0", Some((0, 0)))], card(1, &["00:01.0"])]);
    assert_eq!(groups(&plainly(&facts)).len(), 2);
}

#[test]
fn ports_of_one_slot_without_services_share_a_group_with_all_below() {
    let facts = joined(vec![
        vec![several(express("00:02.0", "1b36:000c", ROOT_PORT, None, &[]))],
        vec![port("00:02.1", None)],
        vec![port("00:02.2", FULL)],
        card(1, &["00:02.0"]),
        card(2, &["00:02.1"]),
        card(3, &["00:02.2"]),
    ]);
    assert_eq!(
        groups(&plainly(&facts)),
        ["00:02.0 00:02.1 01:00.0 01:00.1 02:00.0 02:00.1", "00:02.2", "03:00.0 03:00.1"]
    );
}

#[test]
fn all_of_the_way_to_the_root_has_to_keep_apart() {
    let switch = |services| {
        vec![
            express("01:00.0", "104c:8232", UPSTREAM, None, &["00:01.0"]),
            express("02:00.0", "104c:8233", DOWNSTREAM, services, &["00:01.0", "01:00.0"]),
            express("02:01.0", "104c:8233", DOWNSTREAM, services, &["00:01.0", "01:00.0"]),
            express("03:00.0", "10de:13c2", ENDPOINT, None, &["00:01.0", "01:00.0", "02:00.0"]),
            express("04:00.0", "10de:13c2", ENDPOINT, None, &["00:01.0", "01:00.0", "02:01.0"]),
        ]
    };
    let good = joined(vec![vec![port("00:01.0", FULL)], switch(FULL)]);
    assert_eq!(groups(&plainly(&good)).len(), 6);
    let bad_root = joined(vec![vec![port("00:01.0", None)], switch(FULL)]);
    assert_eq!(groups(&plainly(&bad_root)).len(), 1);
    // Ports in slots of their own share nothing with each other; each shares with what is below.
    let bad_switch = joined(vec![vec![port("00:01.0", FULL)], switch(None)]);
    assert_eq!(groups(&plainly(&bad_switch)), ["00:01.0", "01:00.0", "02:00.0 03:00.0", "02:01.0 04:00.0"]);
}

#[test]
fn all_behind_conventional_pci_is_in_the_bridge_s_group() {
    let facts = joined(vec![
        vec![
            conventional("00:1e.0", "8086:2448", "060401", &[]),
            conventional("01:01.0", "10ec:8139", "020000", &["00:1e.0"]),
            conventional("01:02.0", "1274:1371", "040100", &["00:1e.0"]),
        ],
        vec![port("00:01.0", FULL)],
        vec![
            express("02:00.0", "1b21:1080", TO_PCI, None, &["00:01.0"]),
            conventional("03:00.0", "13f6:8788", "040100", &["00:01.0", "02:00.0"]),
        ],
    ]);
    let prediction = plainly(&facts);
    assert_eq!(groups(&prediction), ["00:01.0", "00:1e.0 01:01.0 01:02.0", "02:00.0 03:00.0"]);
    assert_eq!(prediction.groups[2].members[1].joined, Joined::Bridge { bridge: at("02:00.0") });
}

#[test]
fn functions_of_conventional_pci_in_one_slot_are_together_and_one_alone_is_alone() {
    let facts = machine(vec![
        several(conventional("00:1f.0", "8086:2918", "060100", &[])),
        conventional("00:1f.2", "8086:2922", "010601", &[]),
        conventional("00:02.0", "1234:1111", "030000", &[]),
        conventional("00:03.0", "8086:100e", "020000", &[]),
    ]);
    assert_eq!(groups(&plainly(&facts)), ["00:02.0", "00:03.0", "00:1f.0 00:1f.2"]);
}

#[test]
fn virtual_functions_are_groups_of_their_own_behind_a_good_port() {
    let virtual_function = |address: &str| {
        let mut function = express(address, "8086:10ca", ENDPOINT, None, &["00:01.0"]);
        // Its ids read as all ones, and the kernel knows better.
        function.config[..4].fill(0xff);
        function.physical_function = Some(at("01:00.0"));
        function
    };
    for (services, expected) in [(FULL, 4), (None, 1)] {
        let facts = joined(vec![
            vec![port("00:01.0", services)],
            vec![
                express("01:00.0", "8086:10c9", ENDPOINT, None, &["00:01.0"]),
                virtual_function("01:10.0"),
                virtual_function("01:10.2"),
            ],
        ]);
        assert_eq!(groups(&plainly(&facts)).len(), expected, "{services:?}");
    }
}

#[test]
fn functions_above_seven_of_alternative_routing_are_one_card() {
    let facts = joined(vec![
        vec![port("00:01.0", FULL)],
        vec![
            express("01:00.0", "15b3:1017", ENDPOINT, None, &["00:01.0"]),
            express("01:01.0", "15b3:1017", ENDPOINT, None, &["00:01.0"]),
        ],
    ]);
    // The kernel looks for company by device number, so function 8 has none, although it is one of several.
    assert_eq!(groups(&plainly(&facts)).len(), 3);
}

#[test]
fn what_is_behind_volume_management_is_in_its_group() {
    let facts = machine(vec![
        express("00:0e.0", "8086:467f", RC_ENDPOINT, None, &[]),
        express("10000:e0:06.0", "8086:a74d", ROOT_PORT, FULL, &[]),
        express("10000:e1:00.0", "144d:a808", ENDPOINT, None, &["10000:e0:06.0"]),
    ]);
    assert_eq!(groups(&plainly(&facts)), ["00:0e.0 10000:e0:06.0 10000:e1:00.0"]);
}

#[test]
fn what_could_not_be_read_leaves_a_group_uncertain_and_says_its_best_and_worst() {
    let facts = joined(vec![
        vec![cut(express("00:01.0", "1b36:000c", ROOT_PORT, FULL, &[]), 64)],
        card(1, &["00:01.0"]).into_iter().map(|function| cut(function, 64)).collect(),
        vec![cut(conventional("00:02.0", "1234:1111", "030000", &[]), 64)],
    ]);
    let prediction = plainly(&facts);
    assert_eq!(groups(&prediction), ["00:01.0 01:00.0 01:00.1", "00:02.0"]);
    assert!(!prediction.groups[0].certain && prediction.groups[1].certain);
    assert_eq!(prediction.groups[0].at_best.len(), 3);
    assert!(prediction.unseen[0].contains("only 64 bytes"), "{:?}", prediction.unseen);
}

#[test]
fn a_card_that_is_asleep_is_foretold_by_what_is_around_it() {
    let mut facts = joined(vec![vec![port("00:01.0", FULL)], card(1, &["00:01.0"])]);
    let awake = groups(&plainly(&facts));
    edit(&mut facts, "01:00.0", |function| function.config = vec![0xff; 4096]);
    let asleep = plainly(&facts);
    assert_eq!(groups(&asleep), awake);
    assert!(!asleep.groups[1].certain, "its own services cannot be read");
}

#[test]
fn the_override_parts_what_says_nothing_of_itself_and_leaves_the_rest() {
    let facts = joined(vec![
        vec![port("00:01.0", None)],
        card(1, &["00:01.0"]),
        vec![
            several(conventional("00:1f.0", "8086:2918", "060100", &[])),
            conventional("00:1f.2", "8086:2922", "010601", &[]),
        ],
    ]);
    assert_eq!(groups(&plainly(&facts)).len(), 2);
    let both = "00:1f.0 00:1f.2".to_owned();
    let downstream = groups(&overridden(&facts, "downstream"));
    assert_eq!(downstream, ["00:01.0".to_owned(), both.clone(), "01:00.0 01:00.1".to_owned()]);
    assert_eq!(groups(&overridden(&facts, "multifunction")).len(), 2, "the port still joins them");
    assert_eq!(groups(&overridden(&facts, "downstream,multifunction")).len(), 4);
    assert_eq!(groups(&overridden(&facts, "id:1b36:000c")), downstream);
    assert!(groups(&overridden(&facts, "downstream,multifunction")).contains(&both));
}

#[test]
fn registers_decide_where_the_kernel_was_told_to_set_them_otherwise() {
    let mut facts = joined(vec![vec![port("00:01.0", Some((0x1d, 0x01)))], card(1, &["00:01.0"])]);
    assert_eq!(groups(&plainly(&facts)).len(), 2);
    cmdline(&mut facts, "quiet pci=noaer,disable_acs_redir=0000:00:01.0");
    assert_eq!(groups(&plainly(&facts)).len(), 1);
}

#[test]
fn differences_from_the_real_groups_are_named_and_explained() {
    let mut facts = joined(vec![vec![port("00:01.0", None)], card(1, &["00:01.0"])]);
    assert_eq!(compare(&facts, &plainly(&facts)), None, "there are no groups to compare with");
    group(&mut facts, 3, &["00:01.0", "01:00.0", "01:00.1"]);
    assert_eq!(compare(&facts, &plainly(&facts)), Some(Vec::new()));

    edit(&mut facts, "00:01.0", |function| function.group = Some(4));
    let unexplained = compare(&facts, &plainly(&facts)).expect("groups");
    assert_eq!(unexplained.len(), 1);
    assert_eq!(unexplained[0].functions, [at("00:01.0"), at("01:00.0"), at("01:00.1")]);
    assert!(unexplained[0].because.is_empty(), "{unexplained:?}");

    cmdline(&mut facts, "pcie_acs_override=downstream");
    let explained = compare(&facts, &plainly(&facts)).expect("groups");
    assert!(explained[0].because[0].contains("pcie_acs_override=downstream"), "{explained:?}");

    edit(&mut facts, "00:01.0", |function| function.group = None);
    let uncovered = compare(&facts, &plainly(&facts)).expect("groups");
    assert!(uncovered[0].because[0].contains("no IOMMU that the firmware describes"), "{uncovered:?}");
}

#[test]
fn foretold_groups_are_judged_as_real_ones_are() {
    let facts = joined(vec![
        vec![port("00:01.0", FULL)],
        vec![port("00:02.0", FULL)],
        card(1, &["00:01.0"]),
        card(2, &["00:02.0"]),
    ]);
    let view = passthru_plan::groups::view(&with_groups(&facts, &plainly(&facts)));
    assert_eq!(view.groups.len(), 4);
    assert_eq!(view.groups[3].devices[0].outlook, "needs 0000:02:00.1 with it");
    assert!(view.ungrouped.is_empty());
}
