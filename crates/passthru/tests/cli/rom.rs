//! `passthru rom`: files, devices of a tree, and what is refused.

use std::path::{Path, PathBuf};

use crate::common::{passthru, schema_errors};

/// A ROM of a graphics card: an image for a BIOS, or one for UEFI on this machine, and nothing else.
fn rom(code: u8, machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 2048];
    let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
    put(0, &[0x55, 0xaa, 4]);
    put(0x18, &[0x40]);
    put(0x40, b"PCIR\xde\x10\xc2\x13");
    put(0x4a, &[0x18, 0, 0, 0, 0, 3, 4, 0, 0, 0, code, 0x80]);
    if code == 3 {
        let [low, high] = machine.to_le_bytes();
        put(4, &[0xf1, 0x0e, 0, 0, 11, 0, low, high]);
        put(0x16, &[0, 4]);
        put(0x400, b"MZ");
        put(0x43c, &[0x80]);
        put(0x480, &[b'P', b'E', 0, 0, low, high]);
        put(0x498, &[0x0b, 2]);
        put(0x498 + 68, &[11]);
        put(0x498 + 108, &[16]);
        put(0x498 + 108 + 4 + 36, &[8]);
    }
    bytes
}

/// A tree with one card that vfio-pci has, and this for its ROM.
fn host(rom: Option<&[u8]>) -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a directory");
    let card = place.path().join("sys/devices/pci0000:00/0000:06:00.0");
    std::fs::create_dir_all(&card).expect("makes it");
    std::fs::create_dir_all(place.path().join("sys/bus/pci/devices")).expect("makes it");
    let link = place.path().join("sys/bus/pci/devices/0000:06:00.0");
    std::os::unix::fs::symlink("../../../devices/pci0000:00/0000:06:00.0", link).expect("links");
    for (name, value) in
        [("vendor", "0x10de\n"), ("device", "0x13c2\n"), ("class", "0x030000\n"), ("revision", "0xa1\n")]
    {
        std::fs::write(card.join(name), value).expect("writes");
    }
    if let Some(rom) = rom {
        std::fs::write(card.join("rom"), rom).expect("writes");
    }
    place
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn file(place: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = place.path().join("card.rom");
    std::fs::write(&path, bytes).expect("writes");
    path
}

#[test]
fn a_file_that_shows_a_picture_is_a_yes_and_another_a_no_with_its_reason() {
    let place = tempfile::tempdir().expect("a directory");
    let good = passthru(&["rom", "check", text(&file(&place, &rom(3, 0x8664)))]);
    assert_eq!(good.code, 0, "{}{}", good.out, good.err);
    assert!(good.out.contains("OVMF will show a picture: yes"), "{}", good.out);
    assert!(good.out.contains("UEFI image") && good.out.contains("x86-64, signed"), "{}", good.out);
    for (bytes, reason) in [
        (rom(0, 0), "no UEFI image"),
        (rom(3, 0xaa64), "64-bit ARM"),
        ([b"NVGI".to_vec(), vec![7; 508], rom(3, 0x8664)].concat(), "tail -c +513"),
        (vec![0xff; 4096], "every byte is ff"),
        (Vec::new(), "ends without a last image"),
    ] {
        let bad = passthru(&["rom", "check", text(&file(&place, &bytes))]);
        assert_eq!(bad.code, 1, "{}{}", bad.out, bad.err);
        assert!(bad.out.contains("picture: no") && bad.out.contains(reason), "{reason}: {}", bad.out);
    }
}

#[test]
fn json_is_as_its_schema_says_whatever_the_file_is() {
    let place = tempfile::tempdir().expect("a directory");
    for bytes in [rom(3, 0x8664), rom(0, 0), rom(0xe0, 0), b"NVGI".to_vec(), vec![0x55, 0xaa]] {
        let answer = passthru(&["rom", "check", "--json", text(&file(&place, &bytes))]);
        assert_eq!(schema_errors("rom", &answer.out), Vec::<String>::new(), "{}", answer.out);
        assert!(answer.out.contains("\"schema\": \"passthru.rom/1\""), "{}", answer.out);
    }
}

#[test]
fn ids_are_compared_with_a_device_of_the_host() {
    let host = host(None);
    let place = tempfile::tempdir().expect("a directory");
    let check = |bytes: &[u8]| {
        let path = file(&place, bytes);
        passthru(&["--host", text(host.path()), "rom", "check", text(&path), "--device", "06:00.0"])
    };
    assert_eq!(check(&rom(3, 0x8664)).code, 0);
    let mut other = rom(3, 0x8664);
    other[0x46] = 0xc1;
    let answer = check(&other);
    assert_eq!(answer.code, 1);
    assert!(answer.out.contains("it is for 10de:13c1, and 0000:06:00.0 is 10de:13c2"), "{}", answer.out);
}

#[test]
fn a_devices_own_rom_is_judged_where_its_file_can_be_read() {
    for (bytes, code, words) in [
        (Some(rom(3, 0x8664)), 0, "picture: yes"),
        (Some(rom(0, 0)), 1, "picture: only with a ROM file"),
        (Some(Vec::new()), 1, "picture: unknown"),
        (None, 1, "picture: only with a ROM file"),
    ] {
        let host = host(bytes.as_deref());
        let answer = passthru(&["--host", text(host.path()), "rom", "check", "06:00.0"]);
        assert_eq!(answer.code, code, "{}{}", answer.out, answer.err);
        assert!(answer.out.contains(words), "{words}: {}", answer.out);
        let json = passthru(&["--host", text(host.path()), "rom", "check", "06:00.0", "--json"]);
        assert_eq!(schema_errors("rom", &json.out), Vec::<String>::new(), "{}", json.out);
    }
}

#[test]
fn wrong_use_is_named() {
    let host = host(None);
    let missing = passthru(&["--host", text(host.path()), "rom", "check", "07:00.0"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("0000:07:00.0: there is no such device"), "{}", missing.err);
    for arguments in [
        &["rom", "check", "/no/such/file"][..],
        &["rom", "check", "/"],
        &["rom", "check", "06:00.0", "--device", "06:00.0"],
        &["--host", "/", "rom", "dump", "06:00.0", "-o", "/no/such/place/x"],
    ] {
        let answer = passthru(arguments);
        assert_eq!(answer.code, 2, "{arguments:?}: {}", answer.err);
    }
}

#[test]
fn a_dump_of_a_device_that_is_not_there_writes_nothing() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("card.rom");
    let answer = passthru(&["rom", "dump", "ffff:ff:1f.7", "-o", text(&path)]);
    assert_eq!(answer.code, 1, "{}", answer.err);
    assert!(!path.exists());
}
