//! What holds of what a guest is given besides its functions: one test for each thing.

use super::Guest;
use crate::look::{Looked, Seen};
use crate::render;
use crate::run::GuestPaths;
use crate::spec::{
    Audio, AudioBackend, AudioCodec, Disk, DiskBus, DiskFormat, Display, FirmwareKind, GrabToggle, GuestSpec,
    InputDevice, LookingGlass, Nic, NicBackend, NicModel, Os, Rom, SharedMemory, SharedSize, UsbChoice,
    UsbDevice,
};
use crate::testing::{self, address};
use passthru_model::virtualisation::Kvmfr;
use passthru_model::{Fact, HostFacts};
use std::collections::{BTreeMap, BTreeSet};

fn spec() -> GuestSpec {
    GuestSpec::new("box".parse().expect("a name"))
}

fn known<T>(value: T) -> Fact<T> {
    Fact::known(value, "/test", "test")
}

/// What is wrong, as a person reads it.
fn wrong(spec: &GuestSpec, facts: &HostFacts, looked: &Looked) -> String {
    match Guest::build(spec, facts, looked) {
        Ok(_) => "nothing".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

fn here(spec: &GuestSpec) -> String {
    wrong(spec, &testing::facts(), &Looked::default())
}

/// The arguments of a guest that can be.
fn arguments(spec: &GuestSpec, facts: &HostFacts) -> String {
    let guest = Guest::build(spec, facts, &Looked::default()).expect("a guest");
    let paths = GuestPaths::new("/run/p".as_ref(), "/var/lib/p".as_ref(), guest.name());
    render::arguments(&guest.machine(&paths)).join(" ")
}

fn usb(text: &str) -> UsbDevice {
    let choice = match (text.parse(), text.parse()) {
        (Ok(id), _) => UsbChoice::Id(id),
        (_, Ok(port)) => UsbChoice::Port { port, id: None },
        _ => panic!("an id or a port"),
    };
    UsbDevice { choice, optional: false }
}

fn with_usb(texts: &[&str]) -> GuestSpec {
    let mut spec = spec();
    spec.usb = texts.iter().map(|text| usb(text)).collect();
    spec
}

#[test]
fn windows_11_asks_for_secure_boot_and_a_tpm_and_says_what_is_missing() {
    let mut spec = spec();
    spec.os = Os::Windows11;
    let shown = arguments(&spec, &testing::facts());
    for part in ["smm=on", "OVMF_CODE_4M.ms.fd", "property=secure,value=on", "-device tpm-crb,tpmdev=tpm0"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let mut facts = testing::facts();
    facts.virtualisation.helpers = known(BTreeSet::new());
    facts.guest_firmware = known(Vec::new());
    insta::assert_snapshot!("windows_11_without_what_it_wants", wrong(&spec, &facts, &Looked::default()));
    (spec.secure_boot, spec.tpm) = (Some(true), Some(true));
    insta::assert_snapshot!("secure_boot_and_tpm_asked_for", wrong(&spec, &facts, &Looked::default()));
    spec.firmware = FirmwareKind::Seabios;
    assert!(here(&spec).starts_with("secure-boot = true needs firmware = \"uefi\""), "{}", here(&spec));
}

#[test]
fn usb_devices_are_told_apart_or_refused() {
    let twice = with_usb(&["1-3", "1-3"]);
    let cases = [
        with_usb(&["1-7"]),
        with_usb(&["dead:beef"]),
        with_usb(&["0781:5581"]),
        with_usb(&["1-2"]),
        twice,
        with_usb(&["046d:c31c", "1-1"]),
    ];
    let mut said: Vec<String> = cases.iter().map(here).collect();
    let mut other = with_usb(&["1-1"]);
    other.usb[0].choice = UsbChoice::Port {
        port: "1-1".parse().expect("a port"),
        id: Some("0781:5581".parse().expect("an id")),
    };
    said.push(here(&other));
    let mut along = with_usb(&["1-1"]);
    let facts = testing::facts();
    let controller = facts.function(address("0000:00:14.0")).expect("the controller");
    along.devices = vec![passthru_model::intent::DeviceIdentity::of(controller)];
    said.push(here(&along));
    let mut unknown = testing::facts();
    unknown.usb = Fact::unknown("/sys is masked");
    said.push(wrong(&with_usb(&["1-1"]), &unknown, &Looked::default()));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn an_optional_device_may_come_later_and_qemu_waits_for_it() {
    let mut spec = with_usb(&["1-7"]);
    spec.usb[0].optional = true;
    let shown = arguments(&spec, &testing::facts());
    assert!(shown.contains("usb-host,id=usb-host0,bus=usb.0,hostbus=1,hostport=7"), "{shown}");
}

#[test]
fn input_devices_are_evdev_nodes_once_each() {
    let input = |path: &str| InputDevice {
        path: path.into(),
        grab_all: true,
        repeat: true,
        toggle: GrabToggle::Scrolllock,
    };
    let mut spec = spec();
    let kbd = "/dev/input/by-id/usb-K120-event-kbd";
    spec.inputs = [kbd, kbd, "/srv/file", "event3", "/dev/input/by-id/gone"].map(input).into();
    let files: BTreeMap<_, _> = [
        (kbd.into(), Seen::Input),
        ("/srv/file".into(), Seen::File),
        ("/dev/input/by-id/gone".into(), Seen::Missing),
    ]
    .into();
    let looked = Looked { files, ..Looked::default() };
    insta::assert_snapshot!(wrong(&spec, &testing::facts(), &looked));
    spec.inputs.truncate(1);
    let shown = arguments(&spec, &testing::facts());
    assert!(shown.contains("grab_all=on,repeat=on,grab-toggle=scrolllock"), "{shown}");
    assert!(shown.contains("virtio-keyboard-pci"), "{shown}");
    spec.os = Os::Windows10;
    assert!(!arguments(&spec, &testing::facts()).contains("virtio-keyboard-pci"));
}

#[test]
fn sound_is_played_by_the_one_user_whose_server_listens() {
    let mut spec = spec();
    let card = |backend| Some(Audio { backend, codec: AudioCodec::Micro });
    spec.audio = card(AudioBackend::Pulseaudio(None));
    let mut facts = testing::facts();
    let sockets = |all: &[&str]| known(all.iter().map(ToString::to_string).collect::<Vec<_>>());
    facts.virtualisation.sound_sockets =
        sockets(&["/run/user/1000/pipewire-0", "/run/user/1000/pulse/native"]);
    let shown = arguments(&spec, &facts);
    assert!(shown.contains("-audiodev pa,id=audio0,server=/run/user/1000/pulse/native"), "{shown}");
    assert!(shown.contains("hda-micro,bus=sound0.0,cad=0,audiodev=audio0"), "{shown}");
    facts.virtualisation.sound_sockets =
        sockets(&["/run/user/1000/pulse/native", "/run/user/1001/pulse/native"]);
    let mut said = vec![wrong(&spec, &facts, &Looked::default())];
    spec.audio = card(AudioBackend::Spice);
    said.push(wrong(&spec, &facts, &Looked::default()));
    spec.audio = card(AudioBackend::Pipewire(Some("run".into())));
    facts.virtualisation.packages = known([("qemu-system-x86".to_owned(), "1:7.2+dfsg-7".to_owned())].into());
    said.push(wrong(&spec, &facts, &Looked::default()));
    insta::assert_snapshot!(said.join("\n"));
    facts.virtualisation.packages =
        known([("qemu-system-x86".to_owned(), "1:10.0.2+ds-2".to_owned())].into());
    spec.audio = card(AudioBackend::Pipewire(Some("/run/user/1000".into())));
    let guest = Guest::build(&spec, &facts, &Looked::default()).expect("a guest");
    let paths = GuestPaths::new("/run/p".as_ref(), "/var/lib/p".as_ref(), guest.name());
    let environment = guest.machine(&paths).environment();
    assert_eq!(environment, [("PIPEWIRE_RUNTIME_DIR", "/run/user/1000".into())]);
}

#[test]
fn memory_shared_by_kvmfr_needs_its_device() {
    let mut spec = spec();
    let size = SharedSize::Resolution("2560x1440".parse().expect("a resolution"));
    spec.looking_glass = Some(LookingGlass { size, memory: SharedMemory::Kvmfr(0) });
    let with = |kvmfr| {
        let mut facts = testing::facts();
        facts.virtualisation.kvmfr = known(kvmfr);
        wrong(&spec, &facts, &Looked::default())
    };
    insta::assert_snapshot!([Kvmfr::Absent, Kvmfr::PlainFile, Kvmfr::Device].map(with).join("\n"));
}

#[test]
fn queues_are_where_they_can_be() {
    let mut spec = spec();
    let nic = |backend, queues| {
        Some(Nic { queues: Some(queues), model: Some(NicModel::Virtio), ..Nic::on(backend) })
    };
    let name = |text: &str| text.parse().expect("a name");
    let mut said = Vec::new();
    for (backend, queues) in
        [(NicBackend::User, 0), (NicBackend::Bridge(name("br0")), 4), (NicBackend::Tap(name("tap0")), 4)]
    {
        spec.network = nic(backend, queues);
        said.push(here(&spec));
    }
    let shown = arguments(&spec, &testing::facts());
    assert!(shown.contains("tap,id=net0,ifname=tap0,script=no,downscript=no,vhost=on,queues=4"), "{shown}");
    assert!(shown.contains("mq=on,vectors=10"), "{shown}");
    spec.network = None;
    spec.disks.push(Disk { path: "/srv/a".into(), format: DiskFormat::Raw });
    spec.storage.queues = Some(0);
    said.push(here(&spec));
    (spec.storage.bus, spec.storage.queues) = (Some(DiskBus::Sata), Some(4));
    said.push(here(&spec));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_bridge_is_entered_by_qemus_helper_which_the_sandbox_lets_start() {
    let mut spec = spec();
    assert!(arguments(&spec, &testing::facts()).contains("spawn=deny"));
    spec.network = Some(Nic::on(NicBackend::Bridge("br0".parse().expect("a name"))));
    let shown = arguments(&spec, &testing::facts());
    assert!(shown.contains("bridge,id=net0,br=br0") && !shown.contains("spawn=deny"), "{shown}");
}

#[test]
fn disks_behind_one_controller_share_its_queues_and_a_thread() {
    let mut spec = spec();
    spec.storage.bus = Some(DiskBus::VirtioScsi);
    spec.storage.queues = Some(4);
    spec.disks =
        ["a", "b"].map(|name| Disk { path: format!("/srv/{name}").into(), format: DiskFormat::Raw }).into();
    let shown = arguments(&spec, &testing::facts());
    assert!(
        shown.contains("virtio-scsi-pci,id=scsi0,bus=port1,addr=0x0,iothread=iothread1,num_queues=4"),
        "{shown}"
    );
    assert!(shown.contains("scsi-hd,bus=scsi0.0,channel=0,scsi-id=0,lun=1,drive=disk1"), "{shown}");
    spec.storage.io_thread = Some(false);
    assert!(!arguments(&spec, &testing::facts()).contains("iothread"));
}

#[test]
fn a_rom_is_a_file_for_a_function_that_is_given() {
    let mut spec = spec();
    spec.roms.insert(address("0000:01:00.0"), Rom::File("/srv/rom".into()));
    let looked = Looked { files: [("/srv/rom".into(), Seen::Other)].into(), ..Looked::default() };
    insta::assert_snapshot!(wrong(&spec, &testing::facts(), &looked));
    spec.devices = testing::gpu_identities();
    let shown = arguments(&spec, &testing::facts());
    assert!(shown.contains(",romfile=/srv/rom,") && !shown.contains("x-vga"), "{shown}");
    spec.roms.insert(address("0000:01:00.0"), Rom::Off);
    spec.firmware = FirmwareKind::Seabios;
    let shown = arguments(&spec, &testing::facts());
    assert!(shown.contains(",rombar=0,x-vga=on,"), "{shown}");
    spec.display = Some(Display::Vnc);
    assert!(!arguments(&spec, &testing::facts()).contains("x-vga"));
}

#[test]
fn a_disk_that_the_host_has_mounted_is_refused() {
    let mut spec = spec();
    spec.disks.push(Disk { path: "/dev/sda".into(), format: DiskFormat::Raw });
    let seen = Seen::InUse("/ is mounted from it".to_owned());
    let looked = Looked { files: [("/dev/sda".into(), seen)].into(), ..Looked::default() };
    insta::assert_snapshot!(wrong(&spec, &testing::facts(), &looked), @"/dev/sda: the host uses this disk (/ is mounted from it), and a file system with two masters is destroyed");
}
