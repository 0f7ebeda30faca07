//! What is refused, with nothing changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use passthru_model::plan::{Action, FileState};
use passthru_model::program::Program;

use super::tree::{DEVICES, GRUB, GRUB_CFG, IMAGE, Tree, changed_grub, file, plan_of, run, whole_plan};
use crate::{Error, RunFailure, Runner, Silent};

#[test]
fn a_host_that_changed_since_is_refused_and_every_path_named() {
    let tree = Tree::new();
    let plan = whole_plan(&tree);
    tree.write(GRUB, "edited\n");
    tree.write(DEVICES, "already there\n");
    fs::remove_file(tree.host("/etc/modprobe.d/old.conf")).expect("removes");
    let old = tree.snapshot();
    let error = tree.apply(&plan).expect_err("refuses");
    assert_eq!(error.exit_code(), 4);
    let Error::Drift(drift) = &error else { panic!("{error}") };
    let paths: Vec<&str> = drift.iter().map(|drift| drift.path.as_str()).collect();
    assert_eq!(paths, [DEVICES, GRUB, "/etc/modprobe.d/old.conf"]);
    assert_eq!(drift[1].difference, "its content differs");
    assert_eq!(tree.snapshot(), old);
    assert!(!tree.host("/var/lib/passthru").exists());
}

#[test]
fn every_way_to_differ_is_told() {
    type Change = (&'static str, fn(&Path));
    let changes: [Change; 5] = [
        ("its mode is 0600, not 0640", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("sets a mode");
        }),
        ("it is not there", |path| fs::remove_file(path).expect("removes")),
        ("it is a directory", |path| {
            fs::remove_file(path).expect("removes");
            fs::create_dir(path).expect("makes");
        }),
        ("it is not there", |path| {
            fs::remove_file(path).expect("removes");
            std::os::unix::fs::symlink("/nowhere/at/all", path).expect("links");
        }),
        ("it is neither a file nor a link", |path| {
            fs::remove_file(path).expect("removes");
            std::os::unix::net::UnixListener::bind(path).map(drop).expect("binds");
        }),
    ];
    for (expected, change) in changes {
        let tree = Tree::new();
        let plan = plan_of(&tree, &[(GRUB, changed_grub())]);
        change(&tree.host(GRUB));
        let drift = crate::drift(&tree.target(), &plan).expect("looks");
        assert_eq!(drift[0].difference, expected);
    }
}

#[test]
fn circular_links_are_an_error_and_not_a_hang() {
    let tree = Tree::new();
    let plan = plan_of(&tree, &[(GRUB, changed_grub())]);
    fs::remove_file(tree.host(GRUB)).expect("removes");
    std::os::unix::fs::symlink("grub", tree.host(GRUB)).expect("links");
    assert!(matches!(tree.apply(&plan), Err(Error::Io { .. })));
}

#[test]
fn links_never_lead_out_of_the_root() {
    let tree = Tree::new();
    let outside = tempfile::tempdir().expect("makes a directory");
    fs::write(outside.path().join("victim"), "old\n").expect("writes");
    let up = "../".repeat(20) + outside.path().join("victim").to_str().expect("is UTF-8");
    for leads in [outside.path().join("victim").to_str().expect("is UTF-8").to_owned(), up] {
        let _ = fs::remove_file(tree.host("/etc/a"));
        std::os::unix::fs::symlink(leads, tree.host("/etc/a")).expect("links");
        let mut plan = plan_of(&tree, &[("/etc/a", file("new\n", 0o644))]);
        if let Action::File { before, .. } = &mut plan.steps[0].action {
            *before = file("old\n", 0o644);
        }
        assert!(tree.apply(&plan).is_err());
    }
    assert_eq!(fs::read_to_string(outside.path().join("victim")).expect("reads"), "old\n");
}

