//! Each check of devices where it is content and where it is not, on the host with three twin cards.

use std::collections::BTreeMap;

use passthru_model::binding::ModprobeSettings;
use passthru_model::device_state::{DeviceState, Link, LinkState, SriovState};
use passthru_model::graphics::{FirmwareScreen, Graphics};
use passthru_model::holders::{Holder, Holders};
use passthru_model::intent::{DeviceIdentity, INTENT_PATH, Intent, Method};
use passthru_model::io_memory::{IoMemory, IoRange};
use passthru_model::kernel::{KernelDrivers, PossibleDrivers};
use passthru_model::pci::Resource;
use passthru_model::{Fact, HostFacts, Verdict};
use passthru_plan::diagnose;

use crate::common::{at, cmdline, edit, group, host, host_with_groups, put};

/// The verdict and the words of one check.
fn found(facts: &HostFacts, id: &str) -> (Verdict, String) {
    let findings = diagnose(facts, &[id]).expect("a check");
    (findings[0].verdict, findings[0].summary.clone())
}

#[track_caller]
fn assert_found(facts: &HostFacts, id: &str, verdict: Verdict, words: &str) {
    let (is, summary) = found(facts, id);
    assert!(is == verdict && summary.contains(words), "{id}: {} {summary}", is.word());
}

/// Chooses functions without asking the planner.
fn choose(facts: &mut HostFacts, addresses: &[&str], method: Method) {
    let isolate = addresses
        .iter()
        .map(|address| DeviceIdentity::of(facts.function(at(address)).expect("there")))
        .collect();
    let text = passthru_formats::intent_toml::new_file(&Intent { method, isolate, ..Intent::default() });
    put(facts, INTENT_PATH, &text);
}

fn state(facts: &mut HostFacts, address: &str, change: impl FnOnce(&mut DeviceState)) {
    let mut states = facts.device_states.value().cloned().unwrap_or_default();
    change(states.entry(at(address)).or_default());
    facts.device_states = Fact::known(states, "/sys/bus/pci/devices", "");
}

/// The host that boots on its first card and has chosen the second.
fn chosen() -> HostFacts {
    let mut facts = host_with_groups();
    edit(&mut facts, "01:00.0", |function| function.boot_vga = Some(true));
    choose(&mut facts, &["02:00.0", "02:00.1"], Method::Override);
    facts
}

#[test]
fn a_display_must_stay_with_the_host() {
    assert_found(&host_with_groups(), "host-display", Verdict::Pass, "3 displays");
    assert_found(&chosen(), "host-display", Verdict::Pass, "the host keeps 0000:01:00.0");
    let mut all = chosen();
    choose(&mut all, &["01:00.0", "02:00.0", "03:00.0"], Method::Override);
    assert_found(&all, "host-display", Verdict::Warn, "every display");
    let mut only = host_with_groups();
    if let Fact::Known(functions, _) = &mut only.pci {
        functions.retain(|address, _| ![2, 3].contains(&address.bus()));
    }
    assert_found(&only, "host-display", Verdict::Warn, "is the only display");
}

#[test]
fn the_gpu_that_the_machine_boots_on_is_named_where_a_guest_is_to_have_it() {
    assert_found(&host_with_groups(), "boot-gpu", Verdict::Unknown, "boot_vga");
    assert_found(&chosen(), "boot-gpu", Verdict::Pass, "boots on 0000:01:00.0");
    let mut taken = chosen();
    choose(&mut taken, &["01:00.0", "01:00.1"], Method::Override);
    assert_found(&taken, "boot-gpu", Verdict::Warn, "is set apart for guests");
    // What DRM says of the boot counts more than the arbiter of VGA.
    state(&mut taken, "03:00.0", |state| state.boot_display = Some(true));
    assert_found(&taken, "boot-gpu", Verdict::Pass, "boots on 0000:03:00.0");
}

