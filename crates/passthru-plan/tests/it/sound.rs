//! What must hold of every pinning on every machine. The tests of real machines (`crates/passthru/tests/machines`) judge by
//! it as well.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::cpu_set::CpuSet;
use passthru_model::topology::{Core, CoreKind, Topology};
use passthru_plan::pinning::{Pinning, Request, Subject, Threads};

/// What holds of every pinning.
pub(crate) fn assert_sound(topology: &Topology, request: &Request, pinning: &Pinning) {
    let pins: CpuSet = pinning.pins.iter().copied().collect();
    assert_eq!(
        (pinning.pins.len(), pins.len()),
        (request.vcpus, request.vcpus),
        "each vCPU has a CPU of its own"
    );
    assert!(pins.is_subset(&topology.online), "no vCPU is on an offline CPU");
    let guest = pinning.guest;
    assert_eq!(guest.sockets * guest.dies * guest.cores * guest.threads, request.vcpus);
    assert!(!pinning.host_cpus.meets(&pins) && !pinning.host_cpus.is_empty());
    for own in [&pinning.emulator, &pinning.iothread] {
        assert!(
            !own.is_empty() && own.is_subset(&pinning.host_cpus),
            "QEMU's own threads are on the host's share"
        );
    }
    if request.threads != Threads::Shared {
        for core in topology.cores.iter().filter(|core| core.cpus.meets(&pins)) {
            assert!(!core.cpus.meets(&pinning.host_cpus), "no core is shared with the host");
        }
    }
    // Siblings are together: vCPUs of one core follow each other.
    let cores: Vec<usize> = pinning
        .pins
        .iter()
        .map(|cpu| topology.cores.iter().position(|core| core.cpus.contains(*cpu)).expect("a core"))
        .collect();
    let distinct: BTreeSet<usize> = cores.iter().copied().collect();
    let mut runs = cores.clone();
    runs.dedup();
    assert_eq!(runs.len(), distinct.len(), "siblings are side by side");
    if guest.threads > 1 {
        for siblings in cores.chunks(guest.threads) {
            assert!(siblings.iter().all(|core| *core == siblings[0]), "the guest's siblings are siblings");
        }
    }
    if topology.is_hybrid() {
        assert!(distinct.iter().all(|&core| topology.cores[core].kind == Some(CoreKind::Performance)));
    }
    let housekeeping = topology.cores.first().expect("a core");
    let carries = |core: &Core| if request.threads == Threads::Siblings { core.cpus.len() } else { 1 };
    let may = |core: &&Core| {
        (!topology.is_hybrid() || core.kind == Some(CoreKind::Performance))
            && (request.threads != Threads::Shared || core.cpus.len() > 1)
            && core.cpus != housekeeping.cpus
    };
    let room: usize = topology.cores.iter().filter(may).map(carries).sum();
    assert!(
        room < request.vcpus || !distinct.contains(&0),
        "CPU 0's core is taken only where nothing else has room"
    );
    let mut domains: BTreeMap<usize, usize> = BTreeMap::new();
    for core in topology.cores.iter().filter(may) {
        *domains.entry(core.l3.unwrap_or(usize::MAX)).or_default() += carries(core);
    }
    domains.remove(&usize::MAX);
    if topology.isolated.is_empty() && domains.values().any(|room| *room >= request.vcpus) {
        assert_eq!(pinning.l3.len(), 1, "one L3 where it fits");
    }
    let subjects: Vec<Subject> = pinning.choices.iter().map(|choice| choice.about).collect();
    assert!(subjects.contains(&Subject::Cores) && subjects.contains(&Subject::Host));
    assert!(pinning.choices.iter().all(|choice| !choice.why.is_empty() && !choice.why.ends_with('.')));
}
