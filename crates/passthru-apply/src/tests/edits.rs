//! What users do to the files between apply and undo.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use passthru_model::managed::{BOOT_ORDER, boot_variable};
use passthru_model::program::Program;

use super::tree::{
    DEVICES, GRUB, GRUB_CFG, IMAGE, OLDER_IMAGE, Programs, Tree, changed_grub, file, plan_of, run,
    variables_plan, whole_plan,
};
use crate::{Error, How, OnConflict, Undone};

fn how(undone: &Undone, path: &str) -> Vec<How> {
    undone.paths.iter().filter(|it| it.path == path).map(|it| it.how).collect()
}

#[test]
fn lines_that_the_user_added_stay_and_ours_go() {
    let tree = Tree::new();
    let original = tree.text(GRUB);
    tree.apply(&whole_plan(&tree)).expect("applies");
    tree.write(GRUB, tree.text(GRUB).replace("GRUB_TIMEOUT=5", "GRUB_TIMEOUT=30"));
    let undone = tree.undo().expect("undoes");
    assert_eq!(tree.text(GRUB), original.replace("GRUB_TIMEOUT=5", "GRUB_TIMEOUT=30"));
    assert!(how(&undone, GRUB).contains(&How::Merged));
    assert!(!tree.host(DEVICES).exists());
}

#[test]
fn an_edit_of_the_very_line_is_refused_with_three_versions_and_nothing_changed() {
    let tree = Tree::new();
    tree.apply(&whole_plan(&tree)).expect("applies");
    tree.write(GRUB, tree.text(GRUB).replace("iommu=pt", "iommu=pt nosmt"));
    let edited = tree.snapshot();
    let error = tree.undo().expect_err("refuses");
    assert_eq!(error.exit_code(), 3);
    let Error::Conflicts(conflicts) = &error else { panic!("{error}") };
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].path, GRUB);
    assert!(tree.text(conflicts[0].before.as_ref().expect("is kept")).contains("\"quiet\""));
    assert!(tree.text(conflicts[0].ours.as_ref().expect("is kept")).contains("\"quiet iommu=pt\""));
    assert_eq!(tree.snapshot(), edited);
    assert_eq!(crate::interrupted(&tree.target()).expect("reads"), None);
}

#[test]
fn told_to_keep_the_edited_file_undo_does_all_the_rest() {
    let tree = Tree::new();
    tree.apply(&whole_plan(&tree)).expect("applies");
    tree.write(GRUB, tree.text(GRUB).replace("iommu=pt", "iommu=pt nosmt"));
    let edited = tree.text(GRUB);
    let undone = tree.undo_with(OnConflict::KeepEdited, &mut Programs::default()).expect("undoes");
    assert_eq!(tree.text(GRUB), edited);
    assert!(how(&undone, GRUB).contains(&How::LeftAsEdited));
    assert!(!tree.host(DEVICES).exists());
}

#[test]
fn told_to_put_it_back_undo_keeps_the_edited_file_in_the_journal() {
    let tree = Tree::new();
    let original = tree.text(GRUB);
    let plan = plan_of(&tree, &[(GRUB, changed_grub())]);
    let journal = tree.apply(&plan).expect("applies").journal.expect("has a journal");
    tree.write(GRUB, "all mine\n");
    let undone = tree.undo_with(OnConflict::PutBack, &mut Programs::default()).expect("undoes");
    assert_eq!(how(&undone, GRUB), [How::EditsDisplaced]);
    assert_eq!(tree.text(GRUB), original);
    assert_eq!(tree.text(&format!("{}/{journal}/displaced/001-grub", crate::JOURNALS)), "all mine\n");
}

#[test]
fn of_an_order_of_boot_entries_that_the_firmware_has_changed_since_only_ours_goes() {
    let tree = Tree::new();
    tree.apply(&variables_plan(&tree)).expect("applies");
    tree.write(BOOT_ORDER, b"\x07\0\0\0\x05\0\x01\0\x02\0");
    let undone = tree.undo().expect("undoes");
    assert_eq!(how(&undone, BOOT_ORDER), [How::Merged]);
    assert_eq!(tree.text(BOOT_ORDER), "\x07\0\0\0\x05\0\x01\0");
    assert!(!tree.host(&boot_variable(2)).exists());
}

#[test]
fn a_boot_entry_of_the_firmware_that_was_changed_since_stops_the_undo_with_three_versions() {
    let tree = Tree::new();
    tree.apply(&variables_plan(&tree)).expect("applies");
    tree.write(&boot_variable(1), b"\x07\0\0\0another");
    let edited = tree.snapshot();
    let error = tree.undo().expect_err("refuses");
    let Error::Conflicts(conflicts) = &error else { panic!("{error}") };
    assert!(conflicts[0].before.is_some() && conflicts[0].ours.is_some());
    assert_eq!(tree.snapshot(), edited);
}

#[test]
fn variables_that_are_not_to_be_seen_stop_the_undo_and_say_how_to_see_them() {
    let tree = Tree::new();
    tree.apply(&variables_plan(&tree)).expect("applies");
    fs::remove_dir_all(tree.host("/sys")).expect("removes");
    let left = tree.snapshot();
    let error = tree.undo().expect_err("refuses").to_string();
    assert!(error.contains("mount --rbind /sys"), "{error}");
    assert_eq!(tree.snapshot(), left);
}

