//! Steps that fail, and rollbacks that do.

use std::fs;
use std::path::Path;

use passthru_model::plan::Expectation;
use passthru_model::program::Program;

use super::tree::{DEVICES, GRUB, GRUB_CFG, IMAGE, Programs, Tree, file, plan_of, run, whole_plan};
use crate::{Error, JournalState, RunFailure, Runner, Silent};

#[test]
fn a_program_that_fails_rolls_everything_back_and_says_why() {
    for program in [Program::UpdateInitramfs, Program::UpdateGrub] {
        let tree = Tree::new();
        let old = tree.snapshot();
        let plan = whole_plan(&tree);
        let error = crate::apply(&tree.target(), &plan, &mut Programs::failing(program), &mut Silent)
            .expect_err("fails");
        assert_eq!(error.exit_code(), 5);
        let text = error.to_string();
        assert!(text.contains(program.file_name()) && text.contains("status 1"), "{text}");
        assert!(text.contains("cannot do it") && text.contains("rolled back"), "{text}");
        assert_eq!(tree.snapshot(), old);
        let history = crate::history(&tree.target()).expect("reads");
        assert_eq!(history[0].state, JournalState::RolledBack);
        assert!(history[0].failure.as_ref().expect("says why").contains("status 1"));
        tree.apply(&plan).expect("applies once the program works");
    }
}

#[test]
fn what_must_hold_afterwards_and_does_not_rolls_everything_back() {
    let path = || IMAGE.to_owned();
    let expectations = [
        Expectation::ImageHolds { path: path(), entries: vec!["vfio-pci.ko".to_owned()] },
        Expectation::ImageLacks { path: path(), entries: vec!["loop".to_owned()] },
        Expectation::Contains { path: path(), needles: vec!["loop".to_owned(), "not there".to_owned()] },
        Expectation::Lacks { path: path(), needles: vec!["loop".to_owned()] },
        Expectation::Contains { path: "/boot/none".to_owned(), needles: Vec::new() },
    ];
    for expectation in expectations {
        let tree = Tree::new();
        let old = tree.snapshot();
        let mut plan = plan_of(&tree, &[(DEVICES, file("0000:02:00.0\n", 0o644))]);
        run(&mut plan, Program::UpdateInitramfs, &[IMAGE], vec![expectation]);
        let error = tree.apply(&plan).expect_err("fails");
        assert_eq!(error.exit_code(), 5, "{error}");
        assert!(error.to_string().starts_with("/boot/"), "{error}");
        // The other image is not among those that the plan says it rewrites.
        assert_eq!(tree.text(IMAGE).as_bytes(), old[Path::new("boot/initrd.img-6.12.0")].4);
        assert!(!tree.host(DEVICES).exists());
    }
}

/// Fails, and breaks the way back before it does.
struct Saboteur(std::path::PathBuf);

impl Runner for Saboteur {
    fn run(
        &mut self,
        _: Program,
        _: &[String],
        root: &Path,
        _: &mut dyn FnMut(&str),
    ) -> Result<(), RunFailure> {
        fs::write(root.join("boot/grub/grub.cfg"), "spoilt").expect("writes");
        for entry in fs::read_dir(&self.0).expect("lists") {
            let before = entry.expect("lists").path().join("before");
            fs::write(before.join("002-grub.cfg"), "damaged").expect("writes");
        }
        let (command_line, reason) = ("update-grub".to_owned(), "was stopped".to_owned());
        Err(RunFailure { command_line, reason, status: None, stderr_tail: String::new() })
    }

    fn starts_processes(&self) -> bool {
        false
    }
}

#[test]
fn a_rollback_that_fails_gives_both_causes_and_the_commands_that_finish_it() {
    let tree = Tree::new();
    let mut plan = plan_of(&tree, &[(DEVICES, file("x\n", 0o644))]);
    run(&mut plan, Program::UpdateGrub, &[GRUB_CFG], Vec::new());
    let mut saboteur = Saboteur(tree.host(crate::JOURNALS));
    let error = crate::apply(&tree.target(), &plan, &mut saboteur, &mut Silent).expect_err("fails");
    assert_eq!(error.exit_code(), 6);
    let Error::Partly { cause, failures, commands, journal } = &error else { panic!("{error}") };
    assert!(cause.as_ref().expect("is known").to_string().contains("was stopped"));
    assert!(failures[0].contains("damaged"), "{failures:?}");
    let root = tree.root().display();
    let kept = format!("{root}{}/{journal}/before/002-grub.cfg", crate::JOURNALS);
    assert_eq!(commands, &[format!("cp -a --remove-destination -- {kept} {root}{GRUB_CFG}")]);
    assert!(!tree.host(DEVICES).exists());
    let found = crate::interrupted(&tree.target()).expect("reads").expect("is not finished");
    assert_eq!(found.underway, crate::Underway::PartlyRolledBack);
}

