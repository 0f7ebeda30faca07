//! Whether the host's interrupts stay away from CPUs that are set apart.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "irq-affinity",
    title: "interrupts of the host stay away from CPUs that are set apart",
    section: "High DPC Latency",
    why: "each interrupt that the host serves on a guest's CPU stops the guest there for as long",
    run,
};

/// Interrupts that are named; the rest is counted.
const SHOWN: usize = 5;

fn run(facts: &HostFacts) -> Outcome {
    let Some(topology) = facts.topology.value() else {
        return Outcome::unknown("which CPUs are set apart", facts.topology.because().unwrap_or_default());
    };
    let apart = topology.isolated.union(&topology.nohz_full);
    if apart.is_empty() {
        return Outcome::skip("no CPU is set apart");
    }
    let fact = &facts.tuning.interrupts;
    let Some(interrupts) = fact.value() else {
        return Outcome::unknown("where interrupts go", fact.because().unwrap_or_default());
    };
    // What VFIO asked for is the guest's own.
    let strays: Vec<_> = interrupts
        .iter()
        .filter(|one| !one.users.is_empty() && !one.users.starts_with("vfio") && one.cpus.meets(&apart))
        .collect();
    if strays.is_empty() {
        return Outcome::pass(format!("no interrupt of the host goes to CPUs {apart}")).seen(fact);
    }
    let mut outcome =
        Outcome::warn(format!("{} of the host may go to CPUs {apart}", count(strays.len(), "interrupt")));
    for one in strays.iter().take(SHOWN) {
        outcome =
            outcome.evidence(format!("/proc/irq/{}", one.number), format!("{} on {}", one.users, one.cpus));
    }
    outcome.by_hand(
        "Boot with ‘irqaffinity=’ and the host's CPUs, or write them to /proc/irq/N/smp_affinity_list, and ban the guest's CPUs in \
         irqbalance (IRQBALANCE_BANNED_CPULIST). Queues of NVMe and network cards that refuse are kept off by isolcpus=managed_irq,…",
    )
}