fn with_framebuffer(facts: &mut HostFacts, name: &str) {
    for (address, start) in [("01:00.0", 0xc000_0000), ("02:00.0", 0xd000_0000)] {
        edit(facts, address, |function| {
            function.resources = vec![Resource { index: 0, start, end: start + 0xff_ffff, flags: 0x4_2208 }];
        });
    }
    let range = |depth, start, end, name: &str| IoRange { depth, start, end, name: name.to_owned() };
    let map = IoMemory {
        ranges: vec![
            range(0, 0xc000_0000, 0xc0ff_ffff, "0000:01:00.0"),
            range(0, 0xd000_0000, 0xd0ff_ffff, "0000:02:00.0"),
            range(1, 0xd000_0000, 0xd02f_ffff, name),
        ],
    };
    facts.io_memory = Fact::known(map, "/proc/iomem", "3 ranges");
}

#[test]
fn a_framebuffer_in_a_bar_is_found_and_judged_by_kernel_class_and_driver() {
    let mut facts = chosen();
    assert_found(&facts, "boot-framebuffer", Verdict::Unknown, "not made up here");
    with_framebuffer(&mut facts, "bochs-drm");
    assert_found(
        &facts,
        "boot-framebuffer",
        Verdict::Pass,
        "no framebuffer of the firmware is in a BAR of 0000:02:00.0",
    );
    with_framebuffer(&mut facts, "BOOTFB");
    assert_found(&facts, "boot-framebuffer", Verdict::Pass, "vfio-pci takes it away");
    facts.kernel.release = Fact::known("5.10.0-40-amd64".to_owned(), "/proc/sys/kernel/osrelease", "");
    assert_found(&facts, "boot-framebuffer", Verdict::Warn, "vfio-pci of Linux 5.10 does not");
    edit(&mut facts, "02:00.0", |function| function.driver = Some("vfio-pci".to_owned()));
    assert_found(&facts, "boot-framebuffer", Verdict::Fail, "although vfio-pci has the device");
    edit(&mut facts, "02:00.0", |function| function.class = "038000".parse().expect("a class"));
    assert_found(&facts, "boot-framebuffer", Verdict::Fail, "of class 038000");
}

#[test]
fn parameters_against_framebuffers_are_named() {
    let mut facts = host_with_groups();
    assert_found(&facts, "framebuffer-parameters", Verdict::Pass, "no parameter");
    cmdline(&mut facts, "quiet video=efifb:off video=HDMI-A-1:1920x1080 initcall_blacklist=sysfb_init");
    assert_found(
        &facts,
        "framebuffer-parameters",
        Verdict::Warn,
        "‘video=efifb:off’ is not needed since Linux 6.0",
    );
    let screen = FirmwareScreen { device: "simple-framebuffer.0".to_owned(), driver: None, address: None };
    let graphics = Graphics { firmware_screens: vec![screen], ..Graphics::default() };
    facts.graphics = Fact::known(graphics, "/sys/class/drm", "");
    assert_found(
        &facts,
        "framebuffer-parameters",
        Verdict::Warn,
        "simple-framebuffer.0 is there all the same",
    );
    facts.kernel.release = Fact::known("5.15.0".to_owned(), "/proc/sys/kernel/osrelease", "");
    cmdline(&mut facts, "video=efifb:off");
    assert_found(&facts, "framebuffer-parameters", Verdict::Pass, "no parameter");
}

#[test]
fn a_rom_is_the_cards_own_a_copy_or_not_there() {
    let mut facts = chosen();
    assert_found(&facts, "gpu-rom", Verdict::Warn, "no ROM is shown by 0000:02:00.0");
    edit(&mut facts, "02:00.0", |function| function.has_rom = true);
    assert_found(&facts, "gpu-rom", Verdict::Pass, "a ROM of its own");
    edit(&mut facts, "02:00.0", |function| {
        function.resources = vec![Resource { index: 6, start: 0xc_0000, end: 0xd_ffff, flags: 0x212 }];
    });
    assert_found(&facts, "gpu-rom", Verdict::Warn, "the firmware's copy");
    facts.surroundings.kind = passthru_model::facts::HostKind::Capture;
    edit(&mut facts, "02:00.0", |function| (function.has_rom, function.resources) = (false, Vec::new()));
    assert_found(&facts, "gpu-rom", Verdict::Unknown, "this copy of /sys holds none");
}

