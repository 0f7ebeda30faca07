//! Where QEMU's own threads run: on CPUs that stay with the host, close to the vCPUs.

use passthru_model::cpu_set::CpuSet;
use passthru_model::topology::{Core, CoreKind, Topology};

use super::cores;

/// How close these CPUs are to the vCPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// They share an L3 with them.
    L3,
    /// They are on the same NUMA node.
    Node,
    /// They are anywhere on the host.
    Host,
}

/// CPUs for QEMU's own threads.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) emulator: CpuSet,
    pub(super) iothread: CpuSet,
    pub(super) place: Place,
}

/// Chooses them. On a hybrid processor efficiency cores come first; isolated CPUs are left out, since threads that are
/// not bound to one CPU are never moved among them.
pub(super) fn place(topology: &Topology, guest: &[usize], host: &CpuSet) -> Own {
    let rest = |core: &Core| core.cpus.intersection(host);
    let mut own: Vec<&Core> = topology.cores.iter().filter(|core| !rest(core).is_empty()).collect();
    narrow(&mut own, |core| !rest(core).meets(&topology.isolated));
    narrow(&mut own, |core| core.kind != Some(CoreKind::LowPower));
    if topology.is_hybrid() {
        narrow(&mut own, |core| core.kind == Some(CoreKind::Efficiency));
    }
    let domains = cores::domains(topology, guest);
    let nodes: Vec<Option<u32>> = guest.iter().map(|&core| topology.cores[core].node).collect();
    let place = if narrow(&mut own, |core| core.l3.is_some_and(|l3| domains.contains(&l3))) {
        Place::L3
    } else if narrow(&mut own, |core| core.node.is_some() && nodes.contains(&core.node)) {
        Place::Node
    } else {
        Place::Host
    };
    let all = |cores: &[&Core]| cores.iter().fold(CpuSet::new(), |sum, core| sum.union(&rest(core)));
    // I/O threads get a core of their own where there is one to give, and CPU 0's core stays with the emulator.
    match own.split_last() {
        Some((last, others)) if !others.is_empty() => {
            Own { emulator: all(others), iothread: rest(last), place }
        }
        _ => Own { emulator: all(&own), iothread: all(&own), place },
    }
}

/// Keeps what is wanted, unless nothing would be left. Whether something was.
fn narrow(cores: &mut Vec<&Core>, wanted: impl Fn(&Core) -> bool) -> bool {
    let kept: Vec<&Core> = cores.iter().copied().filter(|core| wanted(core)).collect();
    let any = !kept.is_empty();
    if any {
        *cores = kept;
    }
    any
}
