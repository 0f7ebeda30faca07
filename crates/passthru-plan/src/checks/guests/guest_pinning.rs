//! Whether vCPUs are pinned to processors that are there, core by core.

use passthru_model::virtualisation::{Domain, DomainEdit, Place};
use passthru_model::{CpuSet, HostFacts};

use super::lint::Lint;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};
use crate::pinning::{Request, pin};

pub(super) const LINT: Lint = Lint {
    id: "guest-pinning",
    title: "vCPUs are pinned to the host's processors, whole",
    section: "CPU pinning",
    why: "a vCPU on a processor that is not there keeps the guest from starting; one without a pin wanders, and loses its cache each time",
    about: "pins its vCPUs",
    concerns: |_, domain| !domain.vcpu_pins.is_empty(),
    judge,
    instead: unknown_processors,
    well: "pinned to processors that are there",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let mut all = CpuSet::default();
    for (vcpu, (text, place)) in &domain.vcpu_pins {
        remarks.seen(domain.path.clone(), format!("vCPU {vcpu} on {text}"));
        if domain.vcpus.is_some_and(|vcpus| *vcpu >= vcpus) {
            let vcpus = domain.vcpus.unwrap_or_default();
            remarks
                .warn(format!("{name} pins vCPU {vcpu}, and its {vcpus} vCPUs are numbered from 0"))
                .at(place)
                .edits(pinned_anew(facts, domain));
        }
        match set(text) {
            Some(cpus) => {
                if cpus.meets(&all) {
                    remarks
                        .warn(format!("{name} has two vCPUs on {text}"))
                        .at(place)
                        .in_file(advice(domain))
                        .edits(pinned_anew(facts, domain));
                }
                all = all.union(&cpus);
            }
            None => {
                remarks.warn(format!("{name}: ‘{text}’ is no list of processors")).at(place);
            }
        }
    }
    let pins = domain.vcpu_pins.keys().filter(|vcpu| domain.starts_with(**vcpu)).count();
    if let Some(vcpus) = domain.vcpus_at_start().filter(|vcpus| pins < *vcpus) {
        remarks
            .warn(format!("{name} pins {pins} of its {vcpus} vCPUs"))
            .at_path("cputune")
            .in_file(advice(domain))
            .edits(pinned_anew(facts, domain));
    }
    for (place, who, text) in others(domain) {
        if set(text).is_some_and(|cpus| cpus.meets(&all)) {
            remarks
                .warn(format!("the {who} of {name} may run on processors of its vCPUs ({text})"))
                .at(&place)
                .in_file("Pin it to processors that the host keeps")
                .edits(pinned_anew(facts, domain));
        }
    }
    let Some(topology) = facts.topology.value() else { return };
    let missing = all.difference(&topology.online);
    if !missing.is_empty() {
        remarks
            .fail(format!("{name} pins to {missing}, which this host does not have online"))
            .at_path("cputune")
            .in_file(advice(domain))
            .edits(pinned_anew(facts, domain));
    } else if topology.online.is_subset(&all) {
        remarks
            .warn(format!("{name} takes every processor, and leaves none to the host"))
            .at_path("cputune")
            .in_file(advice(domain));
    }
}

/// The threads beside the vCPUs: where each is pinned, what it is called, and the processors.
fn others(domain: &Domain) -> Vec<(Place, &'static str, &String)> {
    let emulator =
        domain.emulator_pin.iter().map(|cpus| (Place::new("cputune/emulatorpin"), "emulator", cpus));
    let threads = domain.iothread_pins.values().map(|(cpus, place)| (place.clone(), "I/O threads", cpus));
    emulator.chain(threads).collect()
}

/// What is said where the host's processors are not known.
pub(super) fn unknown_processors(facts: &HostFacts) -> Option<Outcome> {
    Some(Outcome::unknown("how the processors are built", facts.topology.because()?))
}

/// What to do about pins.
pub(super) fn advice(domain: &Domain) -> String {
    let vcpus = domain.vcpus_at_start().unwrap_or(1);
    format!("Pin as ‘passthru topology --vcpus {vcpus}’ shows for this host")
}

/// The pins, and the topology that goes with them, as this host would have them; none where the vCPUs do not fit, or some are
/// plugged in later.
pub(super) fn pinned_anew(facts: &HostFacts, domain: &Domain) -> Vec<DomainEdit> {
    let Some((topology, vcpus)) = facts.topology.value().zip(domain.vcpus) else { return Vec::new() };
    if domain.vcpus_at_start() != Some(vcpus) {
        return Vec::new();
    }
    let Ok(pinning) = pin(topology, &Request { vcpus, ..Request::default() }) else { return Vec::new() };
    let mut edits = Vec::new();
    for (vcpu, cpu) in pinning.pins.iter().enumerate() {
        let cpu = cpu.to_string();
        edits.push(match domain.vcpu_pins.get(&vcpu) {
            Some((_, place)) => DomainEdit::set(place.clone(), "cpuset", cpu),
            None => DomainEdit::add("cputune", "vcpupin", &[("vcpu", &vcpu.to_string()), ("cpuset", &cpu)]),
        });
    }
    let strangers = domain.vcpu_pins.iter().filter(|(vcpu, _)| **vcpu >= vcpus);
    edits.extend(strangers.map(|(_, (_, place))| DomainEdit::Remove(place.clone())));
    let emulator = pinning.emulator.to_string();
    edits.push(if domain.emulator_pin.is_some() {
        DomainEdit::set(Place::new("cputune/emulatorpin"), "cpuset", emulator)
    } else {
        DomainEdit::add("cputune", "emulatorpin", &[("cpuset", &emulator)])
    });
    let threads = domain.iothread_pins.values();
    edits.extend(
        threads.map(|(_, place)| DomainEdit::set(place.clone(), "cpuset", pinning.iothread.to_string())),
    );
    let shown = pinning.guest;
    edits.extend(show_topology(domain, [shown.sockets, shown.dies, shown.cores, shown.threads]));
    edits
}

/// The topology that a guest is shown: sockets, dies, cores and threads.
pub(super) fn show_topology(domain: &Domain, [sockets, dies, cores, threads]: [usize; 4]) -> Vec<DomainEdit> {
    let values = [("sockets", sockets), ("dies", dies), ("cores", cores), ("threads", threads)];
    let Some(now) = domain.topology else {
        let values = values.map(|(name, value)| (name, value.to_string()));
        let attributes: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        return vec![DomainEdit::add("cpu", "topology", &attributes)];
    };
    let old = [("sockets", now.sockets), ("dies", now.dies), ("cores", now.cores), ("threads", now.threads)];
    let set = |(name, value): &(&'static str, usize)| {
        DomainEdit::set(Place::new("cpu/topology"), name, value.to_string())
    };
    let mut edits: Vec<DomainEdit> = values.iter().filter(|value| !old.contains(value)).map(set).collect();
    if now.clusters > 1 {
        edits.push(set(&("clusters", 1)));
    }
    edits
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
