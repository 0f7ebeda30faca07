//! One test for each thing that holds of every guest.

use super::{BuildError, Guest};
use crate::look::{Looked, Seen};
use crate::size::MemorySize;
use crate::spec::{AccelChoice, Disk, DiskFormat, Display, FirmwareKind, GuestSpec, Medium, Os};
use crate::testing::{self, address, change};
use passthru_model::facts::KvmState;
use passthru_model::{Fact, HostFacts};

fn spec() -> GuestSpec {
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.devices = testing::gpu_identities();
    spec
}

fn errors(spec: &GuestSpec, facts: &HostFacts, looked: &Looked) -> Vec<BuildError> {
    Guest::build(spec, facts, looked).expect_err("refused").list().to_vec()
}

fn error(spec: &GuestSpec, facts: &HostFacts) -> BuildError {
    errors(spec, facts, &Looked::default()).remove(0)
}

fn with_host(edit: impl FnOnce(&mut HostFacts)) -> HostFacts {
    let mut facts = testing::facts();
    edit(&mut facts);
    facts
}

#[test]
fn a_card_with_its_audio_is_a_guest_without_an_emulated_display() {
    let guest = Guest::build(&spec(), &testing::facts(), &Looked::default()).expect("a guest");
    assert_eq!(guest.host_functions().count(), 2);
    assert_eq!(guest.display(), Display::None);
    assert!(guest.not_ready(&testing::facts()).is_empty());
}

#[test]
fn vfio_is_needed_only_at_the_start() {
    let facts =
        with_host(|facts| change(facts, "0000:01:00.0", |gpu| gpu.driver = Some("nouveau".to_owned())));
    let guest = Guest::build(&spec(), &facts, &Looked::default()).expect("a guest");
    let not = guest.not_ready(&facts);
    assert_eq!(not.len(), 1);
    assert!(not[0].to_string().contains("passthru isolate 0000:01:00.0"), "{}", not[0]);
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let mut spec = spec();
    spec.devices[0].address = address("0000:09:00.0");
    assert!(matches!(error(&spec, &testing::facts()), BuildError::DeviceMissing { .. }));
}

#[test]
fn unknown_devices_are_refused_and_no_devices_need_no_knowledge() {
    let facts = with_host(|facts| facts.pci = Fact::unknown("/sys is masked"));
    assert!(matches!(error(&spec(), &facts), BuildError::DevicesUnknown(_)));
    let mut spec = spec();
    spec.devices.clear();
    assert!(Guest::build(&spec, &facts, &Looked::default()).is_ok());
}

#[test]
fn another_device_at_the_address_is_refused() {
    let facts = with_host(|facts| {
        change(facts, "0000:01:00.0", |gpu| gpu.subsystem = "1043:8508".parse().expect("an id"));
    });
    assert!(matches!(error(&spec(), &facts), BuildError::IdentityChanged { .. }));
}

#[test]
fn a_bridge_is_refused() {
    let facts = testing::facts();
    let mut spec = spec();
    let port = facts.function(address("0000:00:01.0")).expect("the port");
    spec.devices = vec![passthru_model::intent::DeviceIdentity::of(port)];
    assert_eq!(error(&spec, &facts), BuildError::Bridge(address("0000:00:01.0")));
}

#[test]
fn a_device_listed_twice_is_refused() {
    let mut spec = spec();
    spec.devices.push(spec.devices[0].clone());
    assert_eq!(error(&spec, &testing::facts()), BuildError::Twice(address("0000:01:00.0")));
}

#[test]
fn a_device_without_a_group_is_refused() {
    let facts = with_host(|facts| change(facts, "0000:01:00.0", |gpu| gpu.group = None));
    assert_eq!(error(&spec(), &facts), BuildError::NoGroup(address("0000:01:00.0")));
}

#[test]
fn an_audio_function_without_its_card_is_refused() {
    let mut spec = spec();
    spec.devices.remove(0);
    let slot = address("0000:01:00.0").slot();
    assert_eq!(error(&spec, &testing::facts()), BuildError::FunctionZeroMissing { slot });
}

#[test]
fn a_function_in_a_group_of_its_own_may_come_without_function_0() {
    let facts = with_host(|facts| change(facts, "0000:01:00.1", |audio| audio.group = Some(2)));
    let mut spec = spec();
    spec.devices.remove(0);
    assert!(Guest::build(&spec, &facts, &Looked::default()).is_ok());
}

#[test]
fn a_group_in_which_the_host_uses_a_member_is_refused() {
    let facts = with_host(|facts| change(facts, "0000:00:14.0", |usb| usb.group = Some(1)));
    let wanted = BuildError::GroupNotViable {
        address: address("0000:01:00.0"),
        group: 1,
        member: address("0000:00:14.0"),
        driver: "xhci_hcd".to_owned(),
    };
    assert_eq!(error(&spec(), &facts), wanted);
}

