//! What checks, groups, verification and the one-screen summary say of hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use passthru_model::facts::KvmState;
use passthru_model::finding::{Finding, Verdict};
use passthru_model::intent::Intent;
use passthru_model::{Fact, HostFacts};
use passthru_plan::{Consent, checks, diagnose, groups, isolate, summary, verify};

use crate::common::{after, at, cmdline, edit, group, host, host_with_groups, reserve};

const ALL: [&str; 0] = [];

pub(crate) fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for one in findings {
        let _ = writeln!(text, "{:7} {}: {}", one.verdict.word(), one.id, one.summary);
        for evidence in one.evidence.iter().filter(|_| one.verdict > Verdict::Pass) {
            let _ = writeln!(text, "        {} = {}", evidence.path, evidence.value);
        }
        if let Some(remedy) = &one.remedy {
            let _ = writeln!(
                text,
                "        -> {} [{}]",
                remedy.what,
                remedy.command.as_deref().unwrap_or("by hand")
            );
        }
    }
    text
}

fn doctor(facts: &HostFacts) -> String {
    let findings = diagnose(facts, &ALL).expect("all checks");
    let intent = passthru_plan::intent::of(facts).ok().flatten();
    let screen = summary(facts, intent.as_ref(), &findings);
    let next = screen.next.map(|next| format!("{} [{}]", next.what, next.command.unwrap_or_default()));
    format!("{}\n{}\n\n{}", screen.headline, next.unwrap_or_default(), lines(&findings))
}

/// The host isolated, rebooted, and as it should be.
pub(crate) fn booted() -> (HostFacts, Intent) {
    let before = host();
    let change = isolate(&before, &[at("02:00.0")], &Consent::default()).expect("a plan");
    let mut facts = host_with_groups();
    facts.files = after(&before, &change.plan).files;
    cmdline(&mut facts, "root=UUID=1 ro console=ttyS0 quiet intel_iommu=on");
    for address in ["02:00.0", "02:00.1"] {
        edit(&mut facts, address, |function| {
            function.driver = Some("vfio-pci".to_owned());
            function.driver_override = Some("vfio-pci".to_owned());
        });
    }
    (facts, change.intent)
}

#[test]
fn a_host_whose_iommu_is_turned_off() {
    insta::assert_snapshot!(doctor(&host()));
}

#[test]
fn a_host_that_is_ready() {
    insta::assert_snapshot!(doctor(&host_with_groups()));
}

#[test]
fn a_host_with_a_card_isolated() {
    insta::assert_snapshot!(doctor(&booted().0));
}

/// A container with `/sys` masked, without root.
fn masked() -> HostFacts {
    let mut facts = host();
    facts.surroundings.root = false;
    facts.surroundings.container = Some("docker".to_owned());
    let why = "/sys/bus/pci is not there";
    facts.pci = Fact::unknown(why);
    facts.iommu.tables = Fact::unknown("/sys/firmware/acpi is not there");
    facts.iommu.units = Fact::unknown("/sys/class is not there");
    facts.iommu.groups = Fact::unknown("/sys/kernel is not there");
    facts.iommu.registers = Fact::unknown("/sys/class is not there");
    facts.iommu.unsafe_interrupts = Fact::unknown("/sys/module is not there");
    facts.iommu.interrupt_remapping = Fact::unknown("/proc/interrupts is not there");
    facts.kernel.installed = Fact::known(Vec::new(), "/lib/modules", "no such directory");
    facts.kvm = Fact::known(KvmState::Absent, "/dev/kvm", "no such file");
    facts.qemu = Fact::known(None, "/usr/bin/qemu-system-x86_64", "no such file");
    facts.guest_firmware = Fact::known(Vec::new(), "/usr/share/qemu/firmware", "no such directory");
    facts.in_use = Fact::unknown(why);
    facts.firmware = passthru_model::firmware::FirmwareFacts::unknown("/sys/firmware is not there");
    facts.memory = passthru_model::memory::MemoryFacts::unknown("/sys/kernel/mm is not there");
    facts.tuning = passthru_model::tuning::TuningFacts::unknown("/sys/devices is not there");
    facts.topology = Fact::unknown("/sys/devices is not there");
    facts.cpu.kvm = Fact::unknown("/sys/module is not there");
    facts.cpu.vulnerabilities = Fact::unknown("/sys/devices is not there");
    facts.kernel.options = Fact::unknown("/proc/config.gz is not there");
    facts.kernel.loaded = Fact::unknown("/proc/modules is not there");
    facts.files.clear();
    facts
}

#[test]
fn a_container_with_sys_masked() {
    insta::assert_snapshot!(doctor(&masked()));
    assert_eq!(groups::view(&masked()).unknown.as_deref(), Some("/sys/bus/pci is not there"));
}

#[test]
fn a_virtual_machine_without_an_iommu() {
    let mut facts = host();
    facts.surroundings.hypervisor = Some("KVM".to_owned());
    facts.iommu.tables = Fact::known(BTreeSet::new(), "/sys/firmware/acpi/tables", "no DMAR, no IVRS");
    facts.cpu.flags = Fact::known(BTreeSet::new(), "/proc/cpuinfo", "no vmx, no svm");
    cmdline(&mut facts, "quiet");
    insta::assert_snapshot!(doctor(&facts));
}

#[test]
fn parameters_that_do_nothing_or_do_harm_are_named_each() {
    let mut facts = host();
    cmdline(
        &mut facts,
        "iommu=1 pcie_acs_override=downstream passthru.off module_blacklist=vfio_pci intel_iommu=igfx_off",
    );
    insta::assert_snapshot!(lines(&diagnose(&facts, &["kernel-parameters"]).expect("a check")));
}

