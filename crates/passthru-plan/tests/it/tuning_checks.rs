//! Checks of what makes guests slow: each passing, and failing for its reason.

use std::collections::BTreeMap;

use passthru_model::cpu_set::CpuSet;
use passthru_model::memory::{HugePageCounts, HugePages, ZoneBlocks};
use passthru_model::topology::Topology;
use passthru_model::tuning::{FrequencyPolicy, Interrupt};
use passthru_model::{Fact, HostFacts};

use crate::common::{cmdline, host, kvm, topology};
use crate::machine_checks::says;

fn cpus(list: &str) -> CpuSet {
    list.parse().expect("a list of CPUs")
}

fn with_topology(change: impl FnOnce(&mut Topology)) -> HostFacts {
    let mut facts = host();
    let mut built = topology(8);
    change(&mut built);
    facts.topology = Fact::known(built, "/sys/devices/system/cpu", "8 CPUs online: 0-7");
    facts
}

#[test]
fn a_processor_with_cores_enough_can_be_divided() {
    assert_eq!(
        says(&host(), "cpu-pinning"),
        "pass: 4 cores of 1 thread in 1 package: a guest can have up to 3 vCPUs on cores of its own; \
         `passthru topology --vcpus N` says which"
    );
    let mut one = host();
    one.topology = Fact::known(topology(1), "/sys/devices/system/cpu", "1 CPU");
    assert!(
        says(&one, "cpu-pinning").starts_with("warn: 1 core of 1 thread in 1 package: a guest has to share")
    );
}

#[test]
fn cpus_set_apart_must_be_whole_cores_and_leave_some_to_the_host() {
    let mut plain = with_topology(|_| {});
    assert!(says(&plain, "cpu-isolation").starts_with("pass: no CPU is set apart"));
    cmdline(&mut plain, "isolcpus=64-127");
    assert_eq!(says(&plain, "cpu-isolation"), "warn: ‘isolcpus=64-127’ sets no CPU apart");
    let apart = |isolated: &str, quiet: &str| {
        with_topology(|built| {
            built.isolated = cpus(isolated);
            built.nohz_full = cpus(quiet);
        })
    };
    assert!(
        says(&apart("2-7", "2-7"), "cpu-isolation")
            .starts_with("pass: CPUs 2-7 are set apart, whole cores, and 0-1")
    );
    assert!(says(&apart("0-7", ""), "cpu-isolation").starts_with("fail: all CPUs are set apart"));
    assert!(says(&apart("0-3", ""), "cpu-isolation").starts_with("warn: CPU 0 is set apart"));
    assert!(says(&apart("4-5", "4-7"), "cpu-isolation").starts_with("warn: CPUs 6-7 do without a tick"));
    let siblings = with_topology(|built| {
        built.isolated = cpus("3-7");
        let third = built.cores.remove(3);
        built.cores[2].cpus = built.cores[2].cpus.union(&third.cpus);
    });
    assert!(says(&siblings, "cpu-isolation").starts_with("warn: of the cores with CPUs 2-3 only one thread"));
}

#[test]
fn interrupts_on_cpus_that_are_set_apart_are_counted() {
    let mut facts = with_topology(|built| built.isolated = cpus("4-7"));
    let interrupt =
        |number, on: &str, users: &str| Interrupt { number, cpus: cpus(on), users: users.to_owned() };
    let known = |all: Vec<Interrupt>| Fact::known(all, "/proc/irq", "interrupts");
    facts.tuning.interrupts = known(vec![
        interrupt(9, "0-7", ""),
        interrupt(33, "0-3", "xhci_hcd"),
        interrupt(40, "5", "vfio-msi[0](0000:01:00.0)"),
    ]);
    assert_eq!(says(&facts, "irq-affinity"), "pass: no interrupt of the host goes to CPUs 4-7");
    facts.tuning.interrupts = known(vec![interrupt(34, "4", "nvme0q5")]);
    assert_eq!(says(&facts, "irq-affinity"), "warn: 1 interrupt of the host may go to CPUs 4-7");
    assert_eq!(says(&host(), "irq-affinity"), "skip: no CPU is set apart");
}

#[test]
fn powersave_is_slow_only_where_no_preference_decides() {
    let mut facts = host();
    let policy = |driver: &str, governor: &str, preference: Option<&str>| FrequencyPolicy {
        id: 0,
        cpus: cpus("0"),
        driver: Some(driver.to_owned()),
        governor: Some(governor.to_owned()),
        preference: preference.map(str::to_owned),
    };
    assert!(says(&facts, "cpu-governor").starts_with("skip:"));
    let mut say = |policies: Vec<FrequencyPolicy>| {
        facts.tuning.frequency = Fact::known(policies, "/sys/devices/system/cpu/cpufreq", "policies");
        says(&facts, "cpu-governor")
    };
    assert!(say(vec![policy("intel_pstate", "powersave", Some("balance_performance"))]).starts_with("pass:"));
    assert!(say(vec![policy("acpi-cpufreq", "schedutil", None)]).starts_with("pass:"));
    assert!(
        say(vec![policy("amd-pstate-epp", "powersave", Some("power"))])
            .contains("the preference ‘power’ on 1 policy")
    );
    assert_eq!(
        say(vec![policy("acpi-cpufreq", "powersave", None), policy("acpi-cpufreq", "powersave", None)]),
        "warn: CPUs are held back: the governor ‘powersave’ on 2 policies"
    );
}

