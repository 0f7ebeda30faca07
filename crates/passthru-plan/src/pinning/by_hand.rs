//! Pins that a person chose: taken as they are where they can be, with what follows from them.

use std::collections::BTreeSet;

use passthru_model::cpu_set::CpuSet;
use passthru_model::topology::Topology;

use super::reasons::many;
use super::{Choice, GuestTopology, Pinning, Subject, cores, emulator};

/// What a person chose.
#[derive(Clone, Copy, Debug)]
pub struct ByHand<'a> {
    /// The host CPU of each vCPU, by number.
    pub pins: &'a [u32],
    /// Where QEMU's own threads run; `None` leaves it to the planner.
    pub emulator: Option<&'a CpuSet>,
    /// Where I/O threads run; `None` leaves it to the planner.
    pub iothread: Option<&'a CpuSet>,
}

/// Why these pins cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandRefusal {
    /// There is no such CPU.
    #[error("CPU {0} is not in this host")]
    Absent(u32),
    /// It does not run.
    #[error("CPU {0} is offline")]
    Offline(u32),
    /// Two vCPUs on one CPU.
    #[error("two vCPUs are pinned to CPU {0}, where they would take turns")]
    Twice(u32),
    /// Nothing is left to the host.
    #[error("every CPU of the host has a vCPU, and the host needs one itself")]
    NothingLeft,
    /// A set of CPUs for QEMU's own threads without any.
    #[error("the list of CPUs is empty")]
    Empty,
}

/// Takes the pins of a person.
pub fn by_hand(topology: &Topology, chosen: &ByHand<'_>) -> Result<Pinning, HandRefusal> {
    let mut guest_cpus = CpuSet::new();
    for &cpu in chosen.pins {
        runs(topology, cpu)?;
        if guest_cpus.contains(cpu) {
            return Err(HandRefusal::Twice(cpu));
        }
        guest_cpus.insert(cpu);
    }
    let host_cpus = topology.online.difference(&guest_cpus);
    if host_cpus.is_empty() {
        return Err(HandRefusal::NothingLeft);
    }
    // The core of each vCPU; every online CPU has one.
    let places: Vec<usize> = chosen
        .pins
        .iter()
        .filter_map(|cpu| topology.cores.iter().position(|core| core.cpus.contains(*cpu)))
        .collect();
    let used: Vec<usize> = places.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let own = emulator::place(topology, &used, &host_cpus);
    let mut pinning = Pinning {
        pins: chosen.pins.to_vec(),
        guest: cores::shown(topology, &used, threads(&places), chosen.pins.len()),
        guest_cpus,
        host_cpus,
        emulator: own.emulator,
        iothread: own.iothread,
        node: cores::one_node(topology, &used),
        l3: cores::domains(topology, &used),
        choices: Vec::new(),
    };
    pinning.choices = reasons(topology, &pinning, &used);
    pinning.with_own_threads(topology, chosen.emulator, chosen.iothread)
}

impl Pinning {
    /// The same with QEMU's own threads, or I/O threads, where a person wants them.
    pub fn with_own_threads(
        mut self,
        topology: &Topology,
        emulator: Option<&CpuSet>,
        iothread: Option<&CpuSet>,
    ) -> Result<Self, HandRefusal> {
        if emulator.is_none() && iothread.is_none() {
            return Ok(self);
        }
        for (place, named) in [(&mut self.emulator, emulator), (&mut self.iothread, iothread)] {
            if let Some(set) = named {
                if set.is_empty() {
                    return Err(HandRefusal::Empty);
                }
                set.iter().try_for_each(|cpu| runs(topology, cpu))?;
                place.clone_from(set);
            }
        }
        let meets = self.guest_cpus.meets(&self.emulator) || self.guest_cpus.meets(&self.iothread);
        let beside = if meets { ", partly on CPUs of the guest, which they slow" } else { "" };
        let why = format!("{}{beside}, by hand", own_threads(&self));
        self.choices.retain(|choice| choice.about != Subject::Emulator);
        self.choices.push(Choice { about: Subject::Emulator, why });
        Ok(self)
    }
}

fn own_threads(pinning: &Pinning) -> String {
    format!("QEMU's own threads on {}, I/O threads on {}", pinning.emulator, pinning.iothread)
}

/// Whether a CPU can run something.
fn runs(topology: &Topology, cpu: u32) -> Result<(), HandRefusal> {
    if topology.online.contains(cpu) {
        return Ok(());
    }
    Err(if topology.offline.contains(cpu) { HandRefusal::Offline(cpu) } else { HandRefusal::Absent(cpu) })
}

/// Threads of a core that the guest can be shown: where vCPUs of one core follow each other, and all cores carry as many.
fn threads(places: &[usize]) -> usize {
    let runs: Vec<(usize, usize)> =
        places.chunk_by(|one, next| one == next).map(|run| (run[0], run.len())).collect();
    let distinct: BTreeSet<usize> = runs.iter().map(|(core, _)| *core).collect();
    match runs.first() {
        Some(&(_, first)) if distinct.len() == runs.len() && runs.iter().all(|(_, all)| *all == first) => {
            first
        }
        _ => 1,
    }
}

fn reasons(topology: &Topology, pinning: &Pinning, used: &[usize]) -> Vec<Choice> {
    let list: Vec<String> = pinning.pins.iter().map(ToString::to_string).collect();
    let mut out = vec![(Subject::Cores, format!("vCPUs on CPUs {} in turn, by hand", list.join(", ")))];
    let shared: CpuSet = used
        .iter()
        .filter_map(|core| topology.cores.get(*core))
        .flat_map(|core| core.cpus.intersection(&pinning.host_cpus).iter().collect::<Vec<_>>())
        .collect();
    if !shared.is_empty() {
        out.push((
            Subject::Threads,
            format!("the host keeps {shared}, siblings of the guest's CPUs: what runs there slows the guest"),
        ));
    }
    if pinning.l3.len() > 1 {
        out.push((
            Subject::L3,
            format!(
                "{} L3 domains: data that vCPUs of different domains share travels through memory",
                pinning.l3.len()
            ),
        ));
    }
    out.push((Subject::Emulator, own_threads(pinning)));
    let GuestTopology { sockets, cores, threads, .. } = pinning.guest;
    let sockets = if sockets > 1 { format!("{sockets} sockets of ") } else { String::new() };
    out.push((
        Subject::Guest,
        format!(
            "the guest sees {sockets}{} with {} each, as they are pinned",
            many(cores, "core"),
            many(threads, "thread")
        ),
    ));
    out.into_iter().map(|(about, why)| Choice { about, why }).collect()
}
