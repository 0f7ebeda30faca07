//! Records of boots: replaced for the same boot, bounded, whole at every instant, and nothing else of the host touched.

use passthru_formats::boot_record;
use passthru_model::boot_record::{BOOT_RECORD_SCHEMA, BOOT_RECORDS, BootRecord, MOST_BOOT_RECORDS};

use super::tree::Tree;
use crate::lock::Lock;
use crate::{Target, failpoint, keep_boot_record};

const TREE: &str = "PASSTHRU_TEST_BOOTS_TREE";
const POINT: &str = "PASSTHRU_TEST_BOOTS_POINT";

fn record(boot: &str) -> BootRecord {
    BootRecord {
        schema: BOOT_RECORD_SCHEMA.to_owned(),
        boot: boot.to_owned(),
        kernel: "6.12.0".to_owned(),
        time: "2026-11-22T20:14:05Z".to_owned(),
        off: false,
        devices: Vec::new(),
        differences: Vec::new(),
    }
}

/// The boots of all records that stand, oldest first. A file that is no whole record is a failure.
fn boots(tree: &Tree) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(tree.host(BOOT_RECORDS)) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.retain(|name| boot_record::number(name).is_some());
    names.sort();
    let read = |name: &String| {
        let bytes = std::fs::read(tree.host(&format!("{BOOT_RECORDS}/{name}"))).expect("reads");
        boot_record::parse(&bytes).expect("a whole record").boot
    };
    names.iter().map(read).collect()
}

/// Keeps a record in a child that dies at a point. `false`: it came to its end before that point.
fn killed(tree: &Tree, point: usize) -> bool {
    let variables = [(TREE, tree.root().to_str().expect("UTF-8")), (POINT, &point.to_string())];
    super::dies("tests::boots::the_child_that_is_killed", &variables)
}

#[test]
fn the_child_that_is_killed() {
    let (Ok(tree), Ok(point)) = (std::env::var(TREE), std::env::var(POINT)) else { return };
    failpoint::arm(point.parse().expect("is a number"));
    keep_boot_record(&Target::open(tree).expect("opens"), &record("two")).expect("keeps");
}

#[test]
fn who_has_the_lock_for_a_moment_is_waited_for() {
    let tree = Tree::new();
    let (has, had) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let lock = Lock::take(&tree.target()).expect("is free");
            has.send(()).expect("is waited for");
            std::thread::sleep(std::time::Duration::from_millis(100));
            drop(lock);
        });
        had.recv().expect("is told");
        keep_boot_record(&tree.target(), &record("one")).expect("keeps");
    });
    assert_eq!(boots(&tree), ["one"]);
}

#[test]
fn a_second_look_at_the_same_boot_replaces_the_first() {
    let tree = Tree::new();
    for boot in ["one", "two", "two"] {
        keep_boot_record(&tree.target(), &record(boot)).expect("keeps");
    }
    assert_eq!(boots(&tree), ["one", "two"]);
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    let tree = Tree::new();
    for boot in 0..MOST_BOOT_RECORDS + 3 {
        keep_boot_record(&tree.target(), &record(&boot.to_string())).expect("keeps");
    }
    let kept = boots(&tree);
    assert_eq!(kept.len(), MOST_BOOT_RECORDS);
    assert_eq!(kept.first().map(String::as_str), Some("3"));
}

#[test]
fn a_torn_newest_record_is_left_and_the_next_one_follows_it() {
    let tree = Tree::new();
    keep_boot_record(&tree.target(), &record("one")).expect("keeps");
    tree.write(&format!("{BOOT_RECORDS}/000002.json"), "{");
    let path = keep_boot_record(&tree.target(), &record("three")).expect("keeps");
    assert_eq!(path, format!("{BOOT_RECORDS}/000003.json"));
}

#[test]
fn killed_at_any_point_the_records_are_whole() {
    let mut points = 0;
    loop {
        let tree = Tree::new();
        keep_boot_record(&tree.target(), &record("one")).expect("keeps");
        let killed = killed(&tree, points);
        let kept = boots(&tree);
        assert!(kept == ["one"] || kept == ["one", "two"], "point {points}: {kept:?}");
        if !killed {
            break;
        }
        points += 1;
    }
    assert!(points > 4, "only {points} points");
}