fn methods(facts: &mut HostFacts, address: &str, methods: &[&str]) {
    edit(facts, address, |function| {
        function.reset_methods = methods.iter().map(|&name| name.to_owned()).collect();
    });
}

#[test]
fn resets_are_told_by_card() {
    let mut facts = chosen();
    assert_found(
        &facts,
        "device-reset",
        Verdict::Unknown,
        "no function of this host has a file reset_method",
    );
    methods(&mut facts, "00:04.0", &["pm"]);
    assert_found(&facts, "device-reset", Verdict::Warn, "0000:02:00.0, 0000:02:00.1 cannot be reset");
    methods(&mut facts, "02:00.0", &["bus"]);
    assert_found(
        &facts,
        "device-reset",
        Verdict::Pass,
        "0000:02:00.0 by bus, all functions of the card at once",
    );
    choose(&mut facts, &["02:00.0"], Method::Override);
    assert_found(&facts, "device-reset", Verdict::Fail, "only together with 0000:02:00.1");
    methods(&mut facts, "02:00.0", &["flr"]);
    assert_found(&facts, "device-reset", Verdict::Warn, "0000:02:00.1 not");
    methods(&mut facts, "02:00.1", &["flr"]);
    assert_found(&facts, "device-reset", Verdict::Pass, "0000:02:00.1 by flr");
    edit(&mut facts, "02:00.0", |function| {
        function.reset_methods.clear();
        function.gaps = BTreeMap::from([("reset_method".to_owned(), "before Linux 5.15".to_owned())]);
    });
    assert_found(&facts, "device-reset", Verdict::Unknown, "before Linux 5.15");
}

#[test]
fn families_that_do_not_come_back_are_named_with_what_helps() {
    let mut facts = chosen();
    assert_found(&facts, "reset-bug", Verdict::Pass, "no family");
    edit(&mut facts, "02:00.0", |function| function.id = "1002:67df".parse().expect("an id"));
    assert_found(&facts, "reset-bug", Verdict::Warn, "Polaris 10");
    facts.kernel.loaded = Fact::known(vec!["vendor_reset".to_owned()], "/proc/modules", "");
    methods(&mut facts, "02:00.0", &["bus", "device_specific"]);
    assert_found(&facts, "reset-bug", Verdict::Warn, "does not use its reset first");
    methods(&mut facts, "02:00.0", &["device_specific", "bus"]);
    assert_found(&facts, "reset-bug", Verdict::Pass, "reset by vendor-reset");
    edit(&mut facts, "02:00.0", |function| function.id = "1002:744c".parse().expect("an id"));
    assert_found(&facts, "reset-bug", Verdict::Warn, "Navi 31");
}

#[test]
fn half_a_card_and_a_bridge_are_not_what_a_guest_can_have() {
    let mut facts = chosen();
    assert_found(&facts, "card-functions", Verdict::Pass, "0000:02:00.0, 0000:02:00.1 are one card");
    choose(&mut facts, &["02:00.0"], Method::Override);
    assert_found(&facts, "card-functions", Verdict::Warn, "0000:02:00.1 stays with the host");
    choose(&mut facts, &["00:02.1", "02:00.0", "02:00.1"], Method::Override);
    assert_found(&facts, "card-functions", Verdict::Fail, "0000:00:02.1 is a bridge");
}

