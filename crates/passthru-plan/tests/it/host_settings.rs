//! What the intent has the host itself set up for: whole plans, what stands in the way, and what the kernel made of it.

use std::collections::BTreeMap;

use passthru_model::address::PciAddress;
use passthru_model::device_state::{DeviceState, SriovState};
use passthru_model::finding::Verdict;
use passthru_model::intent::INTENT_PATH;
use passthru_model::memory::MemoryTotals;
use passthru_model::plan::FileState;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{
    Consent, HostEdit, IntentChange, IntentEdit, Wish, isolate_by, plan_for, release, verify,
};

use crate::common::{INSISTING, after, at, edit, host_with_groups, put, shown};
use crate::texts::{run, write};

const QEMU_CONF: &str =
    "# nodes:\n#cgroup_device_acl = [\n#    \"/dev/null\", \"/dev/full\"\n#]\nuser = \"libvirt-qemu\"\n";

fn able() -> HostFacts {
    let mut facts = host_with_groups();
    let totals =
        MemoryTotals { total_kib: 16 * 1024 * 1024, available_kib: None, default_huge_page_kib: Some(2048) };
    facts.memory.totals = Fact::known(totals, "/proc/meminfo", "16777216 kB");
    for address in ["02:00.0", "02:00.1"] {
        edit(&mut facts, address, |one| {
            one.reset_methods = ["flr", "pm", "bus"].map(str::to_owned).to_vec();
        });
    }
    facts.device_states = states(true, 0);
    facts.kernel.loaded = Fact::known(Vec::new(), "/proc/modules", "");
    put(&mut facts, managed::QEMU_CONF, QEMU_CONF);
    put(&mut facts, managed::APPARMOR_QEMU, "# local\n");
    facts
}

fn everything() -> HostEdit {
    HostEdit {
        gpu: Some(Wish::Set(at("01:00.0"))),
        guest_user: Some(Wish::Set("anna".parse().expect("a name"))),
        kvmfr: Some(Wish::Set("64M".parse().expect("a size"))),
        vendor_reset: None,
        no_d3cold: Some(true),
        reset_methods: vec![(at("02:00.0"), Wish::Set("flr bus".parse().expect("ways")))],
        virtual_functions: vec![(at("00:05.0"), Wish::Set("2".parse().expect("a number")))],
    }
}

/// The functions of 02:00 may lose all power or not, and 00:05.0 has so many virtual ones of four.
fn states(allowed: bool, enabled: u16) -> Fact<BTreeMap<PciAddress, DeviceState>> {
    let power = DeviceState { d3cold_allowed: Some(allowed), ..DeviceState::default() };
    let sriov = Some(SriovState { total: 4, enabled, autoprobe: Some(false) });
    let states = [
        (at("02:00.0"), power.clone()),
        (at("02:00.1"), power),
        (at("00:05.0"), DeviceState { sriov, ..DeviceState::default() }),
    ];
    Fact::known(states.into(), "/sys/bus/pci/devices", "")
}

fn isolated(facts: &HostFacts, host: HostEdit) -> Result<IntentChange, passthru_plan::Refusal> {
    let edit = IntentEdit { host, ..IntentEdit::default() };
    isolate_by(facts, &[at("02:00.0")], &edit, &Consent::default())
}

/// The steps whose ids begin so, with what they change.
fn part(plan: &passthru_model::plan::Plan) -> String {
    let boot = ["grub", "devices", "early", "udev", "verify", "record", "initramfs"];
    let mut plan = plan.clone();
    plan.steps.retain(|step| !boot.iter().any(|name| step.id.starts_with(name)));
    shown(&plan)
}

#[test]
fn everything_that_the_host_can_be_set_up_for_stands_in_files_of_ours_and_in_two_lists() {
    insta::assert_snapshot!(part(&isolated(&able(), everything()).expect("a plan").plan));
}

