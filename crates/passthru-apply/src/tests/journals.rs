//! What a journal looks like to people, to other users and after accidents.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use super::tree::{DEVICES, GRUB, IMAGE, Programs, Tree, difference, file, plan_of, whole_plan};
use crate::{Error, JOURNALS, JournalState, Resumed, Silent, Underway};

fn only_journal(tree: &Tree) -> std::path::PathBuf {
    let mut entries = fs::read_dir(tree.host(JOURNALS)).expect("lists");
    let path = entries.next().expect("has one").expect("lists").path();
    assert!(entries.next().is_none());
    path
}

#[test]
fn before_images_are_plain_files_like_the_originals() {
    let tree = Tree::new();
    let original = fs::metadata(tree.host(GRUB)).expect("looks");
    let (text, image) = (tree.text(GRUB), tree.text(IMAGE));
    tree.apply(&whole_plan(&tree)).expect("applies");
    let journal = only_journal(&tree);
    let kept = fs::metadata(journal.join("before/003-grub")).expect("looks");
    assert_eq!(fs::read_to_string(journal.join("before/003-grub")).expect("reads"), text);
    assert_eq!((kept.mode(), kept.uid(), kept.gid()), (original.mode(), original.uid(), original.gid()));
    assert_eq!((kept.mtime(), kept.mtime_nsec()), (original.mtime(), original.mtime_nsec()));
    let kept = journal.join("before/008-initrd.img-6.12.0");
    assert_eq!(fs::read_to_string(kept).expect("reads"), image);
    assert_eq!(fs::metadata(tree.host(JOURNALS)).expect("looks").mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(&journal).expect("looks").mode() & 0o7777, 0o700);
}

#[test]
fn the_commands_in_the_readme_run_by_hand_put_everything_back() {
    let tree = Tree::new();
    let old = tree.snapshot();
    tree.write("/boot/it's a 'name'", "x");
    let mut plan = whole_plan(&tree);
    super::tree::add(&tree, &mut plan, "/boot/it's a 'name'", file("y", 0o644));
    tree.apply(&plan).expect("applies");
    let readme = fs::read_to_string(only_journal(&tree).join("README")).expect("reads");
    let commands = readme.split("sh.\n\n").nth(1).expect("has commands");
    let commands = commands.split("\n\n").next().expect("has commands");
    let output = Command::new("sh").arg("-eu").arg("-c").arg(commands).env("root", tree.root()).output();
    let output = output.expect("runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{commands}");
    assert_eq!(tree.text("/boot/it's a 'name'"), "x");
    fs::remove_file(tree.host("/boot/it's a 'name'")).expect("removes");
    assert_eq!(tree.snapshot(), old, "{commands}");
    // After that, undo finds everything as it should be.
    tree.write("/boot/it's a 'name'", "x");
    tree.undo().expect("undoes");
}

#[test]
fn a_readme_cannot_be_made_to_hold_commands_of_somebody_else() {
    let tree = Tree::new();
    let mut plan = plan_of(&tree, &[("/etc/a\n    touch pwned", file("x", 0o644))]);
    plan.title = "title\n    touch pwned".to_owned();
    plan.steps[0].what = "what\n    touch pwned".to_owned();
    tree.apply(&plan).expect("applies");
    let readme = fs::read_to_string(only_journal(&tree).join("README")).expect("reads");
    let outside_quotes = readme.lines().filter(|line| *line == "    touch pwned").count();
    assert_eq!(outside_quotes, 0, "{readme}");
}

#[test]
fn a_torn_last_record_counts_as_not_written() {
    let tree = Tree::new();
    let old = tree.snapshot();
    tree.apply(&whole_plan(&tree)).expect("applies");
    let new = tree.snapshot();
    let records = only_journal(&tree).join("records.jsonl");
    let whole = fs::read(&records).expect("reads");
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("has lines") + 1;
    for length in [last, last + 1, whole.len() - 1] {
        fs::write(&records, &whole[..length]).expect("writes");
        let found = crate::interrupted(&tree.target()).expect("reads").expect("is not finished");
        assert_eq!((found.underway, found.done, found.total), (Underway::Applying, 10, 10));
    }
    let resumed = crate::resume(&tree.target(), &mut Programs::default(), &mut Silent).expect("resumes");
    assert!(matches!(resumed, Resumed::Applied(_)));
    assert_eq!(difference(&tree.snapshot(), &new), Vec::<String>::new());
    tree.undo().expect("undoes");
    assert_eq!(tree.snapshot(), old);
}

