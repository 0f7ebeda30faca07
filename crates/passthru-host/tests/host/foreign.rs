//! Hosts of other tools' making, with what is wrong in them: one clear error each, and nothing unknown taken for absent.
#![expect(clippy::disallowed_methods, reason = "the tests make the files that the door then reads")]

use std::fs;
use std::path::Path;

use passthru_host::{Host, gather};
use passthru_model::facts::HostFacts;
use pretty_assertions::assert_eq;

const LISTING: &str = "\
lspci: Unable to load libkmod resources: error -2
00:01.0 PCI bridge [0604]: Intel Corporation Bridge [8086:1901] (rev 07) (prog-if 00 [Normal decode])
\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0
\tKernel driver in use: pcieport

01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GM204 [GeForce GTX 970] [10de:13c2] (rev a1) (prog-if 00 [VGA controller])
\tSubsystem: eVga.com. Corp. Device [3842:3975]
\tIOMMU group: 14
\tKernel driver in use: nouveau

01:00.1 Audio device [0403]: NVIDIA Corporation GM204 High Definition Audio [10de:0fbb] (rev a1)
\tIOMMU group: 14
";

fn host(text: &str) -> Result<HostFacts, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("host");
    fs::write(&path, text).expect("writes");
    Host::open(&path).map(|host| gather(&host)).map_err(|error| error.reason)
}

#[test]
fn of_a_text_of_lspci_only_the_devices_are_known() {
    let facts = host(LISTING).expect("reads");
    let card = facts.function("01:00.0".parse().expect("an address")).expect("there");
    assert_eq!((card.driver.as_deref(), card.group), (Some("nouveau"), Some(14)));
    assert_eq!(card.parents.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0000:00:01.0"]);
    let sound = facts.function("01:00.1".parse().expect("an address")).expect("there");
    // Drivers are told, so this one has none; how it is reset is not told, so that it is a gap.
    assert_eq!((&sound.driver, sound.gaps.contains_key("driver")), (&None, false));
    assert!(card.gaps["reset_method"].contains("lspci's text does not tell"), "{:?}", card.gaps);
    assert!(card.gaps.contains_key("config"), "{:?}", card.gaps);
    let groups = facts.iommu.groups.value().expect("told");
    assert_eq!(groups[&14].members.len(), 2);
    for because in [
        facts.cpu.flags.because(),
        facts.iommu.tables.because(),
        facts.iommu.units.because(),
        facts.kernel.installed.because(),
        facts.qemu.because(),
        facts.guest_firmware.because(),
        facts.in_use.because().or(facts.in_use_gaps.values().next().map(String::as_str)),
    ] {
        assert!(because.expect("unknown").contains("does not tell"), "{because:?}");
    }
}

#[test]
fn where_no_group_is_told_groups_are_unknown() {
    let text: String = LISTING
        .lines()
        .filter(|line| !line.contains("IOMMU"))
        .fold(String::new(), |text, line| text + line + "\n");
    let facts = host(&text).expect("reads");
    assert!(facts.iommu.groups.because().is_some());
    assert!(facts.functions().all(|function| function.gaps.contains_key("iommu_group")));
}

#[test]
fn what_is_damaged_is_refused_with_its_line() {
    for (text, pieces) in [
        ("", &["neither a directory nor a capture"][..]),
        ("hello\n", &["neither a directory nor a capture", "lspci", "export-db"]),
        ("00:00.0 Host bridge: x\n", &["line 1", "0000:00:00.0", "lspci -nn"]),
        ("00:00.0 0600: 8086:1237\n00: 86\n99: 86\n", &["line 3", "0x99"]),
        ("P: /devices/a/../../etc\n", &["line 1", "/devices"]),
        ("P: /devices/a\nA: b=1\n\nP: /devices/a/b/c\n", &["line 4", "twice"]),
    ] {
        let error = host(text).map(|_| ()).expect_err(text);
        for piece in pieces {
            assert!(error.contains(piece), "{text:?}: {error}");
        }
    }
}

/// An unpacked report as sos 4.0 lays it out.
fn report(root: &Path) {
    for (path, text) in [
        ("version.txt", "sosreport: 4.0\n"),
        ("sos_commands/pci/lspci_-nnvv", LISTING),
        ("sos_commands/pci/lspci_-tv", "-[0000:00]-+-00.0\n"),
        (
            "sos_commands/devices/udevadm_info_--export-db",
            "P: /devices/pci0000:00/0000:00:01.0/0000:01:00.0/drm/card0\nE: SUBSYSTEM=drm\n\nP: /devices/virtual/net/lo\nE: SUBSYSTEM=net\n",
        ),
        ("proc/cmdline", "root=/dev/sda1 intel_iommu=on\n"),
        ("proc/4711/mountinfo", ""),
        ("proc/1/mountinfo", "of another process"),
        ("etc/modprobe.d/vfio.conf", "options vfio-pci ids=10de:13c2\n"),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
        fs::write(path, text).expect("writes");
    }
    std::os::unix::fs::symlink("4711", root.join("proc/self")).expect("links");
    // Out of the report, and round in a circle: neither is followed.
    std::os::unix::fs::symlink("/etc/passwd", root.join("proc/cpuinfo")).expect("links");
    std::os::unix::fs::symlink("..", root.join("etc/up")).expect("links");
}

#[test]
fn a_report_of_sos_is_filled_up_from_what_its_programs_printed() {
    let directory = tempfile::tempdir().expect("a directory");
    report(directory.path());
    let host = Host::open(directory.path()).expect("opens");
    assert!(host.read("/proc/1/mountinfo").is_err() && host.read("/proc/self/mountinfo").is_ok());
    // In a directory of settings that was taken along whole, what is missing is absent; elsewhere it is unknown.
    assert_eq!(host.exists("/etc/modprobe.d/other.conf").ok(), Some(false));
    assert!(host.exists("/dev/kvm").is_err() && host.exists("/etc/passthru/passthru.toml").is_err());
    assert_eq!(host.list("/sys/class/drm").expect("of the database"), ["card0"]);
    let facts = gather(&host);
    assert_eq!(facts.functions().count(), 3);
    assert_eq!(facts.kernel.cmdline.value().map(String::as_str), Some("root=/dev/sda1 intel_iommu=on"));
    assert!(facts.cpu.vendor.because().is_some(), "a link out of the report was followed");
    // Packed, it is the same host.
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    tar.append_dir_all("sosreport-host-2026-11-23", directory.path()).expect("packs");
    let packed = Host::from_archive(tar.into_inner().expect("packs").as_slice()).expect("reads");
    assert_eq!(format!("{:?}", gather(&packed).pci), format!("{:?}", facts.pci));
    assert!(packed.exists("/dev/kvm").is_err());
}

#[test]
fn a_capture_of_a_text_says_what_the_text_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("host");
    fs::write(&path, LISTING).expect("writes");
    let host = Host::open(&path).expect("opens").recording();
    let before = gather(&host);
    for redact in [false, true] {
        let mut bytes = Vec::new();
        passthru_host::capture::archive(&host, redact, &mut bytes).expect("writes");
        let after = gather(&Host::from_archive(bytes.as_slice()).expect("reads"));
        assert_eq!(format!("{:?}", before.pci), format!("{:?}", after.pci));
        assert_eq!(before.cpu.flags, after.cpu.flags);
    }
}