#[test]
fn the_checks_are_named_and_asked_for_by_name() {
    let mut seen = BTreeSet::new();
    for check in checks() {
        assert!(seen.insert(check.id), "{} is there twice", check.id);
        assert!(!check.why.ends_with('.') && !check.title.is_empty() && !check.section.is_empty());
    }
    let two = diagnose(&host(), &["ovmf", "kvm"]).expect("two checks");
    assert_eq!(
        two.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        ["kvm", "ovmf"],
        "in the order of all"
    );
    let error = diagnose(&host(), &["kvn"]).expect_err("no such check").to_string();
    assert!(error.contains("‘kvn’") && error.contains("kvm"), "{error}");
}

fn group_lines(facts: &HostFacts) -> String {
    let view = groups::view(facts);
    let mut text = String::new();
    for group in &view.groups {
        let _ = writeln!(text, "group {} {}: {}", group.id, group.verdict.word(), group.reasons.join("; "));
        for device in &group.devices {
            let _ = writeln!(text, "  {} {}: {}", device.address, device.name, device.outlook);
        }
    }
    for device in &view.ungrouped {
        let _ = writeln!(text, "no group: {} {}: {}", device.address, device.name, device.outlook);
    }
    text
}

#[test]
fn groups_say_what_can_go_and_what_would_be_lost() {
    let mut facts = host_with_groups();
    group(&mut facts, 8, &["00:02.1", "02:00.0", "02:00.1", "03:00.0"]);
    group(&mut facts, 9, &["03:00.1"]);
    edit(&mut facts, "00:05.0", |function| function.group = None);
    if let Fact::Known(groups, _) = &mut facts.iommu.groups {
        groups.remove(&5);
        groups.remove(&2);
    }
    reserve(&mut facts, 7, "direct");
    insta::assert_snapshot!(group_lines(&facts));
    insta::assert_snapshot!(lines(
        &diagnose(&facts, &["reserved-regions", "group-company", "iommu-groups"]).expect("checks")
    ));
}

#[test]
fn without_groups_every_device_is_ungrouped_and_says_so() {
    let view = groups::view(&host());
    assert!(view.groups.is_empty() && view.unknown.is_none());
    assert_eq!(view.ungrouped.len(), crate::common::cards().len());
    assert!(view.ungrouped.iter().any(|device| device.outlook.starts_with("cannot yet")));
}

fn bad(facts: &HostFacts, intent: &Intent) -> String {
    let findings: Vec<_> =
        verify(facts, intent).into_iter().filter(|one| one.verdict != Verdict::Pass).collect();
    lines(&findings)
}

#[test]
fn all_is_well_after_the_reboot() {
    let (facts, intent) = booted();
    assert_eq!(bad(&facts, &intent), "");
    assert_eq!(verify(&facts, &intent).len(), 5, "two devices, one group, parameters, files");
}

#[test]
fn after_the_entry_without_passthrough_the_reason_is_named() {
    let (mut facts, intent) = booted();
    cmdline(&mut facts, "intel_iommu=on passthru.off");
    for (address, driver) in [("02:00.0", "bochs"), ("02:00.1", "snd_hda_intel")] {
        edit(&mut facts, address, |function| function.driver = Some(driver.to_owned()));
    }
    insta::assert_snapshot!(bad(&facts, &intent));
}

#[test]
fn a_half_taken_card_is_reported() {
    let (mut facts, intent) = booted();
    edit(&mut facts, "02:00.0", |function| function.driver = Some("bochs".to_owned()));
    insta::assert_snapshot!(bad(&facts, &intent));
}

#[test]
fn a_twin_taken_by_mistake_a_changed_card_and_changed_files_are_reported() {
    let (mut facts, intent) = booted();
    edit(&mut facts, "03:00.0", |function| function.driver = Some("vfio-pci".to_owned()));
    edit(&mut facts, "02:00.1", |function| function.subsystem.device = passthru_model::Hex16(0xdead));
    crate::common::put(
        &mut facts,
        passthru_model::managed::UDEV_RULE,
        "# Written by passthru. And changed.\n",
    );
    facts.files.insert(passthru_model::managed::EARLY.to_owned(), passthru_model::plan::FileState::Absent);
    insta::assert_snapshot!(bad(&facts, &intent));
}

#[test]
fn before_the_reboot_the_parameters_and_the_devices_are_not_there_yet() {
    let before = host();
    let change = isolate(&before, &[at("02:00.0")], &Consent::default()).expect("a plan");
    insta::assert_snapshot!(bad(&after(&before, &change.plan), &change.intent));
}

#[test]
fn nothing_is_known_of_a_masked_host_and_nothing_panics() {
    let (_, intent) = booted();
    let findings = verify(&masked(), &intent);
    assert!(findings.iter().any(|one| one.verdict == Verdict::Unknown));
    let mut empty = masked();
    empty.kernel.cmdline = Fact::unknown("no /proc");
    empty.kernel.installed = Fact::unknown("no /lib");
    empty.cpu.flags = Fact::unknown("no /proc");
    empty.kvm = Fact::unknown("no /dev");
    empty.files = BTreeMap::new();
    for finding in diagnose(&empty, &ALL).expect("all checks") {
        assert!(finding.verdict != Verdict::Pass || finding.evidence.iter().all(|one| !one.path.is_empty()));
    }
}
