//! Functions that pci-stub keeps for guests, as the page has it for old kernels.

use std::collections::BTreeMap;

use passthru_model::finding::Verdict;
use passthru_model::intent::Method;
use passthru_model::kernel::ModuleState;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, IntentChange, IntentEdit, Reason, isolate_by, leftovers, plan_for, verify};

use crate::common::{self, after, at, cmdline, edit, host_with_groups, shown};

fn able() -> HostFacts {
    let mut facts = host_with_groups();
    common::with_ids_of_its_own(&mut facts);
    facts
}

fn with_modules(facts: &mut HostFacts, modules: &[(&str, ModuleState)]) {
    let modules: BTreeMap<_, _> = modules.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect();
    if let Fact::Known(kernels, _) = &mut facts.kernel.installed {
        for kernel in kernels {
            kernel.modules = Fact::known(modules.clone(), "modules.dep", "");
        }
    }
}

fn isolated(facts: &HostFacts) -> IntentChange {
    let edit = IntentEdit::of_method(Method::PciStub);
    isolate_by(facts, &[at("02:00.0")], &edit, &Consent::default()).expect("a plan")
}

fn on(facts: &mut HostFacts, driver: &str) {
    for address in ["02:00.0", "02:00.1"] {
        edit(facts, address, |function| function.driver = Some(driver.to_owned()));
    }
}

#[test]
fn pci_stub_is_given_the_ids_and_comes_ahead_of_the_hosts_drivers() {
    insta::assert_snapshot!(shown(&isolated(&able()).plan));
}

#[test]
fn once_it_has_them_the_host_is_at_its_intent_also_while_a_guest_runs() {
    let facts = able();
    let change = isolated(&facts);
    let mut booted = after(&facts, &change.plan);
    let judged = |facts: &HostFacts| verify(facts, &change.intent);
    for driver in ["pci-stub", "vfio-pci"] {
        on(&mut booted, driver);
        let devices: Vec<_> =
            judged(&booted).into_iter().filter(|found| found.id.starts_with("device-")).collect();
        assert_eq!(devices.len(), 2);
        assert!(devices.iter().all(|found| found.verdict == Verdict::Pass), "{driver}: {devices:?}");
        assert!(plan_for(&booted, &change.intent, &Consent::default()).is_ok_and(|plan| plan.is_empty()));
    }
    on(&mut booted, "nouveau");
    let lost = judged(&booted).into_iter().find(|found| found.id == "device-0000:02:00.0").expect("judged");
    assert_eq!(lost.verdict, Verdict::Fail);
    assert!(lost.summary.contains("is on nouveau, not on pci-stub"), "{}", lost.summary);
}

#[test]
fn one_that_is_built_in_gets_its_ids_on_the_command_line() {
    let mut facts = able();
    with_modules(&mut facts, &[("vfio_pci", ModuleState::Loadable), ("pci_stub", ModuleState::BuiltIn)]);
    let change = isolated(&facts);
    let mut done = after(&facts, &change.plan);
    let drop_in = String::from_utf8_lossy(done.files[managed::GRUB_DROP_IN].content().expect("a file"));
    let word = "pci-stub.ids=1234:1111:1af4:1101,8086:293e:1af4:1101";
    assert!(drop_in.contains(word), "{drop_in}");
    let options = done.files.get(managed::MODPROBE).and_then(|state| state.content());
    assert_eq!(options, None, "it reads no options");
    cmdline(&mut done, &format!("root=UUID=1 ro quiet {word}"));
    assert_eq!(leftovers(&done), [], "what we set up is not another's");
}

#[test]
fn a_kernel_without_it_or_without_vfio_pci_is_refused() {
    let edit = IntentEdit::of_method(Method::PciStub);
    let reasons = |modules: &[(&str, ModuleState)]| {
        let mut facts = able();
        with_modules(&mut facts, modules);
        let refusal = isolate_by(&facts, &[at("02:00.0")], &edit, &Consent::default());
        refusal.expect_err("a refusal").reasons
    };
    let without_stub = reasons(&[("vfio_pci", ModuleState::Loadable), ("pci_stub", ModuleState::Absent)]);
    assert!(matches!(without_stub.as_slice(), [Reason::NoStub { .. }]), "{without_stub:?}");
    let without_vfio = reasons(&[("pci_stub", ModuleState::Loadable)]);
    assert!(
        matches!(without_vfio.as_slice(), [Reason::NoVfio { .. }]),
        "a guest needs vfio-pci: {without_vfio:?}"
    );
}

#[test]
fn a_twin_would_be_taken_too_and_is_refused() {
    let edit = IntentEdit::of_method(Method::PciStub);
    let refusal = isolate_by(&host_with_groups(), &[at("02:00.0")], &edit, &Consent::default());
    let reasons = refusal.expect_err("a refusal").reasons;
    assert!(matches!(reasons.as_slice(), [Reason::Twins { .. }, Reason::Twins { .. }]), "{reasons:?}");
}