#[test]
fn a_file_that_we_made_and_the_user_edited_is_not_removed_unasked() {
    let tree = Tree::new();
    tree.apply(&plan_of(&tree, &[(DEVICES, file("one\n", 0o644))])).expect("applies");
    tree.write(DEVICES, "one\ntwo\n");
    assert!(matches!(tree.undo(), Err(Error::Conflicts(_))));
    assert_eq!(tree.text(DEVICES), "one\ntwo\n");
    tree.undo_with(OnConflict::PutBack, &mut Programs::default()).expect("undoes");
    assert!(!tree.host("/etc/passthru").exists());
}

#[test]
fn a_file_that_we_made_and_the_user_removed_is_well_already() {
    let tree = Tree::new();
    tree.apply(&plan_of(&tree, &[(DEVICES, file("one\n", 0o644))])).expect("applies");
    fs::remove_file(tree.host(DEVICES)).expect("removes");
    let undone = tree.undo().expect("undoes");
    assert_eq!(how(&undone, DEVICES), [How::AlreadyBefore]);
    assert!(!tree.host("/etc/passthru").exists());
}

#[test]
fn a_mode_that_the_user_changed_stays_while_our_text_goes() {
    let tree = Tree::new();
    let original = tree.text(GRUB);
    tree.apply(&plan_of(&tree, &[(GRUB, changed_grub())])).expect("applies");
    fs::set_permissions(tree.host(GRUB), fs::Permissions::from_mode(0o600)).expect("sets a mode");
    tree.undo().expect("undoes");
    assert_eq!(tree.text(GRUB), original);
    assert_eq!(fs::metadata(tree.host(GRUB)).expect("looks").mode() & 0o7777, 0o600);
}

#[test]
fn what_is_no_text_is_not_merged() {
    let tree = Tree::new();
    tree.write("/etc/a", b"a\0b\nc\nd\ne\nf\n");
    tree.apply(&plan_of(&tree, &[("/etc/a", file("A\0b\nc\nd\ne\nf\n", 0o644))])).expect("applies");
    tree.write("/etc/a", b"A\0b\nc\nd\ne\nF\n");
    assert!(matches!(tree.undo(), Err(Error::Conflicts(_))));
}

#[test]
fn an_image_that_somebody_rebuilt_is_built_again_and_never_put_back_stale() {
    let tree = Tree::new();
    tree.apply(&whole_plan(&tree)).expect("applies");
    let mut newer = tree.text(IMAGE);
    newer.push_str("modules of the updated kernel\n");
    tree.write(IMAGE, newer);
    let mut programs =
        Programs { build: "modules of the updated kernel\n".to_owned(), ..Programs::default() };
    let undone = tree.undo_with(OnConflict::Refuse, &mut programs).expect("undoes");
    assert_eq!(programs.ran, [Program::UpdateInitramfs]);
    assert_eq!(how(&undone, IMAGE), [How::BuiltAgain]);
    assert_eq!(how(&undone, GRUB_CFG), [How::PutBack]);
    assert!(tree.text(IMAGE).contains("updated kernel"));
    assert!(!tree.text(IMAGE).contains("02:00.0"));
}

#[test]
fn an_image_of_a_kernel_that_was_removed_stays_gone_and_the_others_are_put_back() {
    let tree = Tree::new();
    let old = tree.text(IMAGE);
    tree.apply(&whole_plan(&tree)).expect("applies");
    fs::remove_file(tree.host(OLDER_IMAGE)).expect("removes");
    let undone = tree.undo().expect("undoes");
    assert_eq!(how(&undone, OLDER_IMAGE), [How::Gone]);
    assert!(!tree.host(OLDER_IMAGE).exists());
    assert_eq!(tree.text(IMAGE), old);
}

#[test]
fn a_file_that_only_our_program_made_is_removed() {
    let tree = Tree::new();
    let mut plan = plan_of(&tree, &[(DEVICES, file("x\n", 0o644))]);
    fs::remove_file(tree.host(GRUB_CFG)).expect("removes");
    run(&mut plan, Program::UpdateGrub, &[GRUB_CFG], Vec::new());
    let old = tree.snapshot();
    tree.apply(&plan).expect("applies");
    assert!(tree.host(GRUB_CFG).exists());
    tree.undo().expect("undoes");
    assert_eq!(tree.snapshot(), old);
}

#[test]
fn an_undo_whose_program_fails_says_what_is_left_to_run() {
    let tree = Tree::new();
    tree.apply(&whole_plan(&tree)).expect("applies");
    tree.write(IMAGE, "rebuilt by somebody");
    let error = tree
        .undo_with(OnConflict::Refuse, &mut Programs::failing(Program::UpdateInitramfs))
        .expect_err("fails in part");
    assert_eq!(error.exit_code(), 6);
    let Error::Partly { commands, .. } = &error else { panic!("{error}") };
    assert_eq!(commands, &[format!("chroot {} update-initramfs", tree.root().display())]);
    // Everything else is undone, and trying again completes it.
    assert!(!tree.host(DEVICES).exists());
    assert!(crate::interrupted(&tree.target()).expect("reads").is_some());
    tree.undo().expect("undoes");
    assert_eq!(crate::interrupted(&tree.target()).expect("reads"), None);
}
