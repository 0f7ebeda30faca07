//! How the processors of a host are built: packages, NUMA nodes, dies, clusters, L3 domains, cores and threads.
//!
//! Everything is a flat list with the CPUs it covers, since no tree holds for all machines: a NUMA node may be a part of
//! a package or span several. A [`Core`] says where it sits in each list.

use std::collections::BTreeMap;

use crate::cpu_set::CpuSet;

/// The processors of a host, from `/sys/devices/system/cpu` and `/sys/devices/system/node`
/// (`Documentation/ABI/stable/sysfs-devices-system-cpu`, `Documentation/ABI/stable/sysfs-devices-node`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// CPUs that run (`cpu/online`). Every list below holds these alone.
    pub online: CpuSet,
    /// CPUs that are there and do not run (`cpu/present` without `cpu/online`).
    pub offline: CpuSet,
    /// CPUs taken from the scheduler's balancing by `isolcpus=` (`cpu/isolated`). Also in `online`.
    pub isolated: CpuSet,
    /// CPUs without a tick while one task runs (`cpu/nohz_full`). Also in `online`.
    pub nohz_full: CpuSet,
    /// `cpu/smt/control`: `on`, `off`, `forceoff`, `notsupported`, `notimplemented`; before Linux 4.19 there is none.
    pub smt_control: Option<String>,
    /// Sockets in order of their lowest CPU.
    pub packages: Vec<Part>,
    /// Dies in order of their lowest CPU (`topology/die_id`); empty where the kernel does not say (before Linux 5.2).
    pub dies: Vec<Part>,
    /// Clusters in order of their lowest CPU (`topology/cluster_id`): on x86 the cores that share an L2. Empty where
    /// the kernel does not say (before Linux 5.16).
    pub clusters: Vec<Part>,
    /// Sets of cores with a level 3 cache in common, in order of their lowest CPU. On AMD that is a CCX.
    pub l3: Vec<L3Domain>,
    /// Cores in order of their lowest CPU. Each online CPU is in exactly one.
    pub cores: Vec<Core>,
    /// Where the rankings of the cores come from; `None`: they have none.
    pub ranking_source: Option<RankingSource>,
    /// NUMA nodes by number, also those without CPUs. Empty where the kernel has no NUMA.
    pub nodes: BTreeMap<u32, NumaNode>,
    /// What could not be read or does not fit together, by path, and why.
    pub gaps: BTreeMap<String, String>,
}

/// A package, die or cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The kernel's number, for dies and clusters unique within the package alone; `None`: it has none (-1, as on POWER).
    pub id: Option<u32>,
    /// Its online CPUs.
    pub cpus: CpuSet,
}

/// Cores that share a level 3 cache (`cpu/cpuN/cache/indexK` with `level` 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L3Domain {
    /// `cache/indexK/id` (Linux 4.11), unique among caches of this level.
    pub id: Option<u32>,
    /// Its size in KiB, where the kernel says it. On an X3D part one domain has more than the other.
    pub size_kib: Option<u64>,
    /// Its online CPUs.
    pub cpus: CpuSet,
}

/// What kind of core this is, on processors that have more than one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoreKind {
    /// P-core (`/sys/devices/cpu_core/cpus`).
    Performance,
    /// E-core (`/sys/devices/cpu_atom/cpus`).
    Efficiency,
    /// Low-power E-core, away from the others and their L3 (`/sys/devices/cpu_lowpower/cpus`).
    LowPower,
}

/// Where a core's ranking was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RankingSource {
    /// `cpufreq/amd_pstate_prefcore_ranking` (`Documentation/admin-guide/pm/amd-pstate.rst`).
    AmdPreferredCore,
    /// `acpi_cppc/highest_perf` (`Documentation/admin-guide/acpi/cppc_sysfs.rst`).
    Cppc,
}

/// One core: the threads that share its execution units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// `topology/core_id`, unique within the package alone, with holes; `None` where the kernel does not say.
    pub id: Option<u32>,
    /// Its online threads, SMT siblings of each other (`topology/core_cpus_list`, before Linux 5.2
    /// `thread_siblings_list`). Never empty.
    pub cpus: CpuSet,
    /// Position in [`Topology::packages`].
    pub package: Option<usize>,
    /// Position in [`Topology::dies`].
    pub die: Option<usize>,
    /// Position in [`Topology::clusters`].
    pub cluster: Option<usize>,
    /// Position in [`Topology::l3`].
    pub l3: Option<usize>,
    /// Number of its NUMA node.
    pub node: Option<u32>,
    /// Its kind; `None` where all cores are of one kind, or where the kernel does not say.
    pub kind: Option<CoreKind>,
    /// How well it boosts, compared with the other cores; larger is better, the scale is the firmware's own.
    pub ranking: Option<u32>,
}

/// One NUMA node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumaNode {
    /// Its online CPUs; empty for a node of memory alone.
    pub cpus: CpuSet,
    /// Distance to each node, itself included, by number: 10 is local (ACPI SLIT). Empty where the kernel does not say.
    pub distances: BTreeMap<u32, u32>,
    /// Its memory in KiB (`MemTotal` of its `meminfo`).
    pub memory_kib: Option<u64>,
}

impl CoreKind {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Performance => "performance",
            Self::Efficiency => "efficiency",
            Self::LowPower => "low-power",
        }
    }

    /// As Intel calls such a core.
    pub fn short(self) -> &'static str {
        match self {
            Self::Performance => "P-core",
            Self::Efficiency => "E-core",
            Self::LowPower => "LP E-core",
        }
    }
}

impl RankingSource {
    /// The attribute's name below `cpu/cpuN`.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::AmdPreferredCore => "cpufreq/amd_pstate_prefcore_ranking",
            Self::Cppc => "acpi_cppc/highest_perf",
        }
    }
}

impl Topology {
    /// The core of a CPU.
    pub fn core_of(&self, cpu: u32) -> Option<&Core> {
        self.cores.iter().find(|core| core.cpus.contains(cpu))
    }

    /// Whether the cores are of more than one kind.
    pub fn is_hybrid(&self) -> bool {
        let mut kinds = self.cores.iter().filter_map(|core| core.kind);
        kinds.next().is_some_and(|first| kinds.any(|kind| kind != first))
    }

    /// Threads of the core that has most.
    pub fn most_threads(&self) -> usize {
        self.cores.iter().map(|core| core.cpus.len()).max().unwrap_or(0)
    }
}
