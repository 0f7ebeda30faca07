//! Whether the CPUs that are set apart at boot leave the host enough, and whole cores.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;
use passthru_model::cpu_set::CpuSet;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "cpu-isolation",
    title: "CPUs that are set apart are whole cores, and leave the host its own",
    section: "CPU pinning with isolcpus",
    why: "on CPUs set apart by ‘isolcpus=’ nothing runs but what is pinned there: a guest without pins crowds onto one of them, and a \
          host without any CPU of its own hangs",
    run,
};

const CPUS: &str = "/sys/devices/system/cpu";

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.topology;
    let Some(topology) = fact.value() else {
        return Outcome::unknown("which CPUs are set apart", fact.because().unwrap_or_default());
    };
    let (apart, quiet) = (&topology.isolated, &topology.nohz_full);
    let shown = |set: &CpuSet| if set.is_empty() { "none".to_owned() } else { set.to_string() };
    let seen = |outcome: Outcome| {
        outcome
            .evidence(format!("{CPUS}/isolated"), shown(apart))
            .evidence(format!("{CPUS}/nohz_full"), shown(quiet))
    };
    let line = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    if apart.is_empty() && quiet.is_empty() {
        return match CommandLine::new(line).value("isolcpus") {
            Some(value) => seen(Outcome::warn(format!("‘isolcpus={value}’ sets no CPU apart")))
                .seen(&facts.kernel.cmdline)
                .by_hand("Name CPUs that this machine has, such as isolcpus=domain,managed_irq,2-7"),
            None => seen(Outcome::pass("no CPU is set apart at boot, and guests do not need it")),
        };
    }
    let left = topology.online.difference(apart);
    if left.is_empty() {
        return seen(Outcome::fail("all CPUs are set apart, and none is left to the host"))
            .seen(&facts.kernel.cmdline)
            .by_hand("Take CPU 0 and its sibling, at least, out of ‘isolcpus=’");
    }
    let split: Vec<String> = topology
        .cores
        .iter()
        .filter(|core| core.cpus.meets(apart) && !core.cpus.is_subset(apart))
        .map(|core| core.cpus.to_string())
        .collect();
    if !split.is_empty() {
        return seen(Outcome::warn(format!(
            "of the cores with CPUs {} only one thread is set apart: the host slows the guest down on the other",
            split.join(" and ")
        )))
        .seen(&facts.kernel.cmdline)
        .by_hand("Set whole cores apart; `passthru topology` shows which CPUs are siblings");
    }
    if !quiet.is_subset(apart) {
        return seen(Outcome::warn(format!(
            "CPUs {} do without a tick (‘nohz_full=’) and are not set apart, so that other tasks come and go on them",
            quiet.difference(apart)
        )))
        .seen(&facts.kernel.cmdline)
        .by_hand("Name the same CPUs in ‘nohz_full=’ and in ‘isolcpus=’, or in neither");
    }
    if apart.contains(0) {
        return seen(Outcome::warn(
            "CPU 0 is set apart, which serves timers and interrupts that cannot go elsewhere",
        ))
        .seen(&facts.kernel.cmdline)
        .by_hand("Leave CPU 0 and its siblings to the host");
    }
    seen(Outcome::pass(format!(
        "CPUs {apart} are set apart, whole cores, and {left} are the host's; each vCPU must be pinned to one of them"
    )))
}
