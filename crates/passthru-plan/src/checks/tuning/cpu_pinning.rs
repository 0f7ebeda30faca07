//! Whether the processors can be divided between a guest and the host.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome, count};
use crate::pinning::{Threads, most};

pub(super) const CHECK: Check = Check {
    id: "cpu-pinning",
    title: "whole cores can be given to a guest",
    section: "CPU pinning",
    why: "vCPUs that stay on cores of their own, with one L3 cache in common, are not moved about and share nothing with the host",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.topology;
    let Some(topology) = fact.value() else {
        return Outcome::unknown("how the processors are built", fact.because().unwrap_or_default());
    };
    let vcpus = most(topology, Threads::Siblings);
    let even = topology.cores.iter().all(|core| core.cpus.len() == topology.most_threads());
    let what = format!(
        "{} of {}{} in {}",
        count(topology.cores.len(), "core"),
        if even { "" } else { "up to " },
        count(topology.most_threads(), "thread"),
        count(topology.packages.len().max(1), "package")
    );
    if vcpus == 0 {
        return Outcome::warn(format!("{what}: a guest has to share them with the host"))
            .seen(fact)
            .by_hand("Give guests no more vCPUs than there are CPUs, and no real-time priority");
    }
    let one_cache = topology.l3.iter().map(|domain| domain.cpus.len()).max().filter(|most| *most < vcpus);
    let cache = one_cache.map(|most| format!(", up to {most} within one L3 cache")).unwrap_or_default();
    let outcome = Outcome::pass(format!(
        "{what}: a guest can have up to {} on cores of its own{cache}; `passthru topology --vcpus N` says which",
        count(vcpus, "vCPU")
    ))
    .seen(fact);
    match topology.gaps.iter().next() {
        Some((path, why)) => outcome.evidence(path.clone(), why.clone()),
        None => outcome,
    }
}
