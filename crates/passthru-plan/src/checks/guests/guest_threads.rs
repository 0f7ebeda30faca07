//! Whether the guest's threads are threads of one core on the host too.

use passthru_model::virtualisation::Domain;
use passthru_model::{HostFacts, Topology};

use super::domains::domains;
use super::guest_pinning::set;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-threads",
    title: "the guest's threads are threads of one core of the host",
    section: "The case of Hyper-threading",
    why: "the guest plans by what it is shown: two threads of one core that it takes for two cores slow each other down unseen",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let pinned = |domain: &Domain| domain.vcpu_pins.len() > 1;
    let domains = match domains(facts, "pins its vCPUs", pinned) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let Some(topology) = facts.topology.value() else {
        return Outcome::unknown(
            "how the processors are built",
            facts.topology.because().unwrap_or_default(),
        );
    };
    if topology.most_threads() < 2 {
        return Outcome::skip("each core of this host has one thread").seen(&facts.topology);
    }
    let mut remarks = Remarks::default();
    for domain in &domains {
        judge(topology, domain, &mut remarks);
    }
    remarks.outcome(format!("{} with cores shown as they are pinned", count(domains.len(), "guest")))
}

fn judge(topology: &Topology, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    // Only vCPUs on one processor each can be compared.
    let cores: Vec<(usize, usize)> = domain
        .vcpu_pins
        .iter()
        .filter_map(|(vcpu, text)| {
            let cpus = set(text).filter(|cpus| cpus.len() == 1)?;
            let core = topology.cores.iter().position(|core| cpus.is_subset(&core.cpus))?;
            Some((*vcpu, core))
        })
        .collect();
    let threads = domain.topology.map_or(1, |topology| topology.threads).max(1);
    for (vcpu, text) in &domain.vcpu_pins {
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
    let remedy = format!("passthru topology --vcpus {} shows the pairs of this host", domain.vcpu_pins.len());
    if shared && threads == 1 {
        remarks
            .warn(format!("{name} takes two threads of one core for two cores"))
            .by_hand(format!("Show the guest threads='2', or pin each vCPU to a core of its own; {remedy}"));
    } else if shared || split {
        remarks.warn(format!("{name} is shown pairs of threads that are no pairs on the host")).by_hand(
            format!("Pin vCPU 0 and 1 to the threads of one core, 2 and 3 to those of the next; {remedy}"),
        );
    }
}