#[test]
fn what_is_set_up_needs_nothing_more_and_goes_with_the_last_device() {
    let before = able();
    // Virtual functions stay: they are nobody's company.
    let host = HostEdit { virtual_functions: Vec::new(), ..everything() };
    let change = isolated(&before, host).expect("a plan");
    let done = after(&before, &change.plan);
    let again = plan_for(&done, &change.intent, &Consent::default()).expect("a plan");
    assert!(again.is_empty(), "{}", shown(&again));
    let back = release(&done, &[at("02:00.0")], &Consent::default()).expect("a plan");
    let mut left = after(&done, &back.plan).files;
    // What the user wished for stays written down until a device is isolated again.
    let intent = left.insert(INTENT_PATH.to_owned(), FileState::Absent).expect("looked at");
    assert!(String::from_utf8_lossy(intent.content().expect("a file")).contains("[host]"));
    assert_eq!(left, before.files);
}

#[test]
fn one_setting_goes_alone_and_rebuilds_nothing() {
    let before = able();
    let done = after(&before, &isolated(&before, everything()).expect("a plan").plan);
    let nothing = HostEdit {
        gpu: Some(Wish::Drop),
        guest_user: Some(Wish::Drop),
        kvmfr: Some(Wish::Drop),
        no_d3cold: Some(false),
        reset_methods: vec![(at("02:00.0"), Wish::Drop)],
        virtual_functions: vec![(at("00:05.0"), Wish::Drop)],
        ..HostEdit::default()
    };
    let edit = IntentEdit { host: nothing, ..IntentEdit::default() };
    let change = isolate_by(&done, &[], &edit, &Consent::default()).expect("a plan");
    let ids: Vec<&str> = change.plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert!(!ids.iter().any(|id| id.starts_with("initramfs") || id.starts_with("grub")), "{ids:?}");
    let left = after(&done, &change.plan);
    for path in [managed::HOST_RULES, managed::HOST_XORG, managed::HOST_LIMITS, managed::HOST_MODULES] {
        assert_eq!(left.files[path], FileState::Absent, "{path}");
    }
    assert_eq!(left.files[managed::QEMU_CONF], before.files[managed::QEMU_CONF]);
    assert_eq!(left.files[managed::APPARMOR_QEMU], before.files[managed::APPARMOR_QEMU]);
}

#[test]
fn without_libvirt_and_apparmor_nothing_is_made_for_them() {
    let mut facts = able();
    for path in [managed::QEMU_CONF, managed::APPARMOR_QEMU] {
        facts.files.insert(path.to_owned(), FileState::Absent);
    }
    let done = after(&facts, &isolated(&facts, everything()).expect("a plan").plan);
    for path in [managed::QEMU_CONF, managed::APPARMOR_QEMU] {
        assert_eq!(done.files[path], FileState::Absent, "{path}");
    }
}

#[test]
fn what_this_host_cannot_be_set_up_for_is_refused_with_its_reason() {
    let mut facts = able();
    put(&mut facts, managed::QEMU_CONF, "cgroup_device_acl = \"/dev/null\"\n");
    let ways = |address: &str, text: &str| (at(address), Wish::Set(text.parse().expect("ways")));
    let reset = |address: &str, text: &str| HostEdit {
        reset_methods: vec![ways(address, text)],
        ..HostEdit::default()
    };
    let virtual_functions = |address: &str, number: &str| HostEdit {
        virtual_functions: vec![(at(address), Wish::Set(number.parse().expect("a number")))],
        ..HostEdit::default()
    };
    let gpu = |address: &str| HostEdit { gpu: Some(Wish::Set(at(address))), ..HostEdit::default() };
    let refused = [
        gpu("02:00.0"),
        gpu("02:00.1"),
        gpu("00:02.1"),
        gpu("7f:00.0"),
        reset("02:00.0", "acpi"),
        reset("01:00.0", "flr"),
        virtual_functions("00:05.0", "5"),
        virtual_functions("02:00.0", "1"),
        virtual_functions("7f:00.0", "1"),
        HostEdit { vendor_reset: Some(true), ..HostEdit::default() },
        HostEdit { kvmfr: Some(Wish::Set("64".parse().expect("a size"))), ..HostEdit::default() },
    ]
    .map(|host| isolated(&facts, host).expect_err("a refusal").to_string());
    insta::assert_snapshot!(refused.join("\n\n"));
}