#[test]
fn twins_are_taken_together_by_their_pci_id() {
    let mut facts = chosen();
    assert_found(&facts, "identical-devices", Verdict::Pass, "only its address tells it");
    cmdline(&mut facts, "vfio-pci.ids=10de:1234,1234:1111:1af4:1100");
    assert_found(&facts, "identical-devices", Verdict::Fail, "takes them all");
    for twin in ["01:00.0", "03:00.0"] {
        edit(&mut facts, twin, |function| function.subsystem = "1462:3881".parse().expect("an id"));
    }
    assert_found(&facts, "identical-devices", Verdict::Pass, "its board maker's ids differ");
    cmdline(&mut facts, "vfio-pci.ids=1234:1111");
    assert_found(&facts, "identical-devices", Verdict::Fail, "takes them all");
    let mut by_ids = chosen();
    choose(&mut by_ids, &["02:00.0", "02:00.1"], Method::Ids);
    assert_found(&by_ids, "identical-devices", Verdict::Fail, "the intent binds by PCI ID");
    choose(&mut by_ids, &["02:00.0", "02:00.1"], Method::PciStub);
    assert_found(&by_ids, "identical-devices", Verdict::Fail, "the intent binds by PCI ID");
    choose(&mut by_ids, &["00:05.0"], Method::Ids);
    assert_found(&by_ids, "identical-devices", Verdict::Pass, "no device that a guest could have has a twin");
}

#[test]
fn large_bars_need_an_address_and_amd_s_stay_small() {
    let mut facts = chosen();
    let bar = |facts: &mut HostFacts, start: u64, size: u64| {
        edit(facts, "02:00.0", |function| {
            function.resources = vec![Resource { index: 0, start, end: start + size - 1, flags: 0x14_220c }];
        });
    };
    assert_found(&facts, "large-bars", Verdict::Unknown, "0000:02:00.0");
    bar(&mut facts, 0xd000_0000, 256 << 20);
    assert_found(&facts, "large-bars", Verdict::Pass, "BAR 0 of 0000:02:00.0 is 256 MiB");
    bar(&mut facts, 0, 16 << 30);
    assert_found(&facts, "large-bars", Verdict::Fail, "16 GiB) has no address");
    // BAR 1, of 64 bits, is in the registers and no longer among the ranges.
    edit(&mut facts, "02:00.0", |function| {
        function.config = vec![0; 64];
        function.config[0x10..0x18].copy_from_slice(&[0, 0, 0, 0xd0, 0x0c, 0, 0, 0]);
    });
    bar(&mut facts, 0xd000_0000, 256 << 20);
    assert_found(
        &facts,
        "large-bars",
        Verdict::Fail,
        "BAR 1 of 0000:02:00.0 has no address: the kernel found no room for it",
    );
    edit(&mut facts, "02:00.0", |function| function.config.clear());
    bar(&mut facts, 0x40_0000_0000, 16 << 30);
    assert_found(&facts, "large-bars", Verdict::Pass, "is resized to 16 GiB");
    edit(&mut facts, "02:00.0", |function| function.id = "1002:73bf".parse().expect("an id"));
    assert_found(&facts, "large-bars", Verdict::Warn, "stay black");
}

#[test]
fn a_narrow_link_is_told_with_its_slot() {
    let mut facts = chosen();
    assert_found(&facts, "pci-link", Verdict::Unknown, "only root");
    let link = |megatransfers, lanes| Some(Link { megatransfers, lanes });
    state(&mut facts, "02:00.0", |state| {
        state.link = LinkState { now: link(2500, 16), most: link(16000, 16) }
    });
    assert_found(&facts, "pci-link", Verdict::Pass, "now x16 at 2.5 GT/s, at most x16 at 16 GT/s");
    state(&mut facts, "02:00.0", |state| state.link.now = link(16000, 4));
    state(&mut facts, "00:02.1", |state| {
        state.link = LinkState { now: link(16000, 4), most: link(16000, 4) }
    });
    assert_found(
        &facts,
        "pci-link",
        Verdict::Warn,
        "4 of its 16 lanes: the slot behind 0000:00:02.1 has no more",
    );
}

