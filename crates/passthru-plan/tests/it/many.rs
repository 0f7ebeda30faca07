//! Hosts of thousands of functions that are all alike: what is said of them grows with their number, and not faster.

use std::collections::BTreeMap;

use passthru_model::HostFacts;
use passthru_model::fact::Fact;
use passthru_model::iommu::IommuGroup;
use passthru_plan::groups;

use crate::common::{at, function};

/// A host of so many displays of one id, in groups of so many.
fn twins(count: usize, in_a_group: usize) -> HostFacts {
    let mut facts = HostFacts::unknown("made up here");
    let mut functions = BTreeMap::new();
    let mut all: BTreeMap<u32, IommuGroup> = BTreeMap::new();
    for number in 0..count {
        let address = format!("{:04x}:{:02x}:{:02x}.0", number >> 13, number >> 5 & 0xff, number & 0x1f);
        let id = u32::try_from(number / in_a_group).expect("small");
        let mut function = function(&address, "10de:13c2", "030000", None, &[]);
        function.group = Some(id);
        functions.insert(at(&address), function);
        all.entry(id)
            .or_insert_with(|| IommuGroup { id, members: Vec::new(), kind: None, reserved: Vec::new() })
            .members
            .push(at(&address));
    }
    facts.pci = Fact::known(functions, "/sys/bus/pci/devices", "");
    facts.iommu.groups = Fact::known(all, "/sys/kernel/iommu_groups", "");
    facts
}

/// How long the view is, written down.
fn length(facts: &HostFacts) -> usize {
    serde_json::to_string(&groups::view(facts)).expect("JSON").len()
}

#[test]
fn of_very_many_twins_the_first_are_listed_and_the_others_counted() {
    let view = groups::view(&twins(100, 1));
    let device = &view.groups[50].devices[0];
    assert_eq!((device.twins.len(), device.more_twins), (32, 67));
    assert!(!device.twins.contains(&device.address));
    assert!(view.groups[50].reasons[0].ends_with(", 0000:00:1f.0 and 67 more"), "{:?}", view.groups[50]);
    let few = groups::view(&twins(33, 1));
    assert_eq!((few.groups[0].devices[0].twins.len(), few.groups[0].devices[0].more_twins), (32, 0));
}

#[test]
fn of_a_very_large_group_the_first_are_listed_and_the_others_counted() {
    let view = groups::view(&twins(100, 50));
    let outlook = &view.groups[1].devices[0].outlook;
    assert!(
        outlook.starts_with("needs 0000:01:13.0, ") && outlook.ends_with(" and 17 more with it"),
        "{outlook}"
    );
    assert!(view.groups[0].reasons.iter().any(|reason| reason.contains("devices of 50 slots")));
}

#[test]
fn what_is_said_grows_with_the_number_of_functions_and_not_faster() {
    for in_a_group in [1, 4096] {
        let (few, many) = (length(&twins(1024, in_a_group)), length(&twins(4096, in_a_group)));
        assert!(many < few * 9 / 2, "{in_a_group} in a group: {few} bytes became {many}");
    }
}
