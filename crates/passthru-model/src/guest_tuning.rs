//! How the host is tuned for a guest while it runs, as its specification asks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cpu_set::CpuSet;

/// Who may run on the CPUs of a guest's vCPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Everybody.
    #[default]
    None,
    /// Nothing that systemd has started: its units keep to the other CPUs (`AllowedCPUs=`). Threads of the kernel do not.
    Slices,
    /// Nothing but the guest: its control group is a partition of its own, with its own scheduling domain
    /// (`cpuset.cpus.partition`, `Documentation/admin-guide/cgroup-v2.rst`).
    Partition,
}

/// Whether frequencies are raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Frequency {
    /// They are left to the host.
    #[default]
    Leave,
    /// The CPUs of the guest run as fast as they can.
    Performance,
}

/// Where interrupts of the host's devices go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Interrupts {
    /// Where they went before.
    #[default]
    Leave,
    /// To the CPUs that stay with the host, as far as the kernel lets them be moved.
    Move,
}

/// The table `[tuning]` of a specification. Nothing is tuned that is not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct GuestTuning {
    /// Who may run on the CPUs of its vCPUs.
    pub isolation: Isolation,
    /// Whether their frequency is raised.
    pub frequency: Frequency,
    /// Where interrupts go.
    pub interrupts: Interrupts,
    /// Whether it may be given the only display that the host has.
    pub take_only_display: bool,
    /// Whether it may be given storage or network devices that the host uses.
    pub take_in_use: bool,
    /// Whether it may be given the controller of the host's last keyboard.
    pub take_last_keyboard: bool,
}

/// Where the threads of a guest run on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadPlaces {
    /// The one CPU of each vCPU, by the vCPU's number.
    pub vcpus: Vec<u32>,
    /// QEMU's own threads, also those that it makes later: they begin where the thread that makes them is.
    pub emulator: CpuSet,
    /// I/O threads.
    pub iothreads: CpuSet,
}

/// Huge pages that a guest's memory is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HugePagesWanted {
    /// The size of one in KiB.
    pub size_kib: u64,
    /// The NUMA node that they are to come from; `None`: any.
    pub node: Option<u32>,
    /// How many.
    pub count: u64,
}