#[test]
fn a_device_without_power_and_one_that_is_gone_are_told_apart() {
    let mut facts = chosen();
    for address in ["02:00.0", "02:00.1"] {
        edit(&mut facts, address, |function| function.config = vec![0; 64]);
        state(&mut facts, address, |state| state.power = Some("D0".to_owned()));
    }
    assert_found(&facts, "device-power", Verdict::Pass, "2 functions");
    edit(&mut facts, "02:00.0", |function| function.config = vec![0xff; 64]);
    assert_found(&facts, "device-power", Verdict::Fail, "reads as ones");
    state(&mut facts, "02:00.0", |state| {
        (state.power, state.d3cold_allowed) = (Some("D3cold".to_owned()), Some(true));
    });
    assert_found(&facts, "device-power", Verdict::Warn, "no power now (D3cold) (d3cold_allowed is 1)");
}

#[test]
fn a_usb_controller_goes_alone_or_not_at_all() {
    let mut facts = chosen();
    assert_found(&facts, "usb-controllers", Verdict::Warn, "the host's last keyboard");
    facts.in_use = Fact::known(Vec::new(), "/sys/devices", "");
    assert_found(&facts, "usb-controllers", Verdict::Pass, "0000:00:04.0 can go to a guest");
    methods(&mut facts, "02:00.0", &["bus"]);
    assert_found(&facts, "usb-controllers", Verdict::Warn, "0000:00:04.0 has no reset");
    methods(&mut facts, "00:04.0", &["flr"]);
    assert_found(&facts, "usb-controllers", Verdict::Pass, "0000:00:04.0 can go");
    group(&mut facts, 5, &["00:04.0", "00:05.0"]);
    assert_found(&facts, "usb-controllers", Verdict::Warn, "only USB controller");
    let mut last = chosen();
    choose(&mut last, &["00:04.0"], Method::Override);
    assert_found(&last, "usb-controllers", Verdict::Fail, "is chosen for guests");
    assert_found(&host(), "usb-controllers", Verdict::Skip, "once there are IOMMU groups");
}

#[test]
fn a_physical_function_with_virtual_ones_cannot_go_whole() {
    let mut facts = chosen();
    state(&mut facts, "00:04.0", |_| {});
    assert_found(&facts, "virtual-functions", Verdict::Skip, "no device");
    state(&mut facts, "00:05.0", |state| {
        state.sriov = Some(SriovState { total: 7, enabled: 0, autoprobe: Some(true) });
    });
    assert_found(&facts, "virtual-functions", Verdict::Pass, "can have 7 virtual functions");
    choose(&mut facts, &["00:05.0"], Method::Override);
    state(&mut facts, "00:05.0", |state| {
        state.sriov = Some(SriovState { total: 7, enabled: 3, autoprobe: Some(true) });
    });
    assert_found(&facts, "virtual-functions", Verdict::Fail, "has 3 virtual functions");
}

#[test]
fn a_driver_that_is_compiled_in_comes_first() {
    let mut facts = chosen();
    let drivers = |loadable: &[&str], built_in: &[&str]| {
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        let possible = PossibleDrivers { loadable: names(loadable), built_in: names(built_in) };
        let drivers = BTreeMap::from([(at("02:00.0"), possible)]);
        let drivers = Fact::known(drivers, "/lib/modules/6.12/modules.alias", "1");
        Fact::known(vec![KernelDrivers { release: "6.12".to_owned(), drivers }], "/lib/modules", "6.12")
    };
    assert_found(&facts, "competing-drivers", Verdict::Unknown, "not made up here");
    facts.possible_drivers = drivers(&["bochs", "nouveau"], &[]);
    assert_found(&facts, "competing-drivers", Verdict::Pass, "0000:02:00.0 would go to bochs or nouveau");
    facts.possible_drivers = drivers(&[], &["bochs"]);
    assert_found(&facts, "competing-drivers", Verdict::Warn, "bochs is compiled into Linux 6.12");
}

