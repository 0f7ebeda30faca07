//! Plans that give functions to other drivers while the host runs.

use std::collections::BTreeMap;

use passthru_model::binding::{ModprobeCommand, ModprobeSettings, Said};
use passthru_model::facts::HostUse;
use passthru_model::graphics::{Console, FirmwareScreen, Framebuffer, Graphics};
use passthru_model::holders::{Holder, Holders};
use passthru_model::kernel::{KernelDrivers, ModuleState, PossibleDrivers};
use passthru_model::plan::Plan;
use passthru_model::{Fact, HostFacts};
use passthru_plan::{Consent, Reason, Refusal, bind, isolate, may_go_back, may_go_on, unbind};

use crate::common::{after, at, edit, group, host, host_with_groups, reserve, shown};

const CARD: [&str; 2] = ["02:00.0", "02:00.1"];

/// The host with groups, on which every process could be looked into and nothing is open.
fn quiet() -> HostFacts {
    let mut facts = host_with_groups();
    hold(&mut facts, &[]);
    facts.graphics = Fact::known(Graphics::default(), "/sys/class/drm", "nothing");
    facts
}

/// The same with the card on vfio-pci.
fn bound() -> HostFacts {
    let mut facts = quiet();
    for address in CARD {
        edit(&mut facts, address, |function| {
            function.driver = Some("vfio-pci".to_owned());
            function.driver_override = Some("vfio-pci".to_owned());
        });
    }
    facts
}

/// Programs with a file open that stands for a function, each.
pub(crate) fn hold(facts: &mut HostFacts, open: &[(&str, &str, &str)]) {
    let holder = |(number, (program, file, address)): (usize, &(&str, &str, &str))| Holder {
        process: 800 + u32::try_from(number).expect("few"),
        program: (*program).to_owned(),
        files: BTreeMap::from([((*file).to_owned(), [at(address)].into())]),
    };
    let holders = open.iter().enumerate().map(holder).collect();
    facts.holders = Fact::known(Holders { holders, unseen: 0 }, "/proc", "");
}

fn bind_card(facts: &HostFacts) -> Result<Plan, Refusal> {
    bind(facts, &[at("02:00.0")], None, &Consent::default())
}

fn unbind_card(facts: &HostFacts) -> Result<Plan, Refusal> {
    unbind(facts, &[at("02:00.0")], &Consent::default())
}

/// The only reason against a plan.
fn reason(plan: Result<Plan, Refusal>) -> Reason {
    let refusal = plan.expect_err("a refusal");
    let text = refusal.to_string();
    assert!(!text.ends_with('.'), "{text}");
    let [reason] = refusal.reasons.as_slice() else { panic!("one reason expected: {text}") };
    reason.clone()
}

fn load(facts: &mut HostFacts, modules: &[&str]) {
    let modules = modules.iter().map(|&name| name.to_owned()).collect();
    facts.kernel.loaded = Fact::known(modules, "/proc/modules", "");
}

/// What the running kernel has for the card.
fn drivers(facts: &mut HostFacts, loadable: &[&str], built_in: &[&str]) {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
    let possible = PossibleDrivers { loadable: names(loadable), built_in: names(built_in) };
    let drivers = CARD.map(|address| (at(address), possible.clone()));
    let release = facts.kernel.release.value().cloned().expect("is known");
    let drivers = Fact::known(drivers.into(), "/lib/modules", "");
    facts.possible_drivers = Fact::known(vec![KernelDrivers { release, drivers }], "/lib/modules", "");
}

#[test]
fn binding_a_card_loads_vfio_pci_and_moves_all_of_its_functions() {
    insta::assert_snapshot!(shown(&bind_card(&quiet()).expect("a plan")));
}

#[test]
fn unbinding_it_loads_the_hosts_drivers_where_none_is_there() {
    let mut facts = bound();
    drivers(&mut facts, &["bochs"], &[]);
    for address in CARD {
        edit(&mut facts, address, |function| function.modalias = format!("pci:v{address}"));
    }
    insta::assert_snapshot!(shown(&unbind_card(&facts).expect("a plan")));
    load(&mut facts, &["bochs"]);
    assert_eq!(unbind_card(&facts).expect("a plan").steps.len(), 1);
    load(&mut facts, &[]);
    drivers(&mut facts, &["nouveau"], &["bochs"]);
    assert_eq!(unbind_card(&facts).expect("a plan").steps.len(), 1);
}

