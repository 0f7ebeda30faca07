//! Settings of the running host that make a guest faster or slower.

use std::collections::{BTreeMap, BTreeSet};

use crate::cpu_set::CpuSet;
use crate::fact::Fact;
use crate::setting::{DisplayService, HostSlice};

/// Settings of the running host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuningFacts {
    /// How fast CPUs run, by policy (`/sys/devices/system/cpu/cpufreq`, `Documentation/admin-guide/pm/cpufreq.rst`). Known
    /// and empty: the kernel leaves that to the firmware or the hypervisor.
    pub frequency: Fact<Vec<FrequencyPolicy>>,
    /// Where interrupts go, read only where CPUs are set apart from the others.
    pub interrupts: Fact<Vec<Interrupt>>,
    /// `kernel.split_lock_mitigate`: whether a task that locks across cache lines is slowed down
    /// (`Documentation/admin-guide/sysctl/kernel.rst`). Known and `None`: the kernel has no such setting, as
    /// before Linux 6.2.
    pub split_lock_mitigate: Fact<Option<bool>>,
    /// What may be changed for a guest while it runs; read only where one is started.
    pub run_time: Fact<RunTimeFacts>,
}

/// What may be changed of the running kernel for a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunTimeFacts {
    /// Whether systemd runs the host (`/run/systemd/system`, sd_booted(3)).
    pub systemd: bool,
    /// Whether groups below the root of the one hierarchy of control groups may be given CPUs; `None`: there is no such
    /// hierarchy, or it has no CPUs to give.
    pub cpuset: Option<bool>,
    /// The CPUs of the units that hold everything but guests; a unit that may run on all of them is not listed.
    pub slices: BTreeMap<HostSlice, CpuSet>,
    /// The CPUs that may serve each interrupt (`/proc/irq/N/smp_affinity_list`).
    pub interrupts: BTreeMap<u32, CpuSet>,
    /// The services that run and have graphics cards open.
    pub display_services: BTreeSet<DisplayService>,
    /// Whether irqbalance runs, which moves interrupts itself (`/run/irqbalance`).
    pub irqbalance: bool,
}

/// CPUs whose frequency is governed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrequencyPolicy {
    /// The number in `policyN`.
    pub id: u32,
    /// Its CPUs (`affected_cpus`).
    pub cpus: CpuSet,
    /// `scaling_driver`: `intel_pstate`, `intel_cpufreq`, `amd-pstate-epp`, `amd-pstate`, `acpi-cpufreq`, …
    pub driver: Option<String>,
    /// `scaling_governor`.
    pub governor: Option<String>,
    /// `energy_performance_preference`; drivers without it have none.
    pub preference: Option<String>,
}

/// One interrupt and the CPUs that may serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Its number.
    pub number: u32,
    /// The CPUs it goes to (`/proc/irq/N/effective_affinity_list`, before Linux 4.13 `smp_affinity_list`).
    pub cpus: CpuSet,
    /// Who asked for it, as `/proc/interrupts` has it; empty where nobody did.
    pub users: String,
}

impl FrequencyPolicy {
    /// Whether the hardware chooses the frequency by a preference, so that `powersave` is not slow.
    pub fn is_active_mode(&self) -> bool {
        matches!(self.driver.as_deref(), Some("intel_pstate" | "amd-pstate-epp"))
    }
}

impl TuningFacts {
    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            frequency: Fact::unknown(because),
            interrupts: Fact::unknown(because),
            split_lock_mitigate: Fact::unknown(because),
            run_time: Fact::unknown(because),
        }
    }
}