#[test]
fn programs_that_have_a_device_open_are_named_where_they_could_be_seen() {
    let mut facts = chosen();
    facts.holders = Fact::unknown(HostFacts::NOT_ASKED);
    assert_found(&facts, "device-holders", Verdict::Skip, "not looked at unless");
    let holder = Holder {
        process: 812,
        program: "Xorg".to_owned(),
        files: [("/dev/dri/card1".to_owned(), [at("02:00.0")].into())].into(),
    };
    let none = Holders { holders: Vec::new(), unseen: 3 };
    facts.holders = Fact::known(none, "/proc", "");
    assert_found(&facts, "device-holders", Verdict::Unknown, "3 processes could not");
    let some = Holders { holders: vec![holder], unseen: 3 };
    facts.holders = Fact::known(some.clone(), "/proc", "");
    assert_found(&facts, "device-holders", Verdict::Warn, "0000:02:00.0 is open in Xorg (812)");
    edit(&mut facts, "02:00.0", |function| function.driver = Some("vfio-pci".to_owned()));
    facts.holders = Fact::known(Holders { unseen: 0, ..some }, "/proc", "");
    assert_found(&facts, "device-holders", Verdict::Pass, "is open in Xorg");
    facts.holders = Fact::known(Holders::default(), "/proc", "");
    assert_found(&facts, "device-holders", Verdict::Pass, "no program");
}

#[test]
fn an_override_is_named_with_what_it_does() {
    let mut facts = host_with_groups();
    assert_found(&facts, "acs-override", Verdict::Pass, "no override");
    cmdline(&mut facts, "pcie_acs_override=downstream,multifunction");
    assert_found(&facts, "acs-override", Verdict::Warn, "‘pcie_acs_override=downstream,multifunction’");
    cmdline(&mut facts, "pcie_acs_override=everything");
    assert_found(&facts, "acs-override", Verdict::Warn, "not those of the patch");
}

#[test]
fn the_audio_function_of_a_gpu_has_messages_or_not() {
    let mut facts = chosen();
    assert_found(&facts, "gpu-audio", Verdict::Unknown, "0000:02:00.1");
    let mut config = vec![0u8; 256];
    config[..4].copy_from_slice(&[0x86, 0x80, 0x3e, 0x29]);
    edit(&mut facts, "02:00.1", |function| function.config.clone_from(&config));
    assert_found(&facts, "gpu-audio", Verdict::Warn, "has no MSI");
    (config[0x06], config[0x34], config[0x60]) = (0x10, 0x60, 0x05);
    edit(&mut facts, "02:00.1", |function| function.config.clone_from(&config));
    assert_found(&facts, "gpu-audio", Verdict::Pass, "MSI is there in 0000:02:00.1");
}

#[test]
fn what_could_not_be_looked_at_is_unknown_and_never_right_or_wrong() {
    let mut facts = HostFacts::unknown("/sys is masked");
    facts.surroundings.container = Some("docker".to_owned());
    let checks: Vec<&str> = passthru_plan::checks().map(|check| check.id).collect();
    for finding in diagnose(&facts, &checks).expect("all checks") {
        assert!(
            matches!(finding.verdict, Verdict::Unknown | Verdict::Skip),
            "{}: {} {}",
            finding.id,
            finding.verdict.word(),
            finding.summary
        );
    }
}

#[test]
fn pci_stub_is_advised_against_unless_it_was_chosen() {
    let mut facts = chosen();
    facts.binding.modprobe = Fact::known(ModprobeSettings::default(), "/etc/modprobe.d", "");
    assert_found(&facts, "pci-stub", Verdict::Pass, "pci-stub holds nothing");
    for address in ["02:00.0", "02:00.1"] {
        edit(&mut facts, address, |function| function.driver = Some("pci-stub".to_owned()));
    }
    cmdline(&mut facts, "quiet pci-stub.ids=1234:1111:1af4:1100,8086:293e:1af4:1100");
    assert_found(&facts, "pci-stub", Verdict::Warn, "pci-stub is given ids");
    choose(&mut facts, &["02:00.0", "02:00.1"], Method::PciStub);
    assert_found(&facts, "pci-stub", Verdict::Pass, "pci-stub holds what the intent gives to it");
    choose(&mut facts, &["02:00.0"], Method::PciStub);
    assert_found(&facts, "pci-stub", Verdict::Warn, "0000:02:00.1 is on pci-stub");
}
