//! The search: from the closest company of cores to the widest, the first that has room for all vCPUs.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use passthru_model::topology::Topology;

use super::cores::{self, Eligible};
use super::{PinningRefusal, Prefer, Request, Room, Threads};

/// How close the chosen cores are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closeness {
    /// One L3 domain.
    L3,
    /// One NUMA node, several L3 domains or none known.
    Node,
    /// One package.
    Package,
    /// The whole host.
    Host,
}

/// The cores that were chosen.
#[derive(Debug)]
pub(super) struct Chosen {
    /// In the order in which vCPUs are laid on them.
    pub(super) cores: Vec<usize>,
    /// How close they are.
    pub(super) closeness: Closeness,
    /// Whether CPU 0's core had to be taken.
    pub(super) with_housekeeping: bool,
    /// What decided between several places that would do.
    pub(super) decided: Option<Decided>,
    /// An L3 domain that would be preferred, and would fit only with CPU 0's core.
    pub(super) passed_over: Option<usize>,
}

/// What made one place better than the next best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    /// It is closer to the device.
    Device,
    /// It has more cache.
    Cache,
    /// It does not have CPU 0 in it.
    Quiet,
    /// Its cores boost better.
    Ranking,
}

/// How good a place is: the smaller, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    distance: u32,
    keys: [Reverse<u64>; 3],
    narrow: usize,
    first: Reverse<usize>,
}

/// Chooses cores for all vCPUs.
pub(super) fn choose(
    topology: &Topology,
    request: &Request,
    eligible: &Eligible,
) -> Result<Chosen, PinningRefusal> {
    let others: Vec<usize> =
        eligible.cores.iter().copied().filter(|core| *core != eligible.housekeeping).collect();
    if let Some(mut chosen) = among(topology, request, eligible, &others) {
        chosen.passed_over = passed_over(topology, request, eligible, &chosen);
        return Ok(chosen);
    }
    // Taking CPU 0's core is right only where the host has another one left.
    let with_housekeeping = eligible.cores.contains(&eligible.housekeeping);
    if with_housekeeping
        && let Some(mut chosen) = among(topology, request, eligible, &eligible.cores)
        && (chosen.cores.len() < topology.cores.len() || request.threads == Threads::Shared)
    {
        chosen.with_housekeeping = chosen.cores.contains(&eligible.housekeeping);
        return Ok(chosen);
    }
    Err(PinningRefusal::TooMany {
        asked: request.vcpus,
        most: most(topology, request, eligible, &others),
        room: Room {
            cores: eligible.cores.len(),
            performance: eligible.performance,
            one_each: request.threads != Threads::Siblings,
        },
    })
}

/// The most vCPUs there is room for.
fn most(topology: &Topology, request: &Request, eligible: &Eligible, others: &[usize]) -> usize {
    let whole = cores::room(topology, request, &eligible.cores);
    if eligible.cores.len() < topology.cores.len() || request.threads == Threads::Shared {
        return whole;
    }
    // One core stays with the host: the one with the fewest threads leaves most.
    let least = eligible.cores.iter().map(|&core| cores::carries(topology, request, core)).min().unwrap_or(0);
    whole.saturating_sub(least).max(cores::room(topology, request, others))
}

/// Chooses among some cores.
fn among(topology: &Topology, request: &Request, eligible: &Eligible, all: &[usize]) -> Option<Chosen> {
    for closeness in [Closeness::L3, Closeness::Node, Closeness::Package, Closeness::Host] {
        let mut places: Vec<(Score, Vec<usize>)> = places(topology, all, closeness)
            .into_iter()
            .filter(|place| cores::room(topology, request, place) >= request.vcpus)
            .map(|place| (score(topology, request, eligible, &place), place))
            .collect();
        places.sort();
        let next = places.get(1).map(|(score, _)| *score);
        let Some((best, place)) = places.into_iter().next() else { continue };
        return Some(Chosen {
            cores: fill(topology, request, eligible, &place),
            closeness,
            with_housekeeping: false,
            decided: next.and_then(|next| decided(request, best, next)),
            passed_over: None,
        });
    }
    None
}

/// The places of one closeness, each with those of some cores that are in it.
fn places(topology: &Topology, cores: &[usize], closeness: Closeness) -> Vec<Vec<usize>> {
    let mut places: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for &core in cores {
        let at = &topology.cores[core];
        let key = match closeness {
            Closeness::L3 => at.l3.map(number),
            Closeness::Node => at.node.map(u64::from),
            Closeness::Package => at.package.map(number),
            Closeness::Host => Some(0),
        };
        if let Some(key) = key {
            places.entry(key).or_default().push(core);
        }
    }
    places.into_values().collect()
}

/// A position as a number that can be compared with others.
fn number(position: usize) -> u64 {
    u64::try_from(position).unwrap_or(u64::MAX)
}

