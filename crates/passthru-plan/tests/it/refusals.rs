//! Every reason to refuse, each on a host that gives it.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::facts::HostUse;
use passthru_model::intent::{DeviceIdentity, Intent, Method};
use passthru_model::iommu::FirmwareTable;
use passthru_model::kernel::ModuleState;
use passthru_model::plan::FileState;
use passthru_model::ways_in::WaysIn;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, Reason, Refusal, isolate, plan_for, release};

use crate::common::{at, cmdline, edit, group, grub_cfg, host, host_with_groups, put, reserve};

/// The only reason why a function cannot be isolated.
fn why(facts: &HostFacts, address: &str) -> Reason {
    why_with(facts, address, &Consent::default())
}

fn why_with(facts: &HostFacts, address: &str, consent: &Consent) -> Reason {
    let refusal = isolate(facts, &[at(address)], consent).expect_err("a refusal");
    let text = refusal.to_string();
    assert!(!text.ends_with('.'), "{text}");
    let [reason] = refusal.reasons.as_slice() else { panic!("one reason expected: {text}") };
    reason.clone()
}

fn intent(facts: &HostFacts, method: Method, addresses: &[&str]) -> Intent {
    let function = |address: &&str| DeviceIdentity::of(facts.function(at(address)).expect("in the host"));
    Intent { method, isolate: addresses.iter().map(function).collect(), ..Intent::default() }
}

#[test]
fn nothing_or_what_is_not_there_or_not_isolated_is_named() {
    let facts = host_with_groups();
    assert_eq!(isolate(&facts, &[], &Consent::default()), Err(Reason::NothingNamed.into()));
    assert_eq!(why(&facts, "09:00.0"), Reason::NoSuchDevice(at("09:00.0")));
    assert_eq!(
        release(&facts, &[at("02:00.0")], &Consent::default()),
        Err(Reason::NotIsolated(at("02:00.0")).into())
    );
}

#[test]
fn bridges_and_the_chipset_stay_with_the_host() {
    let facts = host_with_groups();
    assert!(matches!(why(&facts, "00:02.1"), Reason::Bridge { .. }));
    assert!(matches!(why(&facts, "00:1f.0"), Reason::Chipset { .. }));
    assert!(matches!(why(&facts, "00:1f.3"), Reason::Chipset { .. }));
}

#[test]
fn a_virtual_function_is_not_there_at_boot() {
    let mut facts = host_with_groups();
    edit(&mut facts, "00:05.0", |function| function.physical_function = Some(at("00:05.1")));
    assert!(matches!(why(&facts, "00:05.0"), Reason::VirtualFunction { .. }));
}

#[test]
fn the_only_display_is_taken_only_when_insisted_on() {
    let mut facts = host_with_groups();
    for address in ["02:00.0", "03:00.0"] {
        edit(&mut facts, address, |function| function.driver = Some("vfio-pci".to_owned()));
    }
    let reason = why(&facts, "01:00.0");
    assert!(matches!(reason, Reason::OnlyDisplay { .. }), "{reason}");
    assert_eq!(reason.flag(), Some("--take-only-display"));
    let consent = Consent { take_only_display: true, ..Consent::default() };
    let change = isolate(&facts, &[at("01:00.0")], &consent).expect("a plan");
    assert!(change.plan.notes.iter().any(|note| note.contains("only display")), "{:?}", change.plan.notes);
}

#[test]
fn insisting_on_the_only_display_needs_another_way_in() {
    let mut facts = host_with_groups();
    for address in ["02:00.0", "03:00.0"] {
        edit(&mut facts, address, |function| function.driver = Some("vfio-pci".to_owned()));
    }
    let consent = Consent { take_only_display: true, ..Consent::default() };
    facts.ways_in = Fact::known(WaysIn::default(), "/etc/systemd/system", "");
    let reason = why_with(&facts, "01:00.0", &consent);
    assert!(matches!(reason, Reason::NoWayIn { .. }), "{reason}");
    assert_eq!(reason.flag(), None);
    facts.ways_in = Fact::unknown("/etc/systemd/system: permission denied");
    assert!(matches!(why_with(&facts, "01:00.0", &consent), Reason::Unknown { .. }));
    let serial = WaysIn { ssh: None, serial: Some("console=ttyS0".to_owned()) };
    facts.ways_in = Fact::known(serial, "/proc/cmdline", "console=ttyS0");
    assert!(isolate(&facts, &[at("01:00.0")], &consent).is_ok());
}

