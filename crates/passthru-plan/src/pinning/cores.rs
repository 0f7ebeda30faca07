//! Which cores a guest may have at all, and how vCPUs are laid on those that it gets.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::topology::{CoreKind, Topology};

use super::{GuestTopology, PinningRefusal, Request, Threads};

/// Cores by their position in [`Topology::cores`].
#[derive(Debug)]
pub(super) struct Eligible {
    /// Cores that a guest may have, the host's own among them.
    pub(super) cores: Vec<usize>,
    /// The core of CPU 0, or of the lowest CPU that runs: the last one to be taken.
    pub(super) housekeeping: usize,
    /// Whether the performance cores of a hybrid processor were singled out.
    pub(super) performance: bool,
    /// Whether these are the isolated cores alone.
    pub(super) isolated: bool,
}

/// Singles out the cores that a guest may have.
pub(super) fn eligible(topology: &Topology, request: &Request) -> Result<Eligible, PinningRefusal> {
    let performance = topology.is_hybrid();
    let mut cores: Vec<usize> = (0..topology.cores.len())
        .filter(|&core| !performance || topology.cores[core].kind == Some(CoreKind::Performance))
        .collect();
    if request.threads == Threads::Shared {
        cores.retain(|&core| topology.cores[core].cpus.len() > 1);
        if cores.is_empty() {
            return Err(PinningRefusal::NoSiblings);
        }
    }
    // The cores are in order of their lowest CPU, so that the first one has CPU 0 where it runs.
    let mut eligible = Eligible { cores, housekeeping: 0, performance, isolated: false };
    let isolated: Vec<usize> = eligible
        .cores
        .iter()
        .copied()
        .filter(|&core| {
            core != eligible.housekeeping && topology.cores[core].cpus.is_subset(&topology.isolated)
        })
        .collect();
    if !isolated.is_empty() && room(topology, request, &isolated) >= request.vcpus {
        eligible.cores = isolated;
        eligible.isolated = true;
    }
    Ok(eligible)
}

/// vCPUs that a core carries.
pub(super) fn carries(topology: &Topology, request: &Request, core: usize) -> usize {
    match request.threads {
        Threads::Siblings => topology.cores[core].cpus.len(),
        Threads::OnePerCore | Threads::Shared => 1,
    }
}

/// vCPUs that some cores carry.
pub(super) fn room(topology: &Topology, request: &Request, cores: &[usize]) -> usize {
    cores.iter().fold(0, |sum, &core| sum + carries(topology, request, core))
}

/// The CPU of each vCPU: core by core, siblings side by side, so that vCPUs 2k and 2k+1 are siblings where cores have two
/// threads. The host keeps the first thread of a core that is shared.
pub(super) fn pins(topology: &Topology, request: &Request, cores: &[usize]) -> Vec<u32> {
    let threads = |&core: &usize| -> Vec<u32> {
        let cpus = &topology.cores[core].cpus;
        match request.threads {
            Threads::Siblings => cpus.iter().collect(),
            Threads::OnePerCore => cpus.first().into_iter().collect(),
            Threads::Shared => cpus.last().into_iter().collect(),
        }
    };
    cores.iter().flat_map(threads).take(request.vcpus).collect()
}

/// What the guest should see of these cores.
pub(super) fn guest_topology(topology: &Topology, request: &Request, cores: &[usize]) -> GuestTopology {
    let vcpus = request.vcpus;
    let carried: BTreeSet<usize> = cores.iter().map(|&core| carries(topology, request, core)).collect();
    // Only where every core is full and alike can the guest be shown whole cores.
    let threads = match carried.first() {
        Some(&threads) if carried.len() == 1 && threads * cores.len() == vcpus => threads,
        _ => 1,
    };
    shown(topology, cores, threads, vcpus)
}

/// So many vCPUs with so many threads a core, in as many sockets as these cores are packages of, where that comes out even.
pub(super) fn shown(topology: &Topology, cores: &[usize], threads: usize, vcpus: usize) -> GuestTopology {
    let mut packages: BTreeMap<Option<usize>, usize> = BTreeMap::new();
    for &core in cores {
        *packages.entry(topology.cores[core].package).or_default() += 1;
    }
    let even = packages.values().collect::<BTreeSet<_>>().len() == 1;
    let full = threads * cores.len() == vcpus;
    // Where the kernel has no number for packages (POWER), each core may pass for one.
    let numbered = packages.keys().all(|package| {
        package.and_then(|package| topology.packages.get(package)).is_some_and(|package| package.id.is_some())
    });
    let sockets = if even && full && numbered { packages.len() } else { 1 };
    GuestTopology { sockets, dies: 1, cores: vcpus / threads / sockets, threads }
}

/// The NUMA node of all these cores, where there is more than one on the host and they are of one.
pub(super) fn one_node(topology: &Topology, cores: &[usize]) -> Option<u32> {
    let nodes: BTreeSet<Option<u32>> = cores.iter().map(|&core| topology.cores[core].node).collect();
    match (nodes.len(), nodes.first()) {
        (1, Some(node)) if topology.nodes.len() > 1 => *node,
        _ => None,
    }
}

/// The L3 domains of these cores, in order.
pub(super) fn domains(topology: &Topology, cores: &[usize]) -> Vec<usize> {
    cores.iter().filter_map(|&core| topology.cores[core].l3).collect::<BTreeSet<_>>().into_iter().collect()
}
