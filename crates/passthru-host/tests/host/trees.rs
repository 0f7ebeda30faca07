//! Directories taken for a root: links stay inside, errors are told apart.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use passthru_host::{Host, ReadErrorKind};
use passthru_model::facts::HostKind;
use passthru_model::plan::FileState;
use pretty_assertions::assert_eq;

/// A root with a few files and links in it.
#[expect(clippy::disallowed_methods, reason = "a test builds the tree that it reads")]
fn fill(folder: tempfile::TempDir) -> tempfile::TempDir {
    let root = folder.path();
    std::fs::create_dir_all(root.join("etc/default")).expect("makes");
    std::fs::write(root.join("etc/default/grub"), "A=1\n").expect("writes");
    std::fs::set_permissions(root.join("etc/default/grub"), std::fs::Permissions::from_mode(0o640))
        .expect("sets");
    symlink("/etc/default/grub", root.join("absolute")).expect("links");
    symlink("../../../../../../etc/default/grub", root.join("etc/up")).expect("links");
    symlink("/proc/self/root", root.join("magic")).expect("links");
    symlink("etc", root.join("alias")).expect("links");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("makes");
    folder
}

fn tree() -> tempfile::TempDir {
    fill(tempfile::tempdir().expect("a folder"))
}

#[test]
fn links_in_a_directory_stay_below_it() {
    let folder = tree();
    for host in
        [Host::open(folder.path()).expect("opens"), Host::open(folder.path()).expect("opens").recording()]
    {
        assert_eq!(host.kind(), HostKind::Directory);
        for path in ["/absolute", "/etc/up", "/alias/default/grub", "/../../etc/default/grub"] {
            assert_eq!(host.read(path), Ok(b"A=1\n".to_vec()), "{path}");
            assert_eq!(host.real_path(path).as_deref(), Ok("/etc/default/grub"), "{path}");
        }
        assert!(host.read("/magic/etc/passwd").is_err());
        assert_eq!(host.link("/absolute").as_deref(), Ok("/etc/default/grub"));
        assert_eq!(host.list("/alias"), Ok(vec!["default".to_owned(), "up".to_owned()]));
    }
}

#[test]
fn errors_are_told_apart() {
    let folder = tree();
    let host = Host::open(folder.path()).expect("opens");
    let kind = |path: &str| host.read(path).expect_err(path).kind;
    assert_eq!(kind("/etc/none"), ReadErrorKind::NotFound);
    assert_eq!(kind("/etc/default/grub/x"), ReadErrorKind::NotADirectory);
    assert_eq!(kind("/etc"), ReadErrorKind::Other("it is a directory".to_owned()));
    assert_eq!(kind("etc"), ReadErrorKind::Other("it is not an absolute path".to_owned()));
    // A pipe without a writer would be waited for.
    assert_eq!(kind("/pipe"), ReadErrorKind::Other("it is not a regular file".to_owned()));
    assert_eq!(host.list("/absolute").expect_err("a file").kind, ReadErrorKind::NotADirectory);
    assert_eq!(host.read("/etc/none").expect_err("none").to_string(), "/etc/none is not there");
}

#[test]
fn the_state_of_a_file_has_its_mode_and_owner_and_a_link_is_not_followed() {
    let folder = tree();
    let host = Host::open(folder.path()).expect("opens");
    match host.file_state("/alias/default/grub").expect("reads") {
        FileState::File { content, mode, .. } => {
            assert_eq!((content.0.as_slice(), mode), (b"A=1\n".as_slice(), 0o640));
        }
        other => panic!("{other:?}"),
    }
    let target = "/etc/default/grub".to_owned();
    assert_eq!(host.file_state("/absolute"), Ok(FileState::Link { target }));
    assert_eq!(host.file_state("/etc/none/deeper"), Ok(FileState::Absent));
    assert!(host.file_state("/etc").is_err());
}