#[test]
fn a_display_that_the_host_draws_on_can_go_where_another_remains() {
    let change = isolate(&host_with_groups(), &[at("01:00.0")], &Consent::default()).expect("a plan");
    assert!(change.plan.notes.iter().any(|note| note.contains("draws on it now")), "{:?}", change.plan.notes);
}

#[test]
fn all_displays_at_once_are_the_only_display() {
    let all = [at("01:00.0"), at("02:00.0"), at("03:00.0")];
    let refusal = isolate(&host_with_groups(), &all, &Consent::default()).expect_err("a refusal");
    assert_eq!(refusal.flags(), ["--take-only-display"]);
}

#[test]
fn storage_network_and_the_last_keyboard_in_use_stay_unless_insisted_on() {
    let mut facts = host_with_groups();
    group(&mut facts, 6, &["00:1f.0", "00:1f.3"]);
    group(&mut facts, 10, &["00:1f.2"]);
    let take = Consent { take_in_use: true, take_last_keyboard: true, ..Consent::default() };
    for (address, flag) in
        [("00:1f.2", "--take-in-use"), ("00:05.0", "--take-in-use"), ("00:04.0", "--take-last-keyboard")]
    {
        let reason = why(&facts, address);
        assert_eq!(reason.flag(), Some(flag), "{reason}");
        assert!(isolate(&facts, &[at(address)], &take).is_ok(), "{address}");
    }
}