fn score(topology: &Topology, request: &Request, eligible: &Eligible, place: &[usize]) -> Score {
    let home = topology.cores.get(eligible.housekeeping).and_then(|core| core.l3);
    let quiet =
        u64::from(place.iter().all(|&core| topology.cores[core].l3.is_none_or(|l3| Some(l3) != home)));
    let cache = cores::domains(topology, place)
        .iter()
        .filter_map(|&domain| topology.l3.get(domain)?.size_kib)
        .max()
        .unwrap_or(0);
    let ranking = ranking(topology, place);
    let keys = match request.prefer {
        Prefer::Cache => [cache, quiet, ranking],
        Prefer::Frequency => [ranking, cache, quiet],
    };
    Score {
        distance: distance(topology, request, place),
        keys: keys.map(Reverse),
        narrow: place.len(),
        first: Reverse(place.first().copied().unwrap_or(0)),
    }
}

/// The mean ranking of a place's cores, in hundredths.
fn ranking(topology: &Topology, place: &[usize]) -> u64 {
    let sum: u64 = place.iter().filter_map(|&core| topology.cores[core].ranking).map(u64::from).sum();
    (sum * 100).checked_div(number(place.len())).unwrap_or(0)
}

/// How far the farthest core is from the device's memory; 0 where there is nothing to tell.
fn distance(topology: &Topology, request: &Request, place: &[usize]) -> u32 {
    let Some(from) = request.near.and_then(|near| near.node) else { return 0 };
    let far = |node: u32| {
        let told = topology.nodes.get(&from).and_then(|at| at.distances.get(&node)).copied();
        told.unwrap_or(if node == from { 10 } else { 20 })
    };
    place.iter().filter_map(|&core| topology.cores[core].node).map(far).max().unwrap_or(0)
}

/// What makes the best place better than the next.
fn decided(request: &Request, best: Score, next: Score) -> Option<Decided> {
    if best.distance != next.distance {
        return Some(Decided::Device);
    }
    let names = match request.prefer {
        Prefer::Cache => [Decided::Cache, Decided::Quiet, Decided::Ranking],
        Prefer::Frequency => [Decided::Ranking, Decided::Cache, Decided::Quiet],
    };
    let at = best.keys.iter().zip(next.keys).position(|(best, next)| *best != next)?;
    names.get(at).copied()
}

/// Takes as many cores of a place as are needed: whole L3 domains first, the better-boosting cores of each, and where all
/// are alike the highest, so that the host keeps the lowest.
fn fill(topology: &Topology, request: &Request, eligible: &Eligible, place: &[usize]) -> Vec<usize> {
    let mut domains: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for &core in place {
        domains.entry(topology.cores[core].l3).or_default().push(core);
    }
    let mut domains: Vec<Vec<usize>> = domains.into_values().collect();
    domains.sort_by_cached_key(|domain| {
        let score = score(topology, request, eligible, domain);
        (score.distance, Reverse(cores::room(topology, request, domain)), score)
    });
    let mut taken = Vec::new();
    let mut left = request.vcpus;
    for mut domain in domains {
        domain.sort_by_key(|&core| {
            // CPU 0's core comes last; cores that carry more come first, so that fewer are taken.
            let carries = cores::carries(topology, request, core);
            (core == eligible.housekeeping, Reverse((carries, topology.cores[core].ranking, core)))
        });
        for core in domain {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(cores::carries(topology, request, core));
            taken.push(core);
        }
    }
    // Where cores carry unequal numbers, one taken early may not be needed in the end.
    let mut spare = cores::room(topology, request, &taken).saturating_sub(request.vcpus);
    taken.retain(|&core| {
        let carries = cores::carries(topology, request, core);
        let needed = carries > spare;
        if !needed {
            spare -= carries;
        }
        needed
    });
    // Neighbours in the guest are neighbours on the host. A core that is only partly used comes last.
    let part = request.threads == Threads::Siblings && cores::room(topology, request, &taken) > request.vcpus;
    let last = if part { taken.last().copied() } else { None };
    taken.sort_by_key(|&core| {
        let at = &topology.cores[core];
        (Some(core) == last, at.package, at.node, at.l3, core)
    });
    taken
}

/// The L3 domain that would have been chosen if CPU 0 were in another one.
fn passed_over(
    topology: &Topology,
    request: &Request,
    eligible: &Eligible,
    chosen: &Chosen,
) -> Option<usize> {
    let home = topology.cores.get(eligible.housekeeping)?.l3?;
    if chosen.closeness != Closeness::L3 || cores::domains(topology, &chosen.cores) == [home] {
        return None;
    }
    let whole: Vec<usize> =
        eligible.cores.iter().copied().filter(|&core| topology.cores[core].l3 == Some(home)).collect();
    let without: Vec<usize> = whole.iter().copied().filter(|core| *core != eligible.housekeeping).collect();
    let fits = |place: &[usize]| cores::room(topology, request, place) >= request.vcpus;
    let size = |domain: usize| topology.l3.get(domain).and_then(|domain| domain.size_kib);
    let larger = size(home) > chosen.cores.first().and_then(|&core| size(topology.cores[core].l3?));
    (fits(&whole) && !fits(&without) && larger && request.prefer == Prefer::Cache).then_some(home)
}
