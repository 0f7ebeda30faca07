//! Whether a guest that would fit in one L3 domain is kept in one.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Domain;

use super::guest_pinning::{advice, pinned_anew, set, unknown_processors};
use super::lint::Lint;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const LINT: Lint = Lint {
    id: "guest-caches",
    title: "vCPUs share one level 3 cache where they fit",
    section: "CPU pinning",
    why: "what one core has in its L3 cache, a core of another L3 domain fetches through memory; games and other tight loops feel it",
    about: "pins its vCPUs",
    concerns: |_, domain| domain.vcpu_pins.len() > 1,
    judge,
    instead: |facts| {
        let Some(topology) = facts.topology.value() else { return unknown_processors(facts) };
        (topology.l3.len() < 2).then(|| {
            Outcome::skip("all cores of this host share one L3 cache, or have none").seen(&facts.topology)
        })
    },
    well: "within one L3 domain, or too large for one",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let Some(topology) = facts.topology.value() else { return };
    let pinned: Vec<_> = domain.vcpu_pins.values().filter_map(|(text, _)| set(text)).collect();
    let used = topology.l3.iter().filter(|l3| pinned.iter().any(|cpus| cpus.meets(&l3.cpus))).count();
    // One that is taken whole leaves the host's own threads to the others.
    let fits = topology.l3.iter().any(|l3| l3.cpus.len() >= pinned.len());
    for (vcpu, (text, _)) in &domain.vcpu_pins {
        remarks.seen(domain.path.clone(), format!("vCPU {vcpu} on {text}"));
    }
    if used > 1 && fits {
        remarks
            .warn(format!(
                "{} runs in {used} L3 domains, and its {} vCPUs would fit in one",
                domain.name,
                pinned.len()
            ))
            .at_path("cputune")
            .in_file(advice(domain))
            .edits(pinned_anew(facts, domain));
    }
}