#[test]
fn huge_pages_that_the_kernel_could_not_give_are_counted() {
    let mut facts = host();
    assert_eq!(says(&facts, "huge-pages"), "pass: none is set aside, and guests do not need any");
    let pool = |total| HugePages {
        all: HugePageCounts { total, free: total, ..HugePageCounts::default() },
        nodes: BTreeMap::new(),
    };
    facts.memory.huge_pages =
        Fact::known(BTreeMap::from([(2048, pool(1024))]), "/sys/kernel/mm/hugepages", "1024");
    cmdline(&mut facts, "hugepages=1024");
    assert_eq!(says(&facts, "huge-pages"), "pass: 1024 of 2 MiB, 1024 free");
    cmdline(&mut facts, "hugepagesz=2M hugepages=4096");
    assert!(says(&facts, "huge-pages").ends_with("of 4096 pages of 2 MiB there are 1024"));
    cmdline(&mut facts, "hugepagesz=1G hugepages=4");
    assert!(says(&facts, "huge-pages").ends_with("the processor has no pages of 1 GiB (pdpe1gb)"));
}

#[test]
fn transparent_huge_pages_that_are_off_are_a_loss() {
    let mut facts = host();
    assert_eq!(says(&facts, "transparent-huge-pages"), "pass: transparent huge pages are on (‘madvise’)");
    let set = |facts: &mut HostFacts, enabled: &str, defrag: &str| {
        if let Fact::Known(Some(settings), _) = &mut facts.memory.transparent {
            settings.enabled = Some(enabled.to_owned());
            settings.defrag = Some(defrag.to_owned());
        }
    };
    set(&mut facts, "always", "never");
    assert!(says(&facts, "transparent-huge-pages").contains("defrag is ‘never’"));
    set(&mut facts, "never", "madvise");
    assert!(says(&facts, "transparent-huge-pages").starts_with("warn: transparent huge pages are off"));
    if let Fact::Known(pools, _) = &mut facts.memory.huge_pages {
        pools.get_mut(&2048).expect("a pool").all.total = 8;
    }
    assert!(says(&facts, "transparent-huge-pages").starts_with("pass:"));
}

#[test]
fn memory_in_small_pieces_is_told_in_percent() {
    let mut facts = host();
    assert!(says(&facts, "memory-fragmentation").starts_with("pass: 99 % of 7.8 GiB"));
    let zone =
        ZoneBlocks { node: 0, zone: "Normal".to_owned(), free: vec![262_144, 0, 0, 0, 0, 0, 0, 0, 0, 64] };
    facts.memory.free_blocks = Fact::known(vec![zone], "/proc/buddyinfo", "1 zone");
    assert_eq!(
        says(&facts, "memory-fragmentation"),
        "warn: only 11 % of 1.1 GiB of free memory is in pieces of 2 MiB and more"
    );
}

#[test]
fn settings_of_kvm_that_slow_a_guest_or_deceive_it_are_named() {
    let mut facts = host();
    for id in ["nested-paging", "apic-virtualization", "ignore-msrs"] {
        assert!(says(&facts, id).starts_with("pass:"), "{id}");
    }
    facts.cpu.kvm = kvm(&[
        ("kvm.ignore_msrs", "Y"),
        ("kvm.report_ignored_msrs", "Y"),
        ("kvm_amd.npt", "N"),
        ("kvm_amd.avic", "N"),
    ]);
    assert_eq!(says(&facts, "nested-paging"), "warn: NPT is off: guests are many times slower");
    assert_eq!(says(&facts, "apic-virtualization"), "skip: the processor has no AVIC");
    assert!(says(&facts, "ignore-msrs").ends_with("and each one goes to the kernel log"));
    if let Fact::Known(flags, _) = &mut facts.cpu.flags {
        flags.insert("avic".to_owned());
    }
    assert_eq!(says(&facts, "apic-virtualization"), "warn: the processor has AVIC, and KVM does not use it");
}

#[test]
fn split_locks_matter_where_the_processor_tells_them() {
    let mut facts = host();
    assert!(says(&facts, "split-lock").starts_with("skip:"));
    if let Fact::Known(flags, _) = &mut facts.cpu.flags {
        flags.insert("split_lock_detect".to_owned());
    }
    let setting = |on| Fact::known(Some(on), "/proc/sys/kernel/split_lock_mitigate", "");
    facts.tuning.split_lock_mitigate = setting(true);
    assert!(
        says(&facts, "split-lock").starts_with("warn: a guest that locks across cache lines is slowed down")
    );
    facts.tuning.split_lock_mitigate = setting(false);
    assert!(says(&facts, "split-lock").starts_with("pass:"));
    cmdline(&mut facts, "split_lock_detect=fatal");
    assert!(says(&facts, "split-lock").contains("is ended"));
}

#[test]
fn weaknesses_that_are_open_are_listed() {
    let mut facts = host();
    assert_eq!(says(&facts, "mitigations"), "pass: none of 1 known weaknesses is open");
    if let Fact::Known(all, _) = &mut facts.cpu.vulnerabilities {
        all.insert("mds".to_owned(), "Vulnerable: Clear CPU buffers attempted, no microcode".to_owned());
    }
    assert_eq!(says(&facts, "mitigations"), "warn: open: mds");
    cmdline(&mut facts, "mitigations=off");
    assert!(says(&facts, "mitigations").contains("turns the kernel's mitigations off"));
    facts.cpu.vulnerabilities = Fact::unknown("/sys/devices is not there");
    assert!(
        says(&facts, "mitigations").starts_with("warn:"),
        "the command line says it, whatever cannot be seen"
    );
}