#[test]
fn the_display_that_the_host_draws_on_says_what_becomes_of_consoles_and_of_the_firmwares_screen() {
    let mut facts = quiet();
    let graphics = Graphics {
        framebuffers: vec![Framebuffer {
            number: 0,
            name: "bochs-drmdrmfb".to_owned(),
            address: Some(at("01:00.0")),
        }],
        consoles: vec![Console { number: 1, name: "(M) frame buffer device".to_owned(), bound: true }],
        firmware_screens: vec![FirmwareScreen {
            device: "efi-framebuffer.0".to_owned(),
            driver: Some("efi-framebuffer".to_owned()),
            address: Some(at("01:00.0")),
        }],
        ..Graphics::default()
    };
    facts.graphics = Fact::known(graphics, "/sys/class/drm", "");
    let plan = bind(&facts, &[at("01:00.0")], None, &Consent::default()).expect("a plan");
    insta::assert_snapshot!(plan.notes.join("\n"));
    edit(&mut facts, "01:00.0", |function| function.class = "038000".parse().expect("a class"));
    let plan = bind(&facts, &[at("01:00.0")], None, &Consent::default()).expect("a plan");
    assert!(plan.notes.iter().any(|note| note.contains("can't reserve")), "{:?}", plan.notes);
}

#[test]
fn what_is_refused_at_boot_is_refused_at_run_time() {
    let facts = quiet();
    let plan = |address: &str, consent: &Consent| bind(&facts, &[at(address)], None, consent);
    let none = Consent::default();
    assert_eq!(reason(bind(&facts, &[], None, &none)), Reason::NothingNamed);
    assert!(matches!(reason(plan("09:00.0", &none)), Reason::NoSuchDevice(_)));
    assert!(matches!(reason(plan("00:02.1", &none)), Reason::Bridge { .. }));
    assert!(matches!(reason(plan("00:1f.3", &none)), Reason::Chipset { .. }));
    assert!(matches!(reason(plan("00:05.0", &none)), Reason::NetworkInUse { .. }));
    assert!(matches!(reason(plan("00:04.0", &none)), Reason::LastKeyboard { .. }));
    let only = Consent { only_named: true, ..Consent::default() };
    assert!(matches!(reason(plan("02:00.0", &only)), Reason::GroupHolds { .. }));
    let insisting = Consent { take_in_use: true, take_last_keyboard: true, ..Consent::default() };
    for address in ["00:05.0", "00:04.0"] {
        assert!(plan(address, &insisting).is_ok(), "{address}");
    }
    let mut facts = quiet();
    reserve(&mut facts, 8, "direct");
    assert!(matches!(reason(bind_card(&facts)), Reason::DirectRegion { .. }));
}

#[test]
fn the_only_display_that_is_left_is_taken_only_when_insisted_on() {
    let mut facts = bound();
    for address in ["03:00.0", "03:00.1"] {
        edit(&mut facts, address, |function| function.driver = Some("vfio-pci".to_owned()));
    }
    let take = |consent: &Consent| bind(&facts, &[at("01:00.0")], None, consent);
    let only = reason(take(&Consent::default()));
    assert_eq!(only.flag(), Some("--take-only-display"));
    assert!(take(&Consent { take_only_display: true, ..Consent::default() }).is_ok());
}

#[test]
fn that_it_was_agreed_to_isolate_a_device_at_boot_is_no_consent_to_take_it_now() {
    let mut facts = quiet();
    if let Fact::Known(used, _) = &mut facts.in_use {
        used.push(passthru_model::facts::InUse {
            address: at("02:00.0"),
            kind: HostUse::Storage,
            what: "/data is mounted from sdb1".to_owned(),
        });
    }
    let insisting = Consent { take_in_use: true, ..Consent::default() };
    let change = isolate(&facts, &[at("02:00.0")], &insisting).expect("a plan");
    let agreed = after(&facts, &change.plan);
    assert!(isolate(&agreed, &[at("02:00.0")], &Consent::default()).is_ok());
    assert!(matches!(reason(bind_card(&agreed)), Reason::StorageInUse { .. }));
}

#[test]
fn without_an_iommu_there_is_one_reason_and_not_one_a_function() {
    let mut facts = host();
    hold(&mut facts, &[]);
    assert_eq!(reason(bind_card(&facts)), Reason::NoGroupsAtAll);
    let mut facts = quiet();
    for address in CARD {
        edit(&mut facts, address, |function| function.group = None);
    }
    let refusal = bind_card(&facts).expect_err("a refusal");
    assert!(refusal.reasons.iter().all(|reason| matches!(reason, Reason::NoGroup { .. })), "{refusal}");
}