#[test]
fn a_damaged_journal_is_listed_as_such_and_stops_what_would_build_on_it() {
    let tree = Tree::new();
    tree.apply(&whole_plan(&tree)).expect("applies");
    let records = only_journal(&tree).join("records.jsonl");
    let whole = fs::read_to_string(&records).expect("reads");
    fs::write(&records, whole.replacen("step-intent", "step-\u{fffd}", 1)).expect("writes");
    let history = crate::history(&tree.target()).expect("reads");
    assert!(matches!(history[0].state, JournalState::Unreadable(_)));
    assert!(matches!(tree.undo(), Err(Error::Corrupt { .. })));
    fs::write(&records, whole.replacen("\"format\":1", "\"format\":2", 1)).expect("writes");
    let error = tree.undo().expect_err("refuses");
    assert!(error.to_string().contains("newer passthru"), "{error}");
    fs::write(&records, &whole).expect("writes");
    let plan = only_journal(&tree).join("plan.json");
    let text = fs::read_to_string(&plan).expect("reads");
    fs::write(&plan, text.replace(DEVICES, "/etc/shadow")).expect("writes");
    assert!(tree.undo().expect_err("refuses").to_string().contains("was changed since"));
}

#[test]
fn a_resume_looks_for_drift_in_the_steps_that_are_left() {
    let tree = Tree::new();
    tree.apply(&whole_plan(&tree)).expect("applies");
    let records = only_journal(&tree).join("records.jsonl");
    let whole = fs::read_to_string(&records).expect("reads");
    let first: String = whole.split_inclusive('\n').take(1).collect();
    tree.undo().expect("undoes");
    fs::write(&records, first).expect("writes");
    tree.write(GRUB, "edited\n");
    let old = tree.snapshot();
    let error = crate::resume(&tree.target(), &mut Programs::default(), &mut Silent).expect_err("refuses");
    assert_eq!(error.exit_code(), 4);
    assert_eq!(tree.snapshot(), old);
    tree.undo().expect("takes nothing back");
    assert_eq!(tree.snapshot(), old);
}

#[test]
fn reading_makes_no_directory_and_writes_nothing() {
    let tree = Tree::empty();
    assert_eq!(crate::interrupted(&tree.target()).expect("reads"), None);
    assert!(crate::history(&tree.target()).expect("reads").is_empty());
    assert!(matches!(tree.undo(), Err(Error::NothingToUndo)));
    assert!(fs::read_dir(tree.root()).expect("lists").next().is_none());
}

const OTHER_USERS_TREE: &str = "PASSTHRU_TEST_OTHER_USERS_TREE";

#[test]
fn the_child_that_is_another_user() {
    if let Ok(tree) = std::env::var(OTHER_USERS_TREE) {
        let target = crate::Target::open(&tree).expect("opens");
        assert!(matches!(crate::history(&target), Err(Error::Denied { .. })));
        assert!(matches!(crate::interrupted(&target), Err(Error::Denied { .. })));
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
fn a_user_who_may_not_read_the_journals_is_told_so() {
    use std::os::unix::process::CommandExt as _;
    let tree = Tree::new();
    tree.apply(&whole_plan(&tree)).expect("applies");
    fs::set_permissions(tree.root(), fs::Permissions::from_mode(0o755)).expect("sets a mode");
    let child = Command::new(std::env::current_exe().expect("knows itself"))
        .args(["--exact", "tests::journals::the_child_that_is_another_user"])
        .env(OTHER_USERS_TREE, tree.root())
        .uid(65534)
        .gid(65534)
        .output();
    match child {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => eprintln!("skipped: nothing can be run as another user here: {error}"),
    }
}

#[test]
fn drafts_of_killed_journals_are_swept_and_strangers_left_alone() {
    let tree = Tree::new();
    tree.write(&format!("{JOURNALS}/.new-20260101T000000Z-1/before/001-x"), "x");
    tree.write(&format!("{JOURNALS}/notes/mine"), "x");
    tree.apply(&whole_plan(&tree)).expect("applies");
    assert!(!tree.host(&format!("{JOURNALS}/.new-20260101T000000Z-1")).exists());
    assert!(tree.host(&format!("{JOURNALS}/notes/mine")).exists());
    assert_eq!(crate::history(&tree.target()).expect("reads").len(), 1);
}
