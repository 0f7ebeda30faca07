//! Performance, efficiency and low-power cores.

use passthru_model::cpu_set::CpuSet;
use passthru_model::topology::{CoreKind, Topology};

use super::lists::Lists;

/// The performance monitoring units of the kinds, each with the CPUs that it counts for
/// (`arch/x86/events/intel/core.c`). A processor with one kind of core has `/sys/devices/cpu` instead.
const UNITS: &[(CoreKind, &str)] = &[
    (CoreKind::Performance, "/sys/devices/cpu_core"),
    (CoreKind::Efficiency, "/sys/devices/cpu_atom"),
    (CoreKind::LowPower, "/sys/devices/cpu_lowpower"),
];

/// Says of each core what kind it is, where there is more than one kind.
pub(super) fn name(lists: &mut Lists<'_>, topology: &mut Topology) {
    let units: Vec<(CoreKind, CpuSet)> =
        UNITS.iter().filter_map(|(kind, unit)| Some((*kind, lists.set(unit, &["cpus"], &[])?))).collect();
    if units.is_empty() {
        by_strength(lists, topology);
    } else {
        for core in &mut topology.cores {
            core.kind = units.iter().find(|(_, cpus)| core.cpus.is_subset(cpus)).map(|(kind, _)| *kind);
        }
    }
    // On Meteor Lake the low-power cores count as efficiency cores, and it is the L3 that they lack (Lunar Lake's
    // efficiency cores have none either, and are its low-power island).
    if topology.cores.iter().any(|core| core.l3.is_some()) {
        for core in &mut topology.cores {
            if core.kind == Some(CoreKind::Efficiency) && core.l3.is_none() {
                core.kind = Some(CoreKind::LowPower);
            }
        }
    }
}

/// Where no unit is to be seen (captures of other tools, other architectures): by the base frequency that intel_pstate
/// shows (`base_frequency`, `Documentation/admin-guide/pm/intel_pstate.rst`), by `cpu_capacity`
/// (`Documentation/ABI/testing/sysfs-devices-system-cpu`), or by how the clusters are made.
fn by_strength(lists: &mut Lists<'_>, topology: &mut Topology) {
    // The one unit of a processor with one kind of core.
    if !matches!(lists.host.exists("/sys/devices/cpu"), Ok(false)) {
        return;
    }
    let strong = strong(lists, topology, "cpufreq/base_frequency", 100)
        .or_else(|| strong(lists, topology, "cpu_capacity", 75))
        .or_else(|| alone(topology));
    let Some(strong) = strong.filter(|strong| strong.contains(&false)) else { return };
    for (core, strong) in topology.cores.iter_mut().zip(strong) {
        core.kind = Some(if strong { CoreKind::Performance } else { CoreKind::Efficiency });
    }
}

/// Of each core, whether its number in a file is at least so many hundredths of the greatest one. Nothing unless every
/// core has a number.
fn strong(lists: &mut Lists<'_>, topology: &Topology, file: &str, least_percent: i64) -> Option<Vec<bool>> {
    let mut strengths = Vec::new();
    for core in &topology.cores {
        let path = format!("{}/{file}", super::cpu(core.cpus.first()?));
        strengths.push(lists.number(&path).filter(|strength| *strength > 0)?);
    }
    let least = strengths.iter().copied().max()?.saturating_mul(least_percent);
    Some(strengths.into_iter().map(|strength| strength.saturating_mul(100) >= least).collect())
}

/// Of each core, whether it has two threads and an L2 of its own, where all others have one thread and share an L2 with
/// others like them: so are Intel's hybrid processors made, and no others.
fn alone(topology: &Topology) -> Option<Vec<bool>> {
    let mut strong = Vec::new();
    for core in &topology.cores {
        let cluster = &topology.clusters.get(core.cluster?)?.cpus;
        let is_strong = core.cpus.len() > 1;
        if is_strong != (*cluster == core.cpus) {
            return None;
        }
        strong.push(is_strong);
    }
    strong.contains(&true).then_some(strong)
}