#[test]
fn programs_that_have_a_function_open_are_named_and_nothing_insists() {
    let mut facts = quiet();
    hold(
        &mut facts,
        &[("Xorg", "/dev/dri/card1", "02:00.0"), ("wireplumber", "/dev/snd/controlC1", "02:00.1")],
    );
    let everything = Consent {
        take_in_use: true,
        take_last_keyboard: true,
        take_only_display: true,
        ..Consent::default()
    };
    let refusal = bind(&facts, &[at("02:00.0")], None, &everything).expect_err("a refusal");
    assert_eq!(refusal.flags(), Vec::<&str>::new());
    insta::assert_snapshot!(refusal.to_string());
}

#[test]
fn what_is_plugged_into_a_controller_may_be_open_and_goes_with_it() {
    let mut facts = quiet();
    facts.in_use = Fact::known(Vec::new(), "", "");
    hold(&mut facts, &[("systemd-logind", "/dev/input/event3", "00:04.0")]);
    let plan = bind(&facts, &[at("00:04.0")], None, &Consent::default()).expect("a plan");
    assert!(plan.notes.iter().any(|note| note.contains("systemd-logind (process 800: /dev/input/event3)")));
}

#[test]
fn who_has_devices_open_must_be_known_to_root_and_is_left_open_to_others() {
    let mut facts = quiet();
    facts.holders = Fact::unknown("/proc is not mounted");
    let refusal = bind_card(&facts).expect_err("a refusal");
    assert!(refusal.reasons.iter().all(|reason| matches!(reason, Reason::Unknown { .. })), "{refusal}");
    facts.surroundings.root = false;
    let plan = bind_card(&facts).expect("a plan");
    assert!(plan.notes.iter().any(|note| note.contains("/proc is not mounted")), "{:?}", plan.notes);
    facts.holders = Fact::known(Holders { holders: Vec::new(), unseen: 7 }, "/proc", "");
    let plan = bind_card(&facts).expect("a plan");
    assert!(plan.notes.iter().any(|note| note.starts_with("of 7 processes")), "{:?}", plan.notes);
}

#[test]
fn a_guest_that_has_the_card_is_stopped_first() {
    let mut facts = bound();
    hold(&mut facts, &[("qemu-system-x86", "/dev/vfio/8", "02:00.0")]);
    let Reason::Held { advice, .. } = reason(unbind_card(&facts)) else { panic!("not held") };
    assert_eq!(advice, "Stop the guest first");
}

#[test]
fn going_back_and_going_on_ask_only_the_drivers_that_must_let_go() {
    let before = quiet();
    let plan = bind_card(&before).expect("a plan");
    let mut now = bound();
    assert!(may_go_back(&now, &plan).is_ok() && may_go_on(&now, &plan).is_ok());
    hold(&mut now, &[("qemu-system-x86", "/dev/vfio/8", "02:00.0")]);
    assert!(may_go_back(&now, &plan).is_err());
    assert!(may_go_on(&now, &plan).is_ok());
    let mut then = quiet();
    hold(&mut then, &[("Xorg", "/dev/dri/card1", "02:00.0")]);
    assert!(may_go_back(&then, &plan).is_ok());
    assert!(may_go_on(&then, &plan).is_err());
}

#[test]
fn a_variant_driver_counts_as_bound_unless_another_is_asked_for() {
    let mut facts = quiet();
    for address in CARD {
        edit(&mut facts, address, |function| function.driver = Some("nvgrace_gpu_vfio_pci".to_owned()));
    }
    let plan = bind_card(&facts).expect("a plan");
    assert!(plan.is_empty() && plan.notes.len() == 3, "{:?}", plan.notes);
    let asked = "mlx5_vfio_pci".parse().expect("is one");
    let plan = bind(&facts, &[at("02:00.0")], Some(&asked), &Consent::default()).expect("a plan");
    insta::assert_snapshot!(shown(&plan));
    assert!(unbind_card(&quiet()).expect("a plan").is_empty());
}

#[test]
fn a_virtual_function_is_bound_alone_though_it_shares_a_slot() {
    let mut facts = quiet();
    for address in ["00:05.1", "00:05.2"] {
        let mut function = facts.function(at("00:05.0")).cloned().expect("in the host");
        function.address = at(address);
        function.physical_function = Some(at("00:05.0"));
        function.parents = vec![at("00:02.0")];
        function.config = vec![0xff; 64];
        if let Fact::Known(functions, _) = &mut facts.pci {
            functions.insert(at(address), function);
        }
    }
    group(&mut facts, 20, &["00:05.1"]);
    group(&mut facts, 21, &["00:05.2"]);
    let plan = bind(&facts, &[at("00:05.1")], None, &Consent::default()).expect("a plan");
    let moved: Vec<_> = plan.rebindings().map(|function| function.device.address).collect();
    assert_eq!(moved, [at("00:05.1")]);
    let of = |address| facts.function(at(address)).expect("in the host");
    let (physical, one, other) = (of("00:05.0"), of("00:05.1"), of("00:05.2"));
    for (this, that) in [(physical, one), (one, physical), (one, other)] {
        assert!(!this.is_of_one_card_with(that), "{} and {}", this.address, that.address);
    }
}

