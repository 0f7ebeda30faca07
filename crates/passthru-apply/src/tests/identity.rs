//! What is applied and undone is as before, byte for byte and mode for mode.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use passthru_model::managed::boot_variable;

use super::tree::{
    GRUB, IMAGE, Programs, STUB_COPY, STUB_ENTRY, Tree, changed_grub, difference, edited_plan, file, link,
    plan_of, variables_plan, whole_plan,
};
use crate::{Event, How, Which};

#[test]
fn a_whole_plan_applied_and_undone_leaves_the_tree_as_it_was_with_all_modes_and_times() {
    let tree = Tree::new();
    let old = tree.snapshot();
    let applied = tree.apply(&whole_plan(&tree)).expect("applies");
    assert!(applied.journal.is_some());
    assert!(tree.text(GRUB).contains("iommu=pt"));
    assert!(tree.text(IMAGE).contains("02:00.0"));
    let undone = tree.undo().expect("undoes");
    assert!(undone.paths.iter().all(|path| matches!(path.how, How::PutBack | How::AlreadyBefore)));
    assert_eq!(tree.snapshot(), old);
}

#[test]
fn settings_of_others_and_what_is_made_of_them_come_back_as_they_were() {
    let tree = Tree::new();
    let plan = edited_plan(&tree);
    let old = tree.snapshot();
    tree.apply(&plan).expect("applies");
    assert!(tree.text(STUB_ENTRY).contains("intel_iommu=on"));
    assert!(tree.text(STUB_COPY).contains("02:00.0"));
    tree.undo().expect("undoes");
    assert_eq!(tree.snapshot(), old);
}

#[test]
fn variables_of_the_firmware_come_back_byte_for_byte() {
    let tree = Tree::new();
    let plan = variables_plan(&tree);
    let old = tree.snapshot();
    tree.apply(&plan).expect("applies");
    assert!(tree.text(&boot_variable(2)).contains("passthru.off"));
    assert!(!tree.text(&boot_variable(1)).contains("intel_iommu=off"));
    tree.undo().expect("undoes");
    // Firmware keeps no times.
    assert_eq!(difference(&tree.snapshot(), &old), Vec::<String>::new());
}

#[test]
fn it_can_be_applied_and_undone_again_and_again() {
    let tree = Tree::new();
    let old = tree.snapshot();
    for round in 1..=3 {
        tree.apply(&whole_plan(&tree)).expect("applies");
        tree.undo().expect("undoes");
        assert_eq!(tree.snapshot(), old);
        assert_eq!(crate::history(&tree.target()).expect("reads").len(), round);
    }
    assert!(matches!(tree.undo(), Err(crate::Error::NothingToUndo)));
}

#[test]
fn two_plans_are_undone_newest_first() {
    let tree = Tree::new();
    let old = tree.snapshot();
    tree.apply(&plan_of(&tree, &[(GRUB, changed_grub())])).expect("applies");
    let between = tree.snapshot();
    tree.apply(&plan_of(&tree, &[(GRUB, file("other\n", 0o600))])).expect("applies");
    tree.undo().expect("undoes");
    assert_eq!(tree.snapshot(), between);
    tree.undo().expect("undoes");
    assert_eq!(tree.snapshot(), old);
}

#[test]
fn an_older_plan_can_be_undone_by_name_and_only_once() {
    let tree = Tree::new();
    let first = tree.apply(&plan_of(&tree, &[("/etc/a", file("a", 0o644))])).expect("applies");
    tree.apply(&plan_of(&tree, &[("/etc/b", file("b", 0o644))])).expect("applies");
    let which = Which::Journal(first.journal.expect("has a journal"));
    let undo = || {
        let mut programs = Programs::default();
        crate::undo(&tree.target(), &which, crate::OnConflict::Refuse, &mut programs, &mut crate::Silent)
    };
    undo().expect("undoes");
    assert!(!tree.host("/etc/a").exists());
    assert!(tree.host("/etc/b").exists());
    assert!(matches!(undo(), Err(crate::Error::AlreadyUndone { .. })));
}

