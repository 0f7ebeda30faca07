//! Whether vCPUs are pinned to processors that are there, core by core.

use passthru_model::virtualisation::Domain;
use passthru_model::{CpuSet, HostFacts, Topology};

use super::domains::domains;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-pinning",
    title: "vCPUs are pinned to the host's processors, whole",
    section: "CPU pinning",
    why: "a vCPU on a processor that is not there keeps the guest from starting; one without a pin wanders, and loses its cache each time",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let pinned = |domain: &Domain| !domain.vcpu_pins.is_empty();
    let domains = match domains(facts, "pins its vCPUs", pinned) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let Some(topology) = facts.topology.value() else {
        return Outcome::unknown("which processors there are", facts.topology.because().unwrap_or_default());
    };
    let mut remarks = Remarks::default();
    for domain in &domains {
        judge(topology, domain, &mut remarks);
    }
    remarks.outcome(format!("{} pinned to processors that are there", count(domains.len(), "guest")))
}

fn judge(topology: &Topology, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let advice =
        || format!("passthru topology --vcpus {} shows a pinning for this host", domain.vcpus.unwrap_or(1));
    let mut all = CpuSet::default();
    for (vcpu, text) in &domain.vcpu_pins {
        remarks.seen(domain.path.clone(), format!("vCPU {vcpu} on {text}"));
        match set(text) {
            Some(cpus) => {
                if cpus.meets(&all) {
                    remarks.warn(format!("{name} has two vCPUs on {text}")).by_hand(advice());
                }
                all = all.union(&cpus);
            }
            None => {
                remarks.warn(format!("{name}: ‘{text}’ is no list of processors"));
            }
        }
    }
    let missing = all.difference(&topology.online);
    if !missing.is_empty() {
        remarks
            .fail(format!("{name} pins to {missing}, which this host does not have online"))
            .by_hand(advice());
        return;
    }
    if domain.vcpus.is_some_and(|vcpus| domain.vcpu_pins.len() < vcpus) {
        let vcpus = domain.vcpus.unwrap_or_default();
        remarks
            .warn(format!("{name} pins {} of its {vcpus} vCPUs", domain.vcpu_pins.len()))
            .by_hand(advice());
    }
    if topology.online.is_subset(&all) {
        remarks.warn(format!("{name} takes every processor, and leaves none to the host")).by_hand(advice());
    }
    if let Some(emulator) = domain.emulator_pin.as_deref().and_then(set)
        && emulator.is_subset(&all)
    {
        remarks
            .warn(format!("the emulator of {name} shares its processors with the vCPUs"))
            .by_hand("Pin it to processors of the host: <emulatorpin cpuset='…'/>");
    }
}

/// A list as libvirt writes it: `0-3,^2` is all but 2.
pub(super) fn set(text: &str) -> Option<CpuSet> {
    let (mut plus, mut minus) = (Vec::new(), Vec::new());
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.strip_prefix('^') {
            Some(part) => minus.push(part),
            None => plus.push(part),
        }
    }
    let all: CpuSet = plus.join(",").parse().ok()?;
    let without: CpuSet = minus.join(",").parse().ok()?;
    Some(all.difference(&without))
}