#[test]
fn a_group_that_holds_others_is_refused_and_says_what_they_are_to_the_host() {
    let mut facts = host_with_groups();
    group(&mut facts, 6, &["00:1f.2", "02:00.0", "02:00.1"]);
    let reasons = isolate(&facts, &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
    assert!(reasons.to_string().contains("/ is mounted from sda1"), "{reasons}");
    assert!(reasons.to_string().contains("Another slot"), "{reasons}");

    let mut facts = host_with_groups();
    group(&mut facts, 8, &["02:00.0", "02:00.1", "03:00.0", "03:00.1"]);
    let reason = why(&facts, "02:00.0");
    assert!(reason.to_string().contains("Name them too"), "{reason}");
    assert!(isolate(&facts, &[at("02:00.0"), at("03:00.0")], &Consent::default()).is_ok());
}

#[test]
fn a_sibling_in_the_group_is_part_of_the_deal() {
    let consent = Consent { only_named: true, ..Consent::default() };
    assert!(matches!(why_with(&host_with_groups(), "02:00.0", &consent), Reason::GroupHolds { .. }));
}

#[test]
fn bridges_in_the_group_do_no_harm() {
    let mut facts = host_with_groups();
    group(&mut facts, 8, &["00:02.1", "02:00.0", "02:00.1"]);
    assert!(isolate(&facts, &[at("02:00.0")], &Consent::default()).is_ok());
}

#[test]
fn a_direct_region_is_a_hard_stop_and_a_relaxable_one_is_none() {
    let mut facts = host_with_groups();
    reserve(&mut facts, 8, "direct-relaxable");
    reserve(&mut facts, 8, "msi");
    assert!(isolate(&facts, &[at("02:00.0")], &Consent::default()).is_ok());
    reserve(&mut facts, 8, "direct");
    assert!(matches!(why(&facts, "02:00.0"), Reason::DirectRegion { group: 8, .. }));
}

#[test]
fn a_device_outside_all_groups_is_refused_where_the_parameter_is_on_already() {
    let mut facts = host_with_groups();
    cmdline(&mut facts, "intel_iommu=on");
    for address in ["02:00.0", "02:00.1"] {
        edit(&mut facts, address, |function| function.group = None);
    }
    let refusal = isolate(&facts, &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
    assert!(refusal.reasons.iter().all(|reason| matches!(reason, Reason::NoGroup { .. })), "{refusal}");
}

#[test]
fn without_a_table_of_the_firmware_nothing_can_be_done_here() {
    let mut facts = host();
    put(&mut facts, managed::GRUB_DEFAULTS, "GRUB_CMDLINE_LINUX=quiet\n");
    cmdline(&mut facts, "quiet");
    facts.iommu.tables = Fact::known(BTreeSet::new(), "/sys/firmware/acpi/tables", "no such file");
    assert!(matches!(why(&facts, "02:00.0"), Reason::NoIommu { .. }));
    facts.surroundings.hypervisor = Some("KVM".to_owned());
    assert!(why(&facts, "02:00.0").to_string().contains("virtual machine"));
    facts.iommu.tables = Fact::unknown("permission denied");
    assert!(matches!(why(&facts, "02:00.0"), Reason::Unknown { .. }));
    facts.iommu.tables = Fact::known([FirmwareTable::Ivrs].into(), "", "");
    assert!(matches!(why(&facts, "02:00.0"), Reason::IommuNotDriven { table: "IVRS", .. }));
}

#[test]
fn an_off_that_no_setting_holds_is_refused_with_where_it_could_be() {
    let mut facts = host();
    put(&mut facts, managed::GRUB_DEFAULTS, "GRUB_CMDLINE_LINUX=quiet\n");
    let custom = grub_cfg("quiet", false)
        + "menuentry 'mine' {\n\tlinux /boot/vmlinuz console=ttyS0 intel_iommu=off\n}\n";
    put(&mut facts, managed::GRUB_CFG, &custom);
    assert!(why(&facts, "02:00.0").to_string().contains("40_custom"));
    facts.files.insert(managed::GRUB_CFG.to_owned(), FileState::Absent);
    assert!(matches!(why(&facts, "02:00.0"), Reason::ParameterElsewhere { .. }));
    put(&mut facts, managed::GRUB_CFG, &grub_cfg("quiet", false));
    let change = isolate(&facts, &[at("02:00.0")], &Consent::default()).expect("it was typed for this boot");
    assert!(change.plan.notes.iter().any(|note| note.contains("in no setting")), "{:?}", change.plan.notes);
}

#[test]
fn dynamic_shell_in_a_value_that_must_be_edited_is_refused_with_its_line() {
    let mut facts = host();
    put(&mut facts, managed::GRUB_DEFAULTS, "\nGRUB_CMDLINE_LINUX=\"$(cat /etc/more) intel_iommu=off\"\n");
    put(&mut facts, managed::GRUB_CFG, &grub_cfg("quiet intel_iommu=off", false));
    let reason = why(&facts, "02:00.0").to_string();
    assert!(reason.contains("/etc/default/grub, line 2"), "{reason}");
    let both = "GRUB_CMDLINE_LINUX_DEFAULT=\"$(x)\"\nGRUB_CMDLINE_LINUX=intel_iommu=off\n";
    put(&mut facts, managed::GRUB_DEFAULTS, both);
    assert!(isolate(&facts, &[at("02:00.0")], &Consent::default()).is_ok(), "the shell is elsewhere");
}

#[test]
fn a_later_file_that_would_drop_our_parameter_is_named() {
    let mut facts = host();
    put(&mut facts, "/etc/default/grub.d/90-site.cfg", "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n");
    assert!(matches!(
        why(&facts, "02:00.0"),
        Reason::Overridden { path, .. } if path == "/etc/default/grub.d/90-site.cfg"
    ));
    put(
        &mut facts,
        "/etc/default/grub.d/90-site.cfg",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT x\"\n",
    );
    assert!(isolate(&facts, &[at("02:00.0")], &Consent::default()).is_ok());
}

#[test]
fn an_unknown_bootloader_or_initramfs_generator_is_refused() {
    let mut facts = host_with_groups();
    facts.bootloader = Fact::unknown("both GRUB and systemd-boot could be live");
    assert!(matches!(why(&facts, "02:00.0"), Reason::Bootloader(_)));
    let mut facts = host_with_groups();
    facts.initramfs = Fact::unknown("both dracut and update-initramfs are installed");
    assert!(matches!(why(&facts, "02:00.0"), Reason::Initramfs(_)));
}

fn kernel(facts: &mut HostFacts, change: impl FnOnce(&mut passthru_model::kernel::InstalledKernel)) {
    if let Fact::Known(kernels, _) = &mut facts.kernel.installed {
        change(kernels.first_mut().expect("a kernel"));
    }
}

#[test]
fn every_kernel_must_have_vfio_pci() {
    let mut facts = host_with_groups();
    kernel(&mut facts, |kernel| kernel.modules = Fact::known(BTreeMap::new(), "", ""));
    assert!(matches!(why(&facts, "02:00.0"), Reason::NoVfio { .. }));
    kernel(&mut facts, |kernel| kernel.modules = Fact::unknown("no modules.dep"));
    assert!(matches!(why(&facts, "02:00.0"), Reason::Unknown { .. }));
    kernel(&mut facts, |kernel| kernel.initramfs = None);
    assert_eq!(why(&facts, "02:00.0"), Reason::NoKernel);
}

#[test]
fn a_card_that_was_changed_or_taken_out_is_refused() {
    let mut facts = host_with_groups();
    let wanted = intent(&facts, Method::Override, &["02:00.0", "02:00.1"]);
    edit(&mut facts, "02:00.0", |function| function.subsystem.device = passthru_model::Hex16(0xdead));
    let refusal = plan_for(&facts, &wanted, &Consent::default()).expect_err("a refusal");
    assert!(matches!(refusal.reasons.as_slice(), [Reason::IdentityMismatch { .. }]), "{refusal}");
    let mut gone = wanted.clone();
    gone.isolate[0].address = at("09:00.0");
    let refusal = plan_for(&host_with_groups(), &gone, &Consent { take_in_use: true, ..Consent::default() });
    let refusal: Refusal = refusal.expect_err("a refusal");
    assert!(refusal.reasons.contains(&Reason::Missing(at("09:00.0"))), "{refusal}");
}

#[test]
fn binding_by_id_is_refused_where_the_host_has_a_twin_or_the_driver_is_built_in() {
    let mut facts = host_with_groups();
    let wanted = intent(&facts, Method::Ids, &["02:00.0", "02:00.1"]);
    let refusal = plan_for(&facts, &wanted, &Consent::default()).expect_err("a refusal");
    assert!(matches!(refusal.reasons.as_slice(), [Reason::Twins { .. }, Reason::Twins { .. }]), "{refusal}");
    for address in ["02:00.0", "02:00.1"] {
        edit(&mut facts, address, |function| function.subsystem.device = passthru_model::Hex16(0x1101));
    }
    kernel(&mut facts, |kernel| {
        kernel.modules = Fact::known(BTreeMap::from([("vfio_pci".to_owned(), ModuleState::BuiltIn)]), "", "");
    });
    let wanted = intent(&facts, Method::Ids, &["02:00.0", "02:00.1"]);
    let plan =
        plan_for(&facts, &wanted, &Consent::default()).expect("a plan: the kernel command line has the ids");
    assert!(plan.notes.iter().any(|note| note.contains("is built into kernel")), "{:?}", plan.notes);
}

#[test]
fn what_is_not_ours_is_not_overwritten() {
    let mut facts = host_with_groups();
    put(&mut facts, managed::UDEV_RULE, "# mine\n");
    assert!(matches!(why(&facts, "02:00.0"), Reason::NotOurs { .. }));
    facts.files.insert(managed::UDEV_RULE.to_owned(), FileState::Link { target: "/dev/null".to_owned() });
    assert!(matches!(why(&facts, "02:00.0"), Reason::NotOurs { .. }));
    let mut facts = host_with_groups();
    put(&mut facts, managed::MODPROBE, "options vfio-pci disable_vga=1\n");
    assert!(isolate(&facts, &[at("02:00.0")], &Consent::default()).is_ok(), "nothing of ours goes there");
    assert!(plan_for(&facts, &Intent::default(), &Consent::default()).is_ok_and(|plan| plan.is_empty()));
}

#[test]
fn what_matters_and_is_not_known_is_asked_for() {
    let mut facts = host_with_groups();
    facts.surroundings.root = false;
    facts.in_use_gaps.insert(HostUse::Keyboard, "permission denied".to_owned());
    let refusal = isolate(&facts, &[at("00:04.0")], &Consent::default()).expect_err("a refusal");
    let asked = |reason: &Reason| matches!(reason, Reason::Unknown { settle, .. } if settle.contains("root"));
    assert!(refusal.reasons.iter().any(asked), "{refusal}");
    // A card is not asked about keyboards.
    assert!(isolate(&facts, &[at("02:00.0")], &Consent::default()).is_ok());
    facts.unreadable_files.insert(managed::UDEV_RULE.to_owned(), "permission denied".to_owned());
    assert!(matches!(why(&facts, "02:00.0"), Reason::Unknown { .. }));
    facts.pci = Fact::unknown("/sys is masked");
    assert!(matches!(why(&facts, "02:00.0"), Reason::Unknown { .. }));
}

#[test]
fn a_wrong_intent_file_is_named_with_its_line() {
    let mut facts = host_with_groups();
    put(&mut facts, passthru_model::intent::INTENT_PATH, "metod = 1\n");
    assert!(why(&facts, "02:00.0").to_string().contains("line 1"));
}