#[test]
fn a_capture_of_a_directory_keeps_modes_links_and_what_could_not_be_read() {
    let folder = tree();
    let host = Host::open(folder.path()).expect("opens").recording();
    let paths = ["/absolute", "/etc/default/grub", "/etc/none", "/pipe"];
    let before: Vec<_> = paths.iter().map(|path| host.file_state(path)).collect();
    let listed = host.list("/alias");
    let mut bytes = Vec::new();
    passthru_host::capture::archive(&host, false, &mut bytes).expect("writes");
    let copy = Host::from_archive(bytes.as_slice()).expect("reads");
    let after: Vec<_> = paths.iter().map(|path| copy.file_state(path)).collect();
    assert_eq!(before, after);
    assert_eq!(copy.list("/alias"), listed);
    assert_eq!(copy.read("/alias/default/grub"), Ok(b"A=1\n".to_vec()));
}

#[test]
fn an_attribute_that_is_a_link_or_a_pipe_is_no_way_out_of_a_tree_and_is_not_waited_for() {
    let folder = tree();
    assert_attributes_are_files(&folder);
}

/// Where the mount opens no device nodes, they are not looked for before each file.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test builds the tree that it reads")]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn on_a_mount_without_devices_the_same_holds_and_a_device_of_another_mount_in_it_is_not_opened() {
    if !rustix::process::geteuid().is_root() || passthru_host::inside::own_namespace().is_err() {
        eprintln!("skipped: only root mounts a file system without devices");
        return;
    }
    let mounted = tempfile::tempdir().expect("a folder");
    let mount = |place: &std::path::Path, flags| {
        rustix::mount::mount("none", place, "tmpfs", flags, None).expect("mounts");
    };
    mount(mounted.path(), rustix::mount::MountFlags::NODEV);
    let folder = fill(tempfile::tempdir_in(mounted.path()).expect("a folder"));
    assert_attributes_are_files(&folder);

    let inner = folder.path().join("sys/inner");
    std::fs::create_dir(&inner).expect("makes");
    mount(&inner, rustix::mount::MountFlags::empty());
    let zero = rustix::fs::makedev(1, 5);
    for place in [folder.path().join("sys"), inner] {
        let (kind, mode) = (rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::from_raw_mode(0o666));
        rustix::fs::mknodat(rustix::fs::CWD, place.join("zero"), kind, mode, zero).expect("makes");
    }
    let host = Host::open(folder.path()).expect("opens");
    for (directory, name) in [("/sys/", "zero"), ("/sys/inner", "zero"), ("/sys/", "inner/zero")] {
        let error = host.directory(directory).read(name).expect_err("a device");
        assert_eq!(error.kind, ReadErrorKind::Other("it is not a regular file".to_owned()), "{directory}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test builds the tree that it reads")]
fn assert_attributes_are_files(folder: &tempfile::TempDir) {
    let device = folder.path().join("sys/bus/pci/devices/0000:00:01.0");
    std::fs::create_dir_all(device.join("deep")).expect("makes");
    std::fs::write(device.join("class"), "0x030000\n").expect("writes");
    symlink("/etc/default/grub", device.join("vendor")).expect("links");
    symlink("/proc/self/root", device.join("deep/root")).expect("links");
    std::fs::rename(folder.path().join("pipe"), device.join("modalias")).expect("moves");
    for host in
        [Host::open(folder.path()).expect("opens"), Host::open(folder.path()).expect("opens").recording()]
    {
        let directory = host.directory("/sys/bus/pci/devices/0000:00:01.0");
        assert_eq!(directory.read("class"), Ok(b"0x030000\n".to_vec()));
        // The root of the link is the tree's: what is read there is the tree's own file.
        assert_eq!(directory.read("vendor"), Ok(b"A=1\n".to_vec()));
        assert_eq!(directory.link("vendor").as_deref(), Ok("/etc/default/grub"));
        assert!(directory.read("deep/root/etc/passwd").is_err());
        assert!(directory.link("deep/root/proc/self").is_err());
        assert_eq!(
            directory.read("modalias").expect_err("a pipe").kind,
            ReadErrorKind::Other("it is not a regular file".to_owned())
        );
        assert_eq!(directory.read("none").expect_err("none").kind, ReadErrorKind::NotFound);
        assert_eq!((directory.has("class"), directory.has("none")), (Ok(true), Ok(false)));
    }
}
