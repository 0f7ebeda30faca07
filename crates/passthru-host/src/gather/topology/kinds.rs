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
/// shows (`base_frequency`, `Documentation/admin-guide/pm/intel_pstate.rst`), or by `cpu_capacity`
/// (`Documentation/ABI/testing/sysfs-devices-system-cpu`).
fn by_strength(lists: &mut Lists<'_>, topology: &mut Topology) {
    // The one unit of a processor with one kind of core.
    if !matches!(lists.host.exists("/sys/devices/cpu"), Ok(false)) {
        return;
    }
    for (file, least_percent) in [("cpufreq/base_frequency", 100), ("cpu_capacity", 75)] {
        let mut strengths = Vec::new();
        for core in &topology.cores {
            let first = core.cpus.first().unwrap_or_default();
            match lists.number(&format!("{}/{file}", super::cpu(first))).filter(|strength| *strength > 0) {
                Some(strength) => strengths.push(strength),
                // Each core has it, or it tells nothing.
                None => break,
            }
        }
        if strengths.len() != topology.cores.len() {
            continue;
        }
        let most = strengths.iter().copied().max().unwrap_or_default();
        let is_strong = |strength: i64| strength.saturating_mul(100) >= most.saturating_mul(least_percent);
        if strengths.iter().all(|strength| is_strong(*strength)) {
            return;
        }
        for (core, strength) in topology.cores.iter_mut().zip(strengths) {
            core.kind = Some(if is_strong(strength) { CoreKind::Performance } else { CoreKind::Efficiency });
        }
        return;
    }
}
