//! Archives from outside: nothing in them leads out, fills memory, or makes the reader panic.

use passthru_host::{Host, ReadErrorKind, gather};
use pretty_assertions::assert_eq;
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

/// Adds an entry with a name that the tar crate itself would refuse to write.
fn add(tar: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, target: &str, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    let raw = header.as_mut_bytes();
    raw[..name.len()].copy_from_slice(name.as_bytes());
    raw[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_size(u64::try_from(bytes.len()).expect("small"));
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, bytes).expect("writes");
}

fn archive(entries: &[(&str, EntryType, &str, &[u8])]) -> Result<Host, String> {
    let mut tar = Builder::new(Vec::new());
    for (name, kind, target, bytes) in entries {
        add(&mut tar, name, *kind, target, bytes);
    }
    Host::from_archive(tar.into_inner().expect("writes").as_slice())
}

#[test]
fn paths_that_leave_the_root_are_refused_by_name() {
    for name in ["/etc/passwd", "../etc/passwd", "sys/../../etc", "./a/.."] {
        let error = archive(&[(name, EntryType::Regular, "", b"x")]).expect_err(name);
        assert_eq!(error, format!("entry ‘{name}’: its path leaves the root"));
    }
}

#[test]
fn devices_and_pipes_are_refused() {
    for kind in [EntryType::Char, EntryType::Block, EntryType::Fifo] {
        let error = archive(&[("dev/x", kind, "", b"")]).expect_err("refused");
        assert!(error.starts_with("entry ‘dev/x’: it is no file, directory or link"), "{error}");
    }
}

#[test]
fn a_file_below_a_link_or_a_file_is_refused() {
    for kind in [EntryType::Symlink, EntryType::Regular] {
        let error = archive(&[("a", kind, "/etc", b""), ("a/b", EntryType::Regular, "", b"x")]);
        assert_eq!(
            error.expect_err("refused"),
            "entry ‘a/b’: ‘/a’ is in the archive twice, once as no directory"
        );
    }
}

#[test]
fn links_end_inside_and_loops_end() {
    let host = archive(&[
        ("etc/up", EntryType::Symlink, "../../../etc/hostname", b""),
        ("etc/absolute", EntryType::Symlink, "/etc/hostname", b""),
        ("etc/loop", EntryType::Symlink, "loop", b""),
        ("etc/hostname", EntryType::Regular, "", b"inside\n"),
    ])
    .expect("opens");
    assert_eq!(host.read("/etc/up"), Ok(b"inside\n".to_vec()));
    assert_eq!(host.read("/etc/absolute"), Ok(b"inside\n".to_vec()));
    assert_eq!(host.read("/../../etc/hostname"), Ok(b"inside\n".to_vec()));
    assert!(matches!(host.read("/etc/loop").map_err(|error| error.kind), Err(ReadErrorKind::Other(_))));
    assert_eq!(host.read("/etc/none").map_err(|error| error.kind), Err(ReadErrorKind::NotFound));
    assert_eq!(host.read("/etc/hostname/x").map_err(|error| error.kind), Err(ReadErrorKind::NotADirectory));
    assert_eq!(host.list("/etc"), Ok(["absolute", "hostname", "loop", "up"].map(str::to_owned).to_vec()));
}

#[test]
fn hard_links_to_what_comes_later_or_nothing_are_refused() {
    let error = archive(&[("b", EntryType::Link, "a", b""), ("a", EntryType::Regular, "", b"x")]);
    assert!(error.is_err());
    let host =
        archive(&[("a", EntryType::Regular, "", b"x"), ("b", EntryType::Link, "a", b"")]).expect("opens");
    assert_eq!(host.read("/b"), Ok(b"x".to_vec()));
}

#[test]
fn what_is_no_archive_says_what_would_be_one() {
    let error = Host::from_archive(b"hello".as_slice()).expect_err("refused");
    assert!(error.starts_with("it is neither a directory nor a capture"), "{error}");
    let error = Host::open("/dev/null".as_ref()).expect_err("refused").to_string();
    assert_eq!(error, "/dev/null: it is neither a directory nor a file");
}

#[test]
fn an_archive_that_ends_early_is_an_error() {
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, "proc/cmdline", EntryType::Regular, "", &[b'x'; 4000]);
    let bytes = tar.into_inner().expect("writes");
    assert!(Host::from_archive(&bytes[..1500]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = Host::from_archive(bytes.as_slice());
        // With a good beginning, the rest is looked at as well.
        let mut tar = Builder::new(Vec::new());
        add(&mut tar, "a", EntryType::Regular, "", b"x");
        let mut good = tar.into_inner().expect("writes");
        good.truncate(1024);
        good.extend(bytes);
        let _ = Host::from_archive(good.as_slice());
    }

    #[test]
    fn facts_of_any_content_are_gathered(bytes: Vec<u8>) {
        let mut tar = Builder::new(Vec::new());
        let device = "sys/bus/pci/devices/0000:00:01.0";
        let names = ["vendor", "class", "config", "resource", "numa_node", "driver_override", "reset_method"];
        for name in names {
            add(&mut tar, &format!("{device}/{name}"), EntryType::Regular, "", &bytes);
        }
        for name in [
            "proc/cpuinfo", "proc/cmdline", "proc/modules", "proc/interrupts", "proc/self/mountinfo", "proc/swaps",
            "proc/net/route", "proc/net/ipv6_route", "proc/bus/input/devices", "etc/os-release",
            "sys/kernel/iommu_groups/1/reserved_regions", "usr/share/qemu/firmware/a.json", "usr/share/misc/pci.ids",
            "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
        ] {
            add(&mut tar, name, EntryType::Regular, "", &bytes);
        }
        let host = Host::from_archive(tar.into_inner().expect("writes").as_slice()).expect("opens");
        prop_assert_eq!(gather(&host).functions().count(), 1);
    }
}
