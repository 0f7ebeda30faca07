//! Whether the guest's threads are threads of one core on the host too.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Domain;

use super::guest_pinning::{pinned_anew, set, unknown_processors};
use super::lint::Lint;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const LINT: Lint = Lint {
    id: "guest-threads",
    title: "the guest's threads are threads of one core of the host",
    section: "The case of Hyper-threading",
    why: "the guest plans by what it is shown: two threads of one core that it takes for two cores slow each other down unseen",
    about: "pins its vCPUs",
    concerns: |_, domain| domain.vcpu_pins.len() > 1,
    judge,
    instead: |facts| {
        let Some(topology) = facts.topology.value() else { return unknown_processors(facts) };
        (topology.most_threads() < 2)
            .then(|| Outcome::skip("each core of this host has one thread").seen(&facts.topology))
    },
    well: "shown the cores that it is pinned to",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let Some(topology) = facts.topology.value() else { return };
    let name = &domain.name;
    // Only vCPUs on one processor each can be compared.
    let cores: Vec<(usize, usize)> = domain
        .vcpu_pins
        .iter()
        .filter_map(|(vcpu, (text, _))| {
            let cpus = set(text).filter(|cpus| cpus.len() == 1)?;
            let core = topology.cores.iter().position(|core| cpus.is_subset(&core.cpus))?;
            Some((*vcpu, core))
        })
        .collect();
    let threads = domain.topology.map_or(1, |topology| topology.threads).max(1);
    for (vcpu, (text, _)) in &domain.vcpu_pins {
        remarks.seen(domain.path.clone(), format!("vCPU {vcpu} on {text}"));
    }
    let pair = |one: &(usize, usize), other: &(usize, usize)| {
        (one.1 == other.1, one.0 / threads == other.0 / threads)
    };
    let (mut shared, mut split) = (false, false);
    for (at, one) in cores.iter().enumerate() {
        for other in cores.iter().skip(at + 1) {
            let (same_core, same_guest_core) = pair(one, other);
            shared |= same_core && !same_guest_core;
            split |= !same_core && same_guest_core && threads > 1;
        }
    }
    let pairs =
        format!("‘passthru topology --vcpus {}’ shows the pairs of this host", domain.vcpu_pins.len());
    let (what, advice) = if shared && threads == 1 {
        (
            format!("{name} takes two threads of one core for two cores"),
            format!("Show the guest threads='2', or pin each vCPU to a core of its own; {pairs}"),
        )
    } else if shared || split {
        (
            format!("{name} is shown pairs of threads that are no pairs on the host"),
            format!("Pin vCPU 0 and 1 to the threads of one core, 2 and 3 to those of the next; {pairs}"),
        )
    } else {
        return;
    };
    remarks.warn(what).at_path("cputune").in_file(advice).edits(pinned_anew(facts, domain));
}
