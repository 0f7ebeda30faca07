//! Small trees made by hand, and everything that is read of them, as snapshots.

use std::path::{Path, PathBuf};

use passthru_host::{Host, Options, gather, gather_with};
use passthru_model::managed::QEMU_CONF;
use pretty_assertions::assert_eq;

use super::common::summary;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hosts").join(name)
}

#[test]
fn all_of_a_workstation_is_read() {
    insta::with_settings!({filters => vec![(r"owner \d+:\d+", "owner U:G"), (r"mode 6[46]4", "mode 644")]}, {
        insta::assert_snapshot!(summary(&gather(&Host::open(&fixture("workstation")).expect("opens"))));
    });
}

#[test]
fn a_container_without_sysfs_leaves_much_unknown_and_nothing_breaks() {
    insta::with_settings!({filters => vec![(r"owner \d+:\d+", "owner U:G")]}, {
        insta::assert_snapshot!(summary(&gather(&Host::open(&fixture("container")).expect("opens"))));
    });
}

#[test]
fn an_empty_directory_is_a_host_of_which_nothing_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    insta::assert_snapshot!(summary(&gather(&Host::open(folder.path()).expect("opens"))));
}

#[test]
fn captures_give_the_same_facts_and_redacted_ones_hold_no_serial_number() {
    for name in ["workstation", "container"] {
        let host = Host::open(&fixture(name)).expect("opens").recording();
        let before = gather(&host);
        let mut bytes = Vec::new();
        passthru_host::capture::archive(&host, false, &mut bytes).expect("writes");
        let after = gather(&Host::from_archive(bytes.as_slice()).expect("reads"));
        let as_directory = |text: String| text.replace("kind: Capture", "kind: Directory");
        assert_eq!(summary(&before), as_directory(summary(&after)));
        assert_eq!(format!("{before:?}"), as_directory(format!("{after:?}")));
        let mut hidden = Vec::new();
        passthru_host::capture::archive(&host, true, &mut hidden).expect("writes");
        let copy = Host::from_archive(hidden.as_slice()).expect("reads");
        let after = gather(&copy);
        assert_eq!(after.in_use.value(), before.in_use.value());
        if let Ok(text) = copy.read_text("/proc/bus/input/devices") {
            assert!(!text.contains("A1B2C3D4"));
        }
        for function in after.functions() {
            assert!(!function.config.windows(4).any(|bytes| bytes == [0x44, 0x33, 0x22, 0x11]));
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test builds the tree that it reads")]
fn a_capture_has_libvirts_settings_without_passwords_although_a_plan_sees_them_whole() {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(root.path().join("etc/libvirt")).expect("made");
    let text = "user = \"root\"\nvnc_password = \"XYZ12345\"\n";
    std::fs::write(root.path().join("etc/libvirt/qemu.conf"), text).expect("written");
    let host = Host::open(root.path()).expect("opens").recording();
    let seen = gather(&host).files.get(QEMU_CONF).and_then(|state| state.content().map(<[u8]>::to_vec));
    assert_eq!(seen.as_deref(), Some(text.as_bytes()));
    for redact in [false, true] {
        let mut bytes = Vec::new();
        passthru_host::capture::archive(&host, redact, &mut bytes).expect("writes");
        let kept = Host::from_archive(bytes.as_slice()).expect("reads").read_text(QEMU_CONF).expect("there");
        assert!(kept.contains("user") && !kept.contains("XYZ12345"), "{kept}");
    }
}

#[test]
fn the_environment_of_this_process_says_nothing_of_another_host() {
    let host = Host::open(&fixture("workstation")).expect("opens");
    let options =
        Options { ssh_connection: Some("192.0.2.9 50000 192.0.2.1 22".to_owned()), ..Options::default() };
    assert_eq!(gather_with(&host, &options).in_use.value(), gather(&host).in_use.value());
}
