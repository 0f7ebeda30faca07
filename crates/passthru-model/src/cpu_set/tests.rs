//! Lists and masks of CPUs: as the kernel writes them, and as nobody should.

use std::collections::BTreeSet;

use super::{CpuSet, CpuSetError, MOST_CPUS};
use proptest::prelude::*;

fn set(text: &str) -> CpuSet {
    text.parse().expect("a list")
}

#[test]
fn lists_are_read_and_written_in_the_shortest_form() {
    for (text, short) in [
        ("", ""),
        ("\n", ""),
        ("0", "0"),
        ("0-3,8\n", "0-3,8"),
        ("8,0-2,3", "0-3,8"),
        ("5,5,5-6", "5-6"),
        ("0-31:2/4", "0-1,4-5,8-9,12-13,16-17,20-21,24-25,28-29"),
        ("8191", "8191"),
        ("63-64", "63-64"),
    ] {
        assert_eq!(set(text).to_string(), short, "{text}");
    }
    assert_eq!(format!("{:?}", set("0-3,8")), "{0-3,8}");
}

#[test]
fn what_is_no_list_is_refused_with_the_part_that_is_wrong() {
    for (text, error) in [
        ("0-", CpuSetError::Shape("0-".to_owned())),
        ("0,,1", CpuSetError::Shape(String::new())),
        ("a", CpuSetError::Shape("a".to_owned())),
        ("-1", CpuSetError::Shape("-1".to_owned())),
        ("+1", CpuSetError::Shape("+1".to_owned())),
        ("4:1/2", CpuSetError::Shape("4:1/2".to_owned())),
        ("0-7:0/2", CpuSetError::Shape("0-7:0/2".to_owned())),
        ("0-7:3/2", CpuSetError::Shape("0-7:3/2".to_owned())),
        ("3-1", CpuSetError::Backwards("3-1".to_owned())),
        ("8192", CpuSetError::Range("8192".to_owned())),
        ("0-4294967295", CpuSetError::Range("0-4294967295".to_owned())),
        ("0-99999999999999999999", CpuSetError::Range("0-99999999999999999999".to_owned())),
    ] {
        assert_eq!(text.parse::<CpuSet>(), Err(error), "{text}");
    }
    assert_eq!("0,".repeat(40_000).parse::<CpuSet>(), Err(CpuSetError::Long));
}

#[test]
fn masks_are_read_from_the_highest_word_down() {
    assert_eq!(CpuSet::from_mask("00000000,00000101"), Ok(set("0,8")));
    assert_eq!(CpuSet::from_mask("1,80000000"), Ok(set("31-32")));
    assert_eq!(CpuSet::from_mask("f"), Ok(set("0-3")));
    assert!(CpuSet::from_mask("").is_err());
    assert!(CpuSet::from_mask("0x3").is_err());
    assert!(CpuSet::from_mask(&format!("1{}", ",0".repeat(256))).is_err());
}

#[test]
fn the_longest_list_of_the_largest_machine_fits() {
    let every_second: CpuSet = (0..MOST_CPUS).step_by(2).collect();
    assert_eq!(every_second.to_string().parse(), Ok(every_second));
}

fn cpus() -> impl Strategy<Value = BTreeSet<u32>> {
    prop::collection::btree_set(prop_oneof![0u32..70, 0u32..MOST_CPUS], 0..60)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(cpus in cpus()) {
        let set: CpuSet = cpus.iter().copied().collect();
        prop_assert_eq!(set.to_string().parse(), Ok(set.clone()));
        prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), cpus.clone());
        prop_assert_eq!((set.len(), set.is_empty()), (cpus.len(), cpus.is_empty()));
        prop_assert_eq!((set.first(), set.last()), (cpus.first().copied(), cpus.last().copied()));
        let json = serde_json::to_string(&set).expect("writes");
        prop_assert_eq!(serde_json::from_str::<CpuSet>(&json).expect("reads"), set);
    }

    #[test]
    fn sets_behave_as_sets_of_numbers_do(a in cpus(), b in cpus()) {
        let (x, y): (CpuSet, CpuSet) = (a.iter().copied().collect(), b.iter().copied().collect());
        prop_assert_eq!(x.union(&y), a.union(&b).copied().collect());
        prop_assert_eq!(x.intersection(&y), a.intersection(&b).copied().collect());
        prop_assert_eq!(x.difference(&y), a.difference(&b).copied().collect());
        prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
        prop_assert_eq!(x.meets(&y), !a.is_disjoint(&b));
        prop_assert_eq!(x == y, a == b);
    }

    #[test]
    fn masks_say_the_same_as_lists(words in prop::collection::vec(any::<u32>(), 1..10)) {
        let mask = words.iter().map(|word| format!("{word:08x}")).collect::<Vec<_>>().join(",");
        let cpus: CpuSet = (0u32..).zip(words.iter().rev())
            .flat_map(|(at, word)| (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| 32 * at + bit))
            .collect();
        prop_assert_eq!(CpuSet::from_mask(&mask), Ok(cpus));
    }

    #[test]
    fn hostile_ranges_are_answered_at_once(text in "[0-9]{1,12}(-[0-9]{1,12})?(:[0-9]{0,12}/[0-9]{0,12})?(,[0-9]{1,12}-[0-9]{1,12}){0,40}") {
        if let Ok(set) = text.parse::<CpuSet>() {
            prop_assert!(set.last().is_none_or(|cpu| cpu < MOST_CPUS));
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,40}") {
        let _ = (text.parse::<CpuSet>(), CpuSet::from_mask(&text));
    }
}