#[test]
fn no_virtual_functions_where_there_are_none_changes_nothing_and_says_so() {
    let wish = HostEdit { virtual_functions: vec![(at("00:05.0"), Wish::Drop)], ..HostEdit::default() };
    let edit = IntentEdit { host: wish, ..IntentEdit::default() };
    let refusal = isolate_by(&able(), &[], &edit, &INSISTING).expect_err("a refusal").to_string();
    assert_eq!(
        refusal,
        "/etc/passthru/passthru.toml has no virtual functions made of 0000:00:05.0, so nothing changes"
    );
}

#[test]
fn what_stays_in_the_intent_when_the_last_device_goes_is_said() {
    let isolated = isolate_by(
        &able(),
        &[at("02:00.0")],
        &IntentEdit { host: everything(), ..IntentEdit::default() },
        &INSISTING,
    );
    let done = after(&able(), &isolated.expect("a plan").plan);
    let plan = release(&done, &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    let said = "what /etc/passthru/passthru.toml says under [host] stays written there, and does nothing until a device is isolated again";
    assert!(plan.notes.iter().any(|note| note.starts_with(said)), "{:?}", plan.notes);
    let unset = after(
        &able(),
        &isolate_by(&able(), &[at("02:00.0")], &IntentEdit::default(), &INSISTING).expect("a plan").plan,
    );
    let plan = release(&unset, &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    assert!(!plan.notes.iter().any(|note| note.contains("stays written")), "{:?}", plan.notes);
}

#[test]
fn virtual_functions_are_made_without_anything_being_isolated() {
    let facts = able();
    let wish = |wish| {
        let host = HostEdit { virtual_functions: vec![(at("00:05.0"), wish)], ..HostEdit::default() };
        IntentEdit { host, ..IntentEdit::default() }
    };
    let make = wish(Wish::Set("2".parse().expect("a number")));
    let change = isolate_by(&facts, &[], &make, &Consent::default()).expect("a plan");
    insta::assert_snapshot!(shown(&change.plan));
    let mut done = after(&facts, &change.plan);
    let again = plan_for(&done, &change.intent, &Consent::default()).expect("a plan");
    assert!(again.is_empty(), "{}", shown(&again));
    let judged = |facts: &HostFacts| -> Vec<String> {
        let found = verify(facts, &change.intent).into_iter();
        found.map(|one| format!("{} {}", one.verdict.word(), one.summary)).collect()
    };
    insta::assert_snapshot!(judged(&done).join("\n"));
    done.device_states = states(true, 2);
    assert!(judged(&done).iter().all(|line| !line.starts_with("fail")), "{:?}", judged(&done));
    // They go again, and with them all of ours but the intent.
    let back = isolate_by(&done, &[], &wish(Wish::Drop), &Consent::default()).expect("a plan");
    let mut left = after(&done, &back.plan).files;
    left.insert(INTENT_PATH.to_owned(), FileState::Absent);
    assert_eq!(left, facts.files);
    // What is set up beside isolated functions needs one.
    let host = HostEdit { no_d3cold: Some(true), ..HostEdit::default() };
    let alone = IntentEdit { host, ..IntentEdit::default() };
    assert!(isolate_by(&facts, &[], &alone, &Consent::default()).is_err());
}

#[test]
fn vendor_reset_is_used_for_what_it_knows_once_its_module_is_there() {
    let mut facts = able();
    edit(&mut facts, "02:00.0", |one| one.id = "1002:67df".parse().expect("a Polaris 10"));
    let host = HostEdit { vendor_reset: Some(true), ..HostEdit::default() };
    let change = isolated(&facts, host).expect("a plan");
    let mut done = after(&facts, &change.plan);
    let rules =
        String::from_utf8_lossy(done.files[managed::HOST_RULES].content().expect("rules")).into_owned();
    let rule = "ACTION==\"add\", SUBSYSTEM==\"module\", KERNEL==\"vendor_reset\", \
                ATTR{[pci/0000:02:00.0]reset_method}=\"device_specific\"\n";
    assert!(rules.contains(rule) && !rules.contains("02:00.1"), "{rules}");
    let verdicts = |facts: &HostFacts| -> Vec<(String, Verdict)> {
        let mut found = verify(facts, &change.intent);
        found.retain(|one| one.id.starts_with("module-") || one.id.starts_with("reset-"));
        found.into_iter().map(|one| (one.id, one.verdict)).collect()
    };
    let both =
        |verdict| ["module-vendor_reset", "reset-0000:02:00.0"].map(|id| (id.to_owned(), verdict)).to_vec();
    assert_eq!(verdicts(&done), both(Verdict::Fail));
    done.kernel.loaded = Fact::known(vec!["vendor_reset".to_owned()], "/proc/modules", "");
    edit(&mut done, "02:00.0", |one| one.reset_methods = vec!["device_specific".to_owned()]);
    assert_eq!(verdicts(&done), both(Verdict::Pass));
}

#[test]
fn what_the_kernel_made_of_it_is_judged() {
    let facts = able();
    let change = isolated(&facts, everything()).expect("a plan");
    let mut done = after(&facts, &change.plan);
    let judged = |facts: &HostFacts| -> Vec<String> {
        let ids = ["module-kvmfr", "reset-0000:02:00.0", "d3cold", "virtual-functions-0000:00:05.0"];
        let mut found = verify(facts, &change.intent);
        found.retain(|one| ids.contains(&one.id.as_str()));
        found.into_iter().map(|one| format!("{} {}", one.verdict.word(), one.summary)).collect()
    };
    done.device_states = states(true, 0);
    insta::assert_snapshot!(judged(&done).join("\n"), @r"
    fail 0000:00:05.0 has 0 virtual functions, where the intent says 2
    fail kvmfr is not loaded
    fail 0000:02:00.0 is reset flr pm bus, where the intent says flr bus
    fail all power may be taken from 0000:02:00.0, 0000:02:00.1 while idle
    ");
    done.device_states = states(false, 2);
    done.kernel.loaded = Fact::known(vec!["kvmfr".to_owned()], "/proc/modules", "");
    edit(&mut done, "02:00.0", |one| one.reset_methods = ["flr", "bus"].map(str::to_owned).to_vec());
    insta::assert_snapshot!(judged(&done).join("\n"), @r"
    pass 0000:00:05.0 has its virtual functions: 2
    pass kvmfr is loaded
    pass 0000:02:00.0 is reset as the intent says: flr bus
    pass no isolated function may lose all power while idle
    ");
    // What our own rule left out is not held against another wish.
    let other = HostEdit {
        reset_methods: vec![(at("02:00.0"), Wish::Set("pm".parse().expect("a way")))],
        ..HostEdit::default()
    };
    assert!(isolated(&done, other).is_ok());
}

#[test]
fn udev_accepts_the_rules() {
    let facts = able();
    let done = after(&facts, &isolated(&facts, everything()).expect("a plan").plan);
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("70-passthru-host.rules");
    let text =
        String::from_utf8_lossy(done.files[managed::HOST_RULES].content().expect("rules")).into_owned();
    // The name of a user must be known, and of the group.
    write(&file, &text.replace("anna", "root").replace("\"kvm\"", "\"root\""));
    if let Some(output) = run("udevadm", &["verify", &file.to_string_lossy()]) {
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() || said.contains("Unknown command"), "{said}");
    }
}
