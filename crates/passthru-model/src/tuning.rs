//! Settings of the running host that make a guest faster or slower.

use crate::cpu_set::CpuSet;
use crate::fact::Fact;

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
        }
    }
}
