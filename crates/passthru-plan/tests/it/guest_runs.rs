//! What is changed of the host for a guest that is started.

use passthru_model::address::PciAddress;
use passthru_model::backend::Backend;
use passthru_model::cpu_set::CpuSet;
use passthru_model::guest_name::GuestName;
use passthru_model::guest_tuning::{
    Frequency, GuestTuning, HostSleep, HugePagesWanted, Interrupts, Isolation, Scheduler,
};
use passthru_model::plan::Plan;
use passthru_model::setting::{DisplayService, HostSlice};
use passthru_model::tuning::{FrequencyPolicy, RunTimeFacts};
use passthru_model::{Fact, HostFacts};
use passthru_plan::pinning::{self, Pinning, Request};
use passthru_plan::{GuestRun, PlannedRun, Refusal, diff, guest_run};

use crate::common::{at, edit, host_with_groups};

/// The host of the other tests: four cores, systemd, control groups of version 2.
pub(crate) fn host() -> HostFacts {
    let mut facts = host_with_groups();
    facts.surroundings.root = true;
    let cpus = |text: &str| text.parse::<CpuSet>().expect("CPUs");
    let now = RunTimeFacts {
        systemd: true,
        cpuset: Some(false),
        slices: [(HostSlice::User, cpus("1-3")), (HostSlice::Init, cpus("0-1"))].into(),
        interrupts: [(1, cpus("0-3")), (2, cpus("0")), (3, cpus("3")), (4, cpus("2-3"))].into(),
        display_services: [DisplayService::Sddm].into(),
        irqbalance: false,
    };
    facts.tuning.run_time = Fact::known(now, "/sys/fs/cgroup", "");
    let policy = |id: u32, driver: &str, governor: &str, preference: Option<&str>| FrequencyPolicy {
        id,
        cpus: CpuSet::from_iter([id]),
        driver: Some(driver.to_owned()),
        governor: Some(governor.to_owned()),
        preference: preference.map(str::to_owned),
    };
    facts.tuning.frequency = Fact::known(
        vec![
            policy(0, "acpi-cpufreq", "schedutil", None),
            policy(1, "acpi-cpufreq", "schedutil", None),
            policy(2, "acpi-cpufreq", "performance", None),
            policy(3, "amd-pstate-epp", "powersave", Some("balance_performance")),
        ],
        "/sys/devices/system/cpu/cpufreq",
        "",
    );
    facts
}

const ALL: GuestTuning = GuestTuning {
    host_sleep: HostSleep::Block,
    hand_over_display: false,
    take_only_display: false,
    take_in_use: false,
    take_last_keyboard: false,
    isolation: Isolation::Slices,
    frequency: Frequency::Performance,
    interrupts: Interrupts::Move,
};

fn name() -> GuestName {
    "win".parse().expect("a name")
}

/// A guest that QEMU runs, with these functions, and nothing else asked for.
pub(crate) fn plain_run<'a>(guest: &'a GuestName, functions: &'a [PciAddress]) -> GuestRun<'a> {
    GuestRun {
        guest,
        backend: Backend::Qemu,
        functions,
        tuning: GuestTuning::default(),
        pinning: None,
        scheduler: Scheduler::Normal,
        pages: None,
    }
}

fn pinned(facts: &HostFacts, vcpus: usize) -> Pinning {
    let topology = facts.topology.value().expect("a topology");
    pinning::pin(topology, &Request { vcpus, ..Request::default() }).expect("room")
}

fn planned(facts: &HostFacts, tuning: GuestTuning, vcpus: usize) -> Result<PlannedRun, Refusal> {
    let (guest, pinning) = (name(), pinned(facts, vcpus));
    let (pinning, scheduler) = (Some(&pinning), Scheduler::RoundRobin);
    guest_run(facts, &GuestRun { tuning, pinning, scheduler, ..plain_run(&guest, &[]) })
}

/// The steps with their values, and the notes.
pub(crate) fn shown(plan: &Plan) -> String {
    let steps = plan
        .steps
        .iter()
        .map(|step| format!("{}: {}\n  ({})\n{}", step.id, step.what, step.why, diff::of_step(step)));
    steps.chain(plan.notes.iter().map(|note| format!("note: {note}\n"))).collect()
}

#[test]
fn nothing_is_changed_that_is_not_asked_for() {
    let facts = host();
    let run = planned(&facts, GuestTuning::default(), 1).expect("a plan");
    assert!(run.plan.is_empty() && run.group.is_none());
    assert_eq!(run.plan.guest, Some(name()));
    let threads = run.threads.expect("places");
    assert_eq!((threads.vcpus.len(), threads.scheduler), (1, Scheduler::RoundRobin));
}

#[test]
fn the_host_stays_awake_for_a_guest_with_devices_unless_it_may_sleep() {
    let mut facts = host();
    edit(&mut facts, "02:00.0", |function| function.driver = Some("vfio-pci".to_owned()));
    let guest = name();
    let run = |functions: &[PciAddress], host_sleep| {
        let tuning = GuestTuning { host_sleep, ..GuestTuning::default() };
        guest_run(&facts, &GuestRun { tuning, ..plain_run(&guest, functions) }).expect("a plan")
    };
    let functions = [at("02:00.0")];
    let awake = run(&functions, HostSleep::Block);
    assert!(awake.awake);
    assert!(
        awake.plan.notes.iter().any(|note| note.contains("does not go to sleep")),
        "{:?}",
        awake.plan.notes
    );
    assert!(!run(&functions, HostSleep::Allow).awake);
    assert!(!run(&[], HostSleep::Block).awake);
}

