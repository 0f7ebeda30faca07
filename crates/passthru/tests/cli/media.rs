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

#[test]
fn a_domain_of_libvirt_is_judged_line_by_line_and_its_patch_is_written_where_asked() {
    let place = tempfile::tempdir().expect("a directory");
    let (file, patch) = (place.path().join("win.xml"), place.path().join("win.patch"));
    let text = "<domain type='kvm'>\n  <name>win</name>\n  <memory unit='GiB'>4</memory>\n  <vcpu>2</vcpu>\n  <features>\n    <hyperv>\n      <synic state='on'/>\n    </hyperv>\n  </features>\n  <devices/>\n</domain>\n";
    std::fs::write(&file, text).expect("writes");
    let (file, patch) = (file.to_str().expect("UTF-8"), patch.to_str().expect("UTF-8"));
    let answer = passthru(&["guest", "check", file, "-o", patch]);
    assert_eq!(answer.code, 1, "{}{}", answer.out, answer.err);
    assert!(answer.out.contains(&format!("{file}:7: <synic state='on'/>")), "{}", answer.out);
    assert_eq!(
        std::fs::read_to_string(patch).expect("reads"),
        format!(
            "--- {file}\n+++ {file}\n@@ -5,6 +5,7 @@\n   <features>\n     <hyperv>\n       <synic state='on'/>\n+      <vpindex state='on'/>\n     </hyperv>\n   </features>\n   <devices/>\n"
        )
    );
    assert_eq!(std::fs::read_to_string(file).expect("reads"), text, "checking changes nothing");
    let json = passthru(&["guest", "check", file, "--json"]);
    assert_eq!(schema_errors("guest-check", &json.out), Vec::<String>::new(), "{}", json.out);
    // What is XML and no domain, or no XML, is said with its place.
    for (text, said) in [("<network/>", "its root is <network>"), ("<domain>\n<a></b>\n</domain>", "2:")] {
        std::fs::write(file, text).expect("writes");
        let answer = passthru(&["guest", "check", file]);
        assert_eq!(answer.code, 2, "{}", answer.err);
        assert!(answer.err.contains(file) && answer.err.contains(said), "{}", answer.err);
    }
}