#[test]
fn unbound_members_and_ports_and_pci_stub_do_not_keep_a_group_shut() {
    for driver in [None, Some("pci-stub"), Some("pcieport"), Some("vfio-pci")] {
        let facts = with_host(|facts| {
            change(facts, "0000:00:14.0", |usb| {
                usb.group = Some(1);
                usb.driver = driver.map(str::to_owned);
            });
        });
        assert!(Guest::build(&spec(), &facts, &Looked::default()).is_ok(), "{driver:?}");
    }
}

#[test]
fn more_disks_than_root_ports_are_refused() {
    let mut spec = spec();
    spec.disks =
        (0..40).map(|n| Disk { path: format!("/srv/{n}").into(), format: DiskFormat::Raw }).collect();
    assert_eq!(error(&spec, &testing::facts()), BuildError::TooManySlots(42));
}

#[test]
fn more_sata_drives_than_ports_are_refused() {
    let mut spec = spec();
    spec.os = Os::Windows10;
    spec.disks = (0..5).map(|n| Disk { path: format!("/srv/{n}").into(), format: DiskFormat::Raw }).collect();
    spec.media = (0..2).map(|n| Medium { path: format!("/srv/{n}.iso").into() }).collect();
    assert_eq!(error(&spec, &testing::facts()), BuildError::TooManyDrives(7));
}

#[test]
fn uefi_without_a_firmware_is_refused_and_seabios_is_not() {
    let facts = with_host(|facts| {
        facts.guest_firmware = Fact::known(Vec::new(), "/usr/share/qemu/firmware", "empty");
    });
    let mut spec = spec();
    assert!(matches!(error(&spec, &facts), BuildError::FirmwareMissing(_)));
    spec.firmware = FirmwareKind::Seabios;
    assert!(Guest::build(&spec, &facts, &Looked::default()).is_ok());
}

#[test]
fn kvm_that_was_asked_for_and_cannot_be_is_refused() {
    let facts = with_host(|facts| facts.kvm = Fact::known(KvmState::Denied, "/dev/kvm", "denied"));
    let mut spec = spec();
    assert!(Guest::build(&spec, &facts, &Looked::default()).is_ok());
    spec.accel = AccelChoice::Kvm;
    assert!(matches!(error(&spec, &facts), BuildError::KvmUnusable(_)));
}

#[test]
fn no_cpus_and_more_than_the_host_has_are_refused() {
    let mut spec = spec();
    spec.cpus = 0;
    assert_eq!(error(&spec, &testing::facts()), BuildError::NoCpus);
    spec.cpus = 9;
    assert_eq!(error(&spec, &testing::facts()), BuildError::TooManyCpus { wanted: 9, host: 8 });
    spec.cpus = 8;
    assert!(Guest::build(&spec, &testing::facts(), &Looked::default()).is_ok());
}

#[test]
fn memory_that_is_too_little_or_all_of_the_host_is_refused() {
    let mut spec = spec();
    spec.memory = MemorySize::from_mib(64).expect("a size");
    assert!(matches!(error(&spec, &testing::facts()), BuildError::MemoryTooSmall { .. }));
    spec.memory = MemorySize::from_mib(4096).expect("a size");
    let looked = Looked { memory_total: Some(4 << 30), ..Looked::default() };
    let found = errors(&spec, &testing::facts(), &looked);
    assert_eq!(found, [BuildError::MemoryAboveHost { wanted: spec.memory, host_mib: 4096 }]);
}

#[test]
fn disks_are_whole_paths_to_files_that_are_there_once() {
    let mut spec = spec();
    let disk = |path: &str| Disk { path: path.into(), format: DiskFormat::Raw };
    spec.disks = vec![disk("here.img"), disk("/gone"), disk("/dir"), disk("/secret"), disk("/gone")];
    let files =
        [("/gone", Seen::Missing), ("/dir", Seen::Other), ("/secret", Seen::Unreadable("denied".to_owned()))];
    let files = files.into_iter().map(|(path, seen)| (path.into(), seen)).collect();
    let found = errors(&spec, &testing::facts(), &Looked { files, ..Looked::default() });
    let wanted = [
        BuildError::ImageTwice("/gone".into()),
        BuildError::PathRelative("here.img".into()),
        BuildError::FileMissing("/gone".into()),
        BuildError::NotADisk("/dir".into()),
        BuildError::FileUnreadable { path: "/secret".into(), why: "denied".to_owned() },
        BuildError::FileMissing("/gone".into()),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_path_with_a_terminal_escape_is_refused_and_shown_harmless() {
    let mut spec = spec();
    spec.media = vec![Medium { path: "/srv/\u{1b}[2J.iso".into() }];
    let found = error(&spec, &testing::facts());
    assert!(matches!(found, BuildError::PathControl(_)));
    assert!(found.to_string().chars().all(|c| !c.is_control()), "{found}");
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut spec = spec();
    spec.cpus = 0;
    spec.devices[0].address = address("0000:09:00.0");
    assert!(errors(&spec, &testing::facts(), &Looked::default()).len() >= 2);
}