#[test]
fn a_link_to_the_file_is_kept_and_the_file_behind_it_is_changed() {
    let tree = Tree::new();
    fs::rename(tree.host(GRUB), tree.host("/etc/real")).expect("moves");
    // Absolute, as on the host: it must lead to the tree's file, not to the one of the machine that runs this.
    std::os::unix::fs::symlink("/etc/real", tree.host(GRUB)).expect("links");
    let old = tree.snapshot();
    let mut plan = plan_of(&tree, &[("/etc/real", changed_grub())]);
    if let passthru_model::plan::Action::File { path, .. } = &mut plan.steps[0].action {
        GRUB.clone_into(path);
    }
    tree.apply(&plan).expect("applies");
    assert!(fs::symlink_metadata(tree.host(GRUB)).expect("looks").is_symlink());
    assert!(tree.text("/etc/real").contains("iommu=pt"));
    tree.undo().expect("undoes");
    assert_eq!(tree.snapshot(), old);
}

#[test]
fn extended_attributes_stay_with_the_file_there_and_back() {
    let tree = Tree { directory: tempfile::tempdir().expect("makes a directory") };
    tree.write("/var/lib/x", "");
    tree.write("/etc/a", "old\n");
    let attribute = |tree: &Tree| {
        let mut value = [0_u8; 16];
        let size = rustix::fs::getxattr(tree.host("/etc/a"), "user.label", &mut value[..]).expect("reads");
        String::from_utf8_lossy(&value[..size]).into_owned()
    };
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(tree.host("/etc/a"), "user.label", b"mine", flags).is_err() {
        return;
    }
    tree.apply(&plan_of(&tree, &[("/etc/a", file("new\n", 0o644))])).expect("applies");
    assert_eq!(attribute(&tree), "mine");
    tree.undo().expect("undoes");
    assert_eq!(attribute(&tree), "mine");
    assert_eq!(tree.text("/etc/a"), "old\n");
}

#[test]
fn set_bits_and_owners_come_back() {
    let tree = Tree::new();
    tree.write("/etc/a", "old\n");
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(tree.host("/etc/a"), Some(12), Some(34)).expect("chowns");
    }
    fs::set_permissions(tree.host("/etc/a"), fs::Permissions::from_mode(0o4751)).expect("sets a mode");
    let old = tree.snapshot();
    tree.apply(&plan_of(&tree, &[("/etc/a", file("new\n", 0o600))])).expect("applies");
    assert_eq!(fs::metadata(tree.host("/etc/a")).expect("looks").mode() & 0o7777, 0o600);
    tree.undo().expect("undoes");
    assert_eq!(tree.snapshot(), old);
}

#[test]
fn directories_that_were_made_go_again_unless_somebody_uses_them() {
    let tree = Tree::new();
    let plan = plan_of(&tree, &[("/etc/x/y/z/file", file("a", 0o644)), ("/etc/x/other", link("nowhere"))]);
    tree.apply(&plan).expect("applies");
    assert_eq!(fs::metadata(tree.host("/etc/x/y")).expect("looks").mode() & 0o7777, 0o755);
    tree.write("/etc/x/mine", "kept");
    tree.undo().expect("undoes");
    assert!(!tree.host("/etc/x/y").exists());
    assert_eq!(tree.text("/etc/x/mine"), "kept");
}

#[test]
fn an_empty_plan_does_nothing_and_leaves_no_journal() {
    let tree = Tree::new();
    let applied = tree.apply(&plan_of(&tree, &[])).expect("applies");
    assert_eq!(applied.journal, None);
    assert!(!tree.host("/var/lib/passthru").exists());
}

#[test]
fn every_step_and_line_is_told() {
    let tree = Tree::new();
    let mut told = Vec::new();
    let mut progress = |event: Event<'_>| {
        told.push(match event {
            Event::StepStarted { index, .. } => format!("+{index}"),
            Event::StepDone { index } => format!("-{index}"),
            Event::Output { line } => line.to_owned(),
            other => format!("{other:?}"),
        });
    };
    let plan = whole_plan(&tree);
    crate::apply(&tree.target(), &plan, &mut Programs::default(), &mut progress).expect("applies");
    assert_eq!(told.first().map(String::as_str), Some("+0"));
    assert_eq!(told.last().map(String::as_str), Some("-9"));
    assert_eq!(told.iter().filter(|line| *line == "working").count(), 2);
    assert_eq!(difference(&tree.snapshot(), &tree.snapshot()), Vec::<String>::new());
}