#[test]
fn a_file_that_changes_between_the_check_and_its_step_is_left_alone_and_the_rest_rolled_back() {
    struct Meddler;
    impl Runner for Meddler {
        fn run(
            &mut self,
            _: Program,
            _: &[String],
            root: &Path,
            _: &mut dyn FnMut(&str),
        ) -> Result<(), RunFailure> {
            fs::write(root.join("etc/default/grub"), "edited just now\n").expect("writes");
            Ok(())
        }
    }
    let tree = Tree::new();
    let mut plan = plan_of(&tree, &[(DEVICES, file("x\n", 0o644))]);
    run(&mut plan, Program::UpdateGrub, &[GRUB_CFG], Vec::new());
    super::tree::add(&tree, &mut plan, GRUB, file("ours\n", 0o640));
    let error = crate::apply(&tree.target(), &plan, &mut Meddler, &mut Silent).expect_err("fails");
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().contains("changed by somebody else"), "{error}");
    assert_eq!(tree.text(GRUB), "edited just now\n");
    assert!(!tree.host(DEVICES).exists());
}

/// Fills the disk, as a program does that writes a new image beside the old one.
struct Glutton;
impl Runner for Glutton {
    fn run(
        &mut self,
        _: Program,
        _: &[String],
        root: &Path,
        _: &mut dyn FnMut(&str),
    ) -> Result<(), RunFailure> {
        let full = fs::write(root.join("boot/other"), vec![0; 64 << 20]).expect_err("is full");
        fs::remove_file(root.join("boot/other")).expect("removes");
        let (command_line, reason) = ("update-grub".to_owned(), format!("said {full}"));
        Err(RunFailure { command_line, reason, status: Some(1), stderr_tail: String::new() })
    }
}

#[test]
fn a_disk_that_fills_up_halfway_is_rolled_back() {
    let Some(tree) = small_disk(8) else { return };
    let old = tree.snapshot();
    let mut plan = plan_of(&tree, &[(DEVICES, file("x\n", 0o644)), ("/boot/a", file("a", 0o644))]);
    run(&mut plan, Program::UpdateGrub, &[GRUB_CFG], Vec::new());
    let error = crate::apply(&tree.target(), &plan, &mut Glutton, &mut Silent).expect_err("fails");
    assert_eq!(error.exit_code(), 5, "{error}");
    assert_eq!(tree.snapshot(), old);
}

#[test]
fn a_disk_without_room_for_the_images_is_refused_before_anything_is_changed() {
    let Some(tree) = small_disk(0) else { return };
    let old = tree.snapshot();
    let mut plan = plan_of(&tree, &[(DEVICES, file("x\n", 0o644))]);
    run(&mut plan, Program::UpdateGrub, &[GRUB_CFG], Vec::new());
    let error = tree.apply(&plan).expect_err("refuses");
    assert!(matches!(error, Error::NoSpace { .. }), "{error}");
    assert_eq!(error.exit_code(), 3);
    assert_eq!(tree.snapshot(), old);
    assert!(!tree.host("/var/lib/passthru").exists());
}

/// A tree whose `/boot` is a file system of 16 MiB and this many more; nothing where we may not mount.
#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
fn small_disk(more: u64) -> Option<SmallDisk> {
    let tree = Tree::new();
    let options = std::ffi::CString::new(format!("size={}m", 16 + more)).expect("has no zero");
    let flags = rustix::mount::MountFlags::empty();
    if let Err(error) = rustix::mount::mount("none", tree.host("/boot"), "tmpfs", flags, options.as_c_str()) {
        eprintln!("skipped: no file system can be mounted here: {error}");
        return None;
    }
    tree.write(GRUB_CFG, vec![b'x'; 7 << 20]);
    tree.write("/boot/ballast", vec![0; if more == 0 { 2 << 20 } else { 1 << 20 }]);
    Some(SmallDisk(tree))
}

/// Unmounts it when the test ends, well or not.
struct SmallDisk(Tree);

impl std::ops::Deref for SmallDisk {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0.host("/boot"), rustix::mount::UnmountFlags::DETACH);
    }
}
