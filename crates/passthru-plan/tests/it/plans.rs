//! Whole plans for a plain Debian host, as a person would read them.

use crate::common::{after, at, cmdline, edit, host, host_with_groups, put, shown};
use passthru_formats::intent_toml;
use passthru_model::binding::ModprobeSettings;
use passthru_model::intent::Method;
use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::{Fact, managed};
use passthru_plan::{Consent, IntentChange, Reason, all_but_the_boot_gpu, isolate, plan_for, release};

fn isolated(facts: &passthru_model::HostFacts) -> IntentChange {
    isolate(facts, &[at("02:00.0")], &Consent::default()).expect("a plan")
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

#[test]
fn isolating_a_card_on_a_host_whose_iommu_is_off() {
    insta::assert_snapshot!(shown(&isolated(&host()).plan));
}

#[test]
fn releasing_it_again() {
    let before = host();
    let done = after(&before, &isolated(&before).plan);
    let change = release(&done, &[at("02:00.0")], &Consent::default()).expect("a plan");
    insta::assert_snapshot!(shown(&change.plan));
}

#[test]
fn binding_by_pci_id_where_the_ids_are_unique() {
    let mut facts = host_with_groups();
    for address in ["02:00.0", "02:00.1"] {
        edit(&mut facts, address, |function| function.subsystem.device = passthru_model::Hex16(0x1101));
    }
    let intent = isolated(&facts).intent;
    let intent = passthru_model::intent::Intent { method: Method::Ids, ..intent };
    insta::assert_snapshot!(shown(&plan_for(&facts, &intent, &Consent::default()).expect("a plan")));
}

#[test]
fn a_host_that_is_at_its_intent_already_needs_nothing() {
    for before in [host(), host_with_groups()] {
        let change = isolated(&before);
        let done = after(&before, &change.plan);
        let again = plan_for(&done, &change.intent, &Consent::default()).expect("a plan");
        assert!(again.is_empty() && again.notes.is_empty(), "before the reboot: {}", shown(&again));
        let same = isolate(&done, &[at("02:00.1")], &Consent::default()).expect("a plan");
        assert!(same.plan.is_empty(), "{}", shown(&same.plan));

        let mut booted = host_with_groups();
        booted.files = done.files.clone();
        cmdline(&mut booted, "root=UUID=1 ro console=ttyS0 quiet intel_iommu=on");
        for address in ["02:00.0", "02:00.1"] {
            edit(&mut booted, address, |function| function.driver = Some("vfio-pci".to_owned()));
        }
        let again = plan_for(&booted, &change.intent, &Consent::default()).expect("a plan");
        assert!(again.is_empty(), "after the reboot: {}", shown(&again));
    }
}

#[test]
fn releasing_gives_back_every_file_but_the_words_that_the_plan_names() {
    for before in [host(), host_with_groups()] {
        let done = after(&before, &isolated(&before).plan);
        let change = release(&done, &[at("02:00.0")], &Consent::default()).expect("a plan");
        assert_eq!(change.text, None);
        let mut back = after(&done, &change.plan).files;
        let off = before.files[managed::GRUB_DEFAULTS].content() != back[managed::GRUB_DEFAULTS].content();
        if off {
            assert!(
                change.plan.notes.iter().any(|note| note.contains("intel_iommu=off")),
                "{:?}",
                change.plan.notes
            );
            back.insert(managed::GRUB_DEFAULTS.to_owned(), before.files[managed::GRUB_DEFAULTS].clone());
            back.insert(managed::GRUB_CFG.to_owned(), before.files[managed::GRUB_CFG].clone());
        }
        assert_eq!(back, before.files);
    }
}

#[test]
fn a_second_card_is_added_and_the_first_stays() {
    let before = host_with_groups();
    let first = isolated(&before);
    let done = after(&before, &first.plan);
    let second = isolate(&done, &[at("03:00.0")], &Consent::default()).expect("a plan");
    assert_eq!(second.intent.isolate.len(), 4);
    assert_eq!(ids(&second.plan), ["intent", "devices", "udev-rule", "initramfs-6.12.43+deb13-amd64"]);
    let both = after(&done, &second.plan);
    let back = release(&both, &[at("03:00.0")], &Consent::default()).expect("a plan");
    assert_eq!(back.intent, first.intent);
    assert_eq!(after(&both, &back.plan).files, done.files);
}

#[test]
fn an_off_inside_a_list_goes_and_the_rest_of_the_list_stays() {
    let mut facts = host();
    put(&mut facts, managed::GRUB_DEFAULTS, "GRUB_CMDLINE_LINUX='intel_iommu=sm_on,off x'\n");
    cmdline(&mut facts, "intel_iommu=sm_on,off x");
    let done = after(&facts, &isolated(&facts).plan);
    assert_eq!(
        done.files[managed::GRUB_DEFAULTS],
        FileState::root_file("GRUB_CMDLINE_LINUX='intel_iommu=sm_on x'\n", 0o644)
    );
}

#[test]
fn the_way_back_is_set_up_before_anything_that_it_leads_back_from() {
    let plan = isolated(&host()).plan;
    let place = |id: &str| ids(&plan).iter().position(|one| *one == id).unwrap_or_else(|| panic!("{id}"));
    assert_eq!(place("intent"), 0);
    assert!(place("grub-off-entry") < place("grub-menu"));
    assert!(place("grub-menu") < place("early-script"));
    assert!(place("udev-rule") < place("initramfs-6.12.43+deb13-amd64"));
}

#[test]
fn edits_keep_mode_and_owner() {
    let mut facts = host();
    let content = passthru_model::plan::Content(crate::common::GRUB.as_bytes().to_vec());
    facts
        .files
        .insert(managed::GRUB_DEFAULTS.to_owned(), FileState::File { content, mode: 0o640, uid: 7, gid: 8 });
    let plan = isolated(&facts).plan;
    let step = plan.steps.iter().find(|step| step.id == "grub-settings-grub").expect("the edit");
    assert!(matches!(
        &step.action,
        Action::File { after: FileState::File { mode: 0o640, uid: 7, gid: 8, .. }, .. }
    ));
}

#[test]
fn parameters_are_added_only_where_they_are_needed() {
    let plan = isolated(&host_with_groups()).plan;
    assert!(!ids(&plan).contains(&"grub-parameter"), "{:?}", ids(&plan));
    let mut amd = host();
    amd.iommu.tables =
        passthru_model::Fact::known([passthru_model::iommu::FirmwareTable::Ivrs].into(), "", "");
    put(&mut amd, managed::GRUB_DEFAULTS, "GRUB_CMDLINE_LINUX=amd_iommu=off\n");
    cmdline(&mut amd, "amd_iommu=off");
    let plan = isolated(&amd).plan;
    assert!(!ids(&plan).contains(&"grub-parameter"), "{:?}", ids(&plan));
    assert!(ids(&plan).contains(&"grub-settings-grub"));
}

#[test]
fn the_intent_text_that_comes_back_reads_as_the_intent() {
    let change = isolated(&host());
    assert_eq!(intent_toml::parse(&change.text.expect("a text")), Ok(change.intent));
}

#[test]
fn a_plan_survives_being_saved() {
    let plan = isolated(&host()).plan;
    let saved = serde_json::to_string(&plan).expect("serialises");
    assert_eq!(serde_json::from_str::<Plan>(&saved).expect("reads back"), plan);
}

#[test]
fn another_file_that_binds_by_id_is_pointed_out() {
    let mut facts = host_with_groups();
    let text = "# mine\noptions vfio_pci disable_vga=1 ids=1234:1111\n";
    let commands = passthru_formats::modprobe::parse("/etc/modprobe.d/vfio.conf", text.as_bytes()).commands;
    let settings = ModprobeSettings { commands, ..ModprobeSettings::default() };
    facts.binding.modprobe = Fact::known(settings, "/etc/modprobe.d", "1 command");
    let notes = isolated(&facts).plan.notes;
    assert!(notes.iter().any(|note| note.starts_with("/etc/modprobe.d/vfio.conf")), "{notes:?}");
}

#[test]
fn all_gpus_but_the_firmwares_are_those_that_the_page_s_script_takes() {
    let mut facts = host_with_groups();
    let unknown = all_but_the_boot_gpu(&facts).expect_err("a refusal");
    assert_eq!(unknown.reasons, [Reason::BootDisplayUnknown]);
    edit(&mut facts, "01:00.0", |function| function.boot_vga = Some(true));
    assert_eq!(all_but_the_boot_gpu(&facts), Ok(vec![at("02:00.0"), at("03:00.0")]));
    for address in ["02:00.0", "03:00.0"] {
        edit(&mut facts, address, |function| function.class = "020000".parse().expect("a network card"));
    }
    let alone = all_but_the_boot_gpu(&facts).expect_err("a refusal");
    assert_eq!(alone.reasons, [Reason::NoOtherDisplay { boot: at("01:00.0") }]);
}