#[test]
fn paths_that_are_not_plain_or_are_our_own_are_refused() {
    let tree = Tree::new();
    for path in ["etc/a", "/etc/../a", "/etc//a", "/etc/a/", "/", "", "/var/lib/passthru/journal/x", "/a\0b"]
    {
        let mut plan = plan_of(&tree, &[("/etc/a", file("a", 0o644))]);
        if let Action::File { path: there, .. } = &mut plan.steps[0].action {
            path.clone_into(there);
        }
        let error = tree.apply(&plan).expect_err("refuses");
        assert!(matches!(error, Error::PlanRefused(_)), "{path}: {error}");
        assert_eq!(error.exit_code(), 3);
    }
}

/// Tries another change while a program runs.
struct Rival<'a>(&'a Tree, Option<Error>);

impl Runner for Rival<'_> {
    fn run(&mut self, _: Program, _: &[String], _: &Path, _: &mut dyn FnMut(&str)) -> Result<(), RunFailure> {
        self.1 = self.0.undo().err();
        Ok(())
    }
}

#[test]
fn a_second_writer_is_told_who_is_writing() {
    let tree = Tree::new();
    let mut plan = plan_of(&tree, &[]);
    run(&mut plan, Program::UpdateGrub, &[GRUB_CFG], Vec::new());
    let mut rival = Rival(&tree, None);
    crate::apply(&tree.target(), &plan, &mut rival, &mut Silent).expect("applies");
    let error = rival.1.expect("was refused");
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
fn a_read_only_file_system_is_refused_before_anything_is_changed() {
    use rustix::mount::{MountFlags, UnmountFlags, mount_bind, mount_remount, unmount};
    let tree = Tree::new();
    let boot = tree.host("/boot");
    let mounted = mount_bind(&boot, &boot).and_then(|()| {
        mount_remount(&boot, MountFlags::BIND | MountFlags::RDONLY, "").inspect_err(|_| {
            let _ = unmount(&boot, UnmountFlags::DETACH);
        })
    });
    if let Err(error) = mounted {
        eprintln!("skipped: nothing can be mounted here: {error}");
        return;
    }
    let old = tree.snapshot();
    let mut plan = plan_of(&tree, &[(DEVICES, file("x\n", 0o644))]);
    run(&mut plan, Program::UpdateInitramfs, &[IMAGE], Vec::new());
    let error = tree.apply(&plan).expect_err("refuses");
    assert!(error.to_string().contains("mounted read-only"), "{error}");
    assert_eq!(tree.snapshot(), old);
    assert!(!tree.host("/var/lib/passthru").exists());
    unmount(&boot, UnmountFlags::DETACH).expect("unmounts");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
fn an_immutable_file_is_refused_before_anything_is_changed() {
    let tree = Tree { directory: tempfile::tempdir().expect("makes a directory") };
    tree.write(GRUB, "old\n");
    tree.write("/var/lib/x", "");
    let plan = plan_of(&tree, &[(DEVICES, file("x\n", 0o644)), (GRUB, file("new\n", 0o644))]);
    let file = fs::File::open(tree.host(GRUB)).expect("opens");
    if let Err(error) = rustix::fs::ioctl_setflags(&file, rustix::fs::IFlags::IMMUTABLE) {
        eprintln!("skipped: no file can be made immutable here: {error}");
        return;
    }
    let error = tree.apply(&plan);
    rustix::fs::ioctl_setflags(&file, rustix::fs::IFlags::empty()).expect("unmarks");
    assert!(error.expect_err("refuses").to_string().contains("immutable"));
    assert!(!tree.host(DEVICES).exists());
    assert!(!tree.host("/var/lib/passthru").exists());
}

#[test]
fn a_file_where_a_directory_should_be_is_an_error_with_its_path() {
    let tree = Tree::new();
    tree.write("/etc/passthru", "a file\n");
    let mut plan = plan_of(&tree, &[]);
    let action =
        Action::File { path: DEVICES.to_owned(), before: FileState::Absent, after: file("x", 0o644) };
    plan.steps.push(super::tree::step(0, action, passthru_model::plan::Effect::Now));
    let error = tree.apply(&plan).expect_err("fails");
    assert!(error.to_string().contains(DEVICES), "{error}");
}