#[test]
fn everything_that_is_asked_for_is_a_value_with_what_it_is_and_what_it_shall_be() {
    let facts = host();
    let run = planned(&facts, ALL, 1).expect("a plan");
    assert_eq!(run.group.as_deref(), Some("/sys/fs/cgroup/passthru-win"));
    assert!(run.plan.ends_with_boot());
    insta::assert_snapshot!(shown(&run.plan));
}

#[test]
fn a_partition_takes_a_core_for_qemus_own_threads_and_leaves_one_to_the_host() {
    let facts = host();
    let tuning = GuestTuning { isolation: Isolation::Partition, ..GuestTuning::default() };
    let run = planned(&facts, tuning, 1).expect("a plan");
    let threads = run.threads.expect("places");
    assert_eq!(threads.emulator, threads.iothreads);
    insta::assert_snapshot!(shown(&run.plan));
}

#[test]
fn libvirt_has_groups_and_pins_of_its_own() {
    let facts = host();
    let guest = name();
    let pinning = pinned(&facts, 1);
    let run = |isolation| {
        let tuning = GuestTuning { isolation, ..ALL };
        let (backend, pinning) = (Backend::Libvirt, Some(&pinning));
        guest_run(&facts, &GuestRun { backend, tuning, pinning, ..plain_run(&guest, &[]) })
    };
    let planned = run(Isolation::Slices).expect("a plan");
    assert_eq!((planned.group, planned.threads), (None, None));
    let places = |setting: &passthru_model::setting::Setting| setting.place.path();
    let changed: Vec<String> = planned.plan.settings().map(places).collect();
    assert!(changed.iter().any(|path| path.contains("system.slice")), "{changed:?}");
    assert!(!changed.iter().any(|path| path.contains("passthru-win")), "{changed:?}");
    let refusal = run(Isolation::Partition).expect_err("a refusal").to_string();
    assert!(refusal.contains("libvirt has its own; \"slices\" works with libvirt"), "{refusal}");
}

#[test]
fn irqbalance_is_not_fought() {
    let mut facts = host();
    let Fact::Known(now, _) = &mut facts.tuning.run_time else { panic!("known") };
    now.irqbalance = true;
    let tuning = GuestTuning { interrupts: Interrupts::Move, ..GuestTuning::default() };
    let run = planned(&facts, tuning, 1).expect("a plan");
    assert!(run.plan.is_empty());
    assert!(run.plan.notes[0].contains("irqbalance places interrupts"), "{:?}", run.plan.notes);
}

#[test]
fn only_the_huge_pages_that_are_lacking_are_made() {
    let facts = host();
    let guest = name();
    let run = |count| {
        let pages = Some(HugePagesWanted { size_kib: 2048, node: None, count });
        guest_run(&facts, &GuestRun { pages, ..plain_run(&guest, &[]) })
    };
    let free = facts.memory.huge_pages.value().expect("known")[&2048].all.takeable();
    let total = facts.memory.huge_pages.value().expect("known")[&2048].all.total;
    assert!(run(free).expect("a plan").plan.is_empty());
    let plan = run(free + 5).expect("a plan").plan;
    let setting = plan.settings().next().expect("a value");
    assert_eq!(setting.before.as_str(), total.to_string());
    assert_eq!(setting.after.as_str(), (total + 5).to_string());
}

#[test]
fn what_this_host_cannot_do_is_said_all_at_once() {
    let mut facts = host();
    let Fact::Known(now, _) = &mut facts.tuning.run_time else { panic!("known") };
    now.cpuset = None;
    facts.tuning.frequency = Fact::unknown("it may not be read by this user");
    let refusal = planned(&facts, ALL, 1).expect_err("a refusal").to_string();
    insta::assert_snapshot!(refusal);
    let guest = name();
    let unpinned = GuestRun { tuning: ALL, ..plain_run(&guest, &[]) };
    let refusal = guest_run(&host(), &unpinned).expect_err("a refusal").to_string();
    assert!(refusal.contains("tuning.interrupts is about the CPUs of the guest"), "{refusal}");
}

#[test]
fn without_root_what_only_makes_it_faster_is_left_and_a_device_of_the_hosts_is_refused() {
    let mut facts = host();
    facts.surroundings.root = false;
    let run = planned(&facts, ALL, 1).expect("a plan");
    assert!(run.plan.is_empty() && run.group.is_none() && run.threads.is_some());
    insta::assert_snapshot!(run.plan.notes.join("\n"));
    assert_eq!(run.threads.map(|threads| threads.scheduler), Some(Scheduler::Normal));
    let guest = name();
    let functions = [at("02:00.0")];
    let refusal = guest_run(&facts, &plain_run(&guest, &functions)).expect_err("a refusal").to_string();
    assert!(refusal.contains("only root can do"), "{refusal}");
}