#[test]
fn functions_of_a_slot_are_one_card_behind_a_port_and_on_a_root_bus_by_their_group() {
    let mut facts = quiet();
    let of = |facts: &HostFacts, address| facts.function(at(address)).cloned().expect("in the host");
    assert!(of(&facts, "02:00.0").is_of_one_card_with(&of(&facts, "02:00.1")));
    group(&mut facts, 20, &["02:00.1"]);
    assert!(of(&facts, "02:00.0").is_of_one_card_with(&of(&facts, "02:00.1")), "whatever groups say");
    // On a root bus a USB controller and an Ethernet card may share a slot.
    edit(&mut facts, "02:00.0", |function| function.parents.clear());
    edit(&mut facts, "02:00.1", |function| function.parents.clear());
    assert!(!of(&facts, "02:00.0").is_of_one_card_with(&of(&facts, "02:00.1")));
    group(&mut facts, 20, &["02:00.0"]);
    assert!(of(&facts, "02:00.0").is_of_one_card_with(&of(&facts, "02:00.1")));
}

#[test]
fn a_function_that_reads_as_ones_is_not_touched() {
    let mut facts = quiet();
    edit(&mut facts, "02:00.0", |function| function.config = vec![0xff; 64]);
    assert!(matches!(reason(bind_card(&facts)), Reason::Silent { .. }));
}

#[test]
fn the_module_must_be_to_be_had_in_the_running_kernel() {
    let mut facts = quiet();
    let state = |facts: &mut HostFacts, state: ModuleState| {
        let Fact::Known(installed, _) = &mut facts.kernel.installed else { panic!("is known") };
        installed[0].modules = Fact::known(BTreeMap::from([("vfio_pci".to_owned(), state)]), "", "");
    };
    state(&mut facts, ModuleState::Absent);
    assert!(matches!(reason(bind_card(&facts)), Reason::NoVfio { .. }));
    state(&mut facts, ModuleState::BuiltIn);
    assert_eq!(bind_card(&facts).expect("a plan").steps.len(), 1);
    facts.kernel.release = Fact::known("6.13".to_owned(), "", "");
    assert!(matches!(reason(bind_card(&facts)), Reason::ModulesGone { .. }));
    load(&mut facts, &["vfio_pci"]);
    assert_eq!(bind_card(&facts).expect("a plan").steps.len(), 1);
}

#[test]
fn a_function_for_which_the_kernel_may_load_nothing_stays_without_a_driver_and_that_is_said() {
    let mut facts = bound();
    drivers(&mut facts, &["nouveau"], &[]);
    let what = ModprobeCommand::Blacklist { module: "nouveau".to_owned() };
    let commands = vec![Said { path: "/etc/modprobe.d/a.conf".to_owned(), line: 1, what }];
    let settings = ModprobeSettings { commands, ..ModprobeSettings::default() };
    facts.binding.modprobe = Fact::known(settings, "/etc/modprobe.d", "");
    let plan = unbind_card(&facts).expect("a plan");
    assert!(plan.notes.iter().any(|note| note.contains("no driver for 0000:02:00.0")), "{:?}", plan.notes);
    assert!(plan.rebindings().all(|function| function.after.is_met_by(None)));
    facts.possible_drivers = Fact::unknown("not readable");
    let plan = unbind_card(&facts).expect("a plan");
    assert!(plan.notes.iter().any(|note| note.contains("is not known")), "{:?}", plan.notes);
}

#[test]
fn what_is_isolated_at_boot_comes_back_to_vfio_pci_at_the_next_one() {
    let before = quiet();
    let change = isolate(&before, &[at("02:00.0")], &Consent::default()).expect("a plan");
    let mut facts = bound();
    facts.files = after(&before, &change.plan).files;
    let plan = unbind_card(&facts).expect("a plan");
    assert!(plan.notes.iter().any(|note| note.contains("passthru release")), "{:?}", plan.notes);
}

#[test]
fn who_has_a_function_must_be_known() {
    let mut facts = quiet();
    edit(&mut facts, "02:00.0", |function| {
        function.gaps.insert("driver_override".to_owned(), "permission denied".to_owned());
    });
    assert!(matches!(reason(bind_card(&facts)), Reason::Unknown { .. }));
}
