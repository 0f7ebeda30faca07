//! Settings that make a guest faster or slower: frequencies, where interrupts go, split locks.

use std::collections::BTreeMap;

use passthru_formats::{interrupts, sysfs};
use passthru_model::cpu_set::CpuSet;
use passthru_model::fact::Fact;
use passthru_model::setting::{CGROUPS, DisplayService, HostSlice, Place, Seen, Word};
use passthru_model::topology::Topology;
use passthru_model::tuning::{FrequencyPolicy, Interrupt, RunTimeFacts, TuningFacts};

use super::{because, short};
use crate::host::Host;

const CPUS: &str = "/sys/devices/system/cpu";
const POLICIES: &str = "/sys/devices/system/cpu/cpufreq";
const IRQS: &str = "/proc/irq";
const INTERRUPTS: &str = "/proc/interrupts";
const SYSCTLS: &str = "/proc/sys/kernel";
const SPLIT_LOCKS: &str = "/proc/sys/kernel/split_lock_mitigate";

pub(super) fn facts(host: &Host, topology: &Fact<Topology>) -> TuningFacts {
    TuningFacts {
        frequency: frequency(host),
        interrupts: interrupts(host, topology),
        split_lock_mitigate: split_lock_mitigate(host),
        run_time: Fact::unknown(super::NOT_ASKED),
    }
}

/// What may be changed for a guest while it runs.
pub(super) fn run_time(host: &Host) -> Fact<RunTimeFacts> {
    let has_cpuset = |text: &str| text.split_ascii_whitespace().any(|controller| controller == "cpuset");
    let controllers = match host.read_text(&format!("{CGROUPS}/cgroup.controllers")) {
        Ok(text) => text,
        // Without the one hierarchy, as where control groups are of the first version.
        Err(error) if error.is_not_found() => String::new(),
        Err(error) => return because(&error),
    };
    let handed_down = host.read_text(&Place::CpusetController.path()).unwrap_or_default();
    let cpus = |path: &str| -> Option<CpuSet> { sysfs::line(&host.read(path).ok()?).trim().parse().ok() };
    let slices = HostSlice::ALL.into_iter().filter_map(|slice| {
        let cpus = cpus(&format!("{CGROUPS}/{}/cpuset.cpus", slice.unit()))?;
        (!cpus.is_empty()).then_some((slice, cpus))
    });
    let numbers = host.list(IRQS).unwrap_or_default().into_iter().filter_map(|name| name.parse::<u32>().ok());
    let interrupts = numbers
        .filter_map(|number| Some((number, cpus(&Place::InterruptCpus { interrupt: number }.path())?)));
    let runs = |service: &DisplayService| {
        let place = Place::DisplayService { service: *service };
        let text = host.read_text(&place.path()).ok();
        text.and_then(|text| place.value(Seen::Text(&text))) == Some(Word::On.into())
    };
    let facts = RunTimeFacts {
        systemd: matches!(host.exists("/run/systemd/system"), Ok(true)),
        cpuset: has_cpuset(&controllers).then(|| has_cpuset(&handed_down)),
        slices: slices.collect(),
        interrupts: interrupts.collect(),
        display_services: DisplayService::ALL.into_iter().filter(runs).collect(),
        irqbalance: host.list("/run/irqbalance").is_ok_and(|names| !names.is_empty()),
    };
    Fact::known(facts, CGROUPS, short(&controllers))
}

fn frequency(host: &Host) -> Fact<Vec<FrequencyPolicy>> {
    let names = match host.list(POLICIES) {
        Ok(names) => names,
        Err(error) if error.is_not_found() && matches!(host.exists(CPUS), Ok(true)) => {
            return Fact::known(Vec::new(), POLICIES, "is not there");
        }
        Err(error) => return because(&error),
    };
    let mut policies: Vec<FrequencyPolicy> = names
        .iter()
        .filter_map(|name| {
            let id = name.strip_prefix("policy")?.parse().ok()?;
            let directory = host.directory(&format!("{POLICIES}/{name}"));
            let word = |name: &str| {
                directory.read(name).ok().map(|bytes| sysfs::line(&bytes)).filter(|text| !text.is_empty())
            };
            let cpus = word("affected_cpus").unwrap_or_default();
            Some(FrequencyPolicy {
                id,
                cpus: cpus.split_ascii_whitespace().filter_map(|cpu| cpu.parse::<u32>().ok()).collect(),
                driver: word("scaling_driver"),
                governor: word("scaling_governor"),
                preference: word("energy_performance_preference"),
            })
        })
        .collect();
    policies.sort_by_key(|policy| policy.id);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for policy in &policies {
        let words = [&policy.driver, &policy.governor, &policy.preference];
        let words: Vec<&str> = words.iter().filter_map(|word| word.as_deref()).collect();
        *kinds.entry(words.join(" ")).or_default() += 1;
    }
    let seen: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} of {kind}")).collect();
    Fact::known(
        policies,
        POLICIES,
        if seen.is_empty() { "no policy".to_owned() } else { short(&seen.join(", ")) },
    )
}

/// Where interrupts go. A machine has hundreds, so they are read only where CPUs are set apart, which is when it matters.
fn interrupts(host: &Host, topology: &Fact<Topology>) -> Fact<Vec<Interrupt>> {
    let cpus = match topology {
        Fact::Known(cpus, _) => cpus,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    if cpus.isolated.is_empty() && cpus.nohz_full.is_empty() {
        return Fact::unknown("no CPU is set apart, so this was not read");
    }
    let names = match host.list(IRQS) {
        Ok(names) => names,
        Err(error) => return because(&error),
    };
    let users = host.read(INTERRUPTS).map(|bytes| interrupts::users(&bytes)).unwrap_or_default();
    let mut found: Vec<Interrupt> = names
        .iter()
        .filter_map(|name| {
            let number: u32 = name.parse().ok()?;
            let list = ["effective_affinity_list", "smp_affinity_list"]
                .iter()
                .find_map(|file| host.read(&format!("{IRQS}/{name}/{file}")).ok())
                .map(|bytes| sysfs::line(&bytes))?;
            let cpus: CpuSet = list.trim().parse().ok()?;
            Some(Interrupt { number, cpus, users: users.get(&number).cloned().unwrap_or_default() })
        })
        .collect();
    found.sort_by_key(|interrupt| interrupt.number);
    let seen = format!("{} interrupts", found.len());
    Fact::known(found, IRQS, seen)
}

fn split_lock_mitigate(host: &Host) -> Fact<Option<bool>> {
    match host.read(SPLIT_LOCKS) {
        Ok(bytes) => match sysfs::flag(&bytes) {
            Some(on) => Fact::known(Some(on), SPLIT_LOCKS, sysfs::line(&bytes)),
            None => Fact::unknown(format!("{SPLIT_LOCKS} says neither 0 nor 1")),
        },
        Err(error) if error.is_not_found() && matches!(host.exists(SYSCTLS), Ok(true)) => {
            Fact::known(None, SPLIT_LOCKS, "is not there")
        }
        Err(error) => because(&error),
    }
}
