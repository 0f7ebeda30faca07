//! `passthru guest check IMAGE`.

use crate::common::{passthru, schema_errors};

#[test]
fn an_image_is_told_from_a_guest_by_its_path() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("blank.img");
    std::fs::write(&path, vec![0; 1 << 20]).expect("writes");
    let path = path.to_str().expect("UTF-8");
    let answer = passthru(&["guest", "check", path]);
    assert_eq!(answer.code, 1, "{}{}", answer.out, answer.err);
    assert!(
        answer.out.contains("guest-media-boots") && answer.out.contains("does not boot"),
        "{}",
        answer.out
    );
    let json = passthru(&["guest", "check", path, "--json"]);
    assert_eq!(schema_errors("guest-check", &json.out), Vec::<String>::new(), "{}", json.out);
    assert_eq!(passthru(&["guest", "check", "/no/such/image.iso"]).code, 2);
    let missing = passthru(&["guest", "check", "no-such-guest"]);
    assert_eq!(missing.code, 1, "{}", missing.err);
    assert!(missing.err.contains("no-such-guest"), "{}", missing.err);
}

#[test]
fn a_disk_that_boots_under_uefi_is_a_yes() {
    // FAT12, a sector a cluster: the table in sector 1, the root in 2, the directories EFI and BOOT, and the program.
    let mut image = vec![0; 64 << 10];
    let mut put = |at: usize, what: &[u8]| image[at..at + what.len()].copy_from_slice(what);
    put(0, &[0xeb, 0x3c, 0x90]);
    put(11, &[0, 2, 1, 1, 0, 1, 16, 0, 128, 0, 0xf8, 1, 0]);
    put(510, &[0x55, 0xaa]);
    put(512, &[0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    put(1024, b"EFI        \x10");
    put(1024 + 26, &[2]);
    put(1536, b"BOOT       \x10");
    put(1536 + 26, &[3]);
    put(2048, b"BOOTX64 EFI\x20");
    put(2048 + 26, &[4, 0, 0, 2]);
    put(2560, b"MZ");
    put(2560 + 0x3c, &[0x40]);
    put(2560 + 0x40, b"PE\0\0\x64\x86");
    put(2560 + 0x58, &[0x0b, 2]);
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("stick.img");
    std::fs::write(&path, image).expect("writes");
    let answer = passthru(&["guest", "check", path.to_str().expect("UTF-8")]);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    assert!(answer.out.contains("boots under x86-64 UEFI"), "{}", answer.out);
}
