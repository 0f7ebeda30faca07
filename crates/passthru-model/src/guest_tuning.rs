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

/// Whether the host may go to sleep while a guest has functions of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostSleep {
    /// It may not: a function that vfio-pci has loses its state in sleep, and its guest's driver finds a dead device.
    #[default]
    Block,
    /// It may, as the guest or somebody else cares for that.
    Allow,
}

/// How the kernel schedules the threads that run vCPUs (`sched(7)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduler {
    /// As any program.
    #[default]
    Normal,
    /// Before all normal programs (`SCHED_RR`, priority 1): these get a CPU of a vCPU that works for no more than the share that the kernel
    /// keeps from real-time threads (a twentieth, `/proc/sys/kernel/sched_rt_runtime_us`).
    RoundRobin,
}

impl Scheduler {
    /// The word in a specification.
    pub fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::RoundRobin => "round-robin",
        }
    }
}

/// The table `[tuning]` of a specification. Nothing is tuned that is not asked for; that the host stays awake is no tuning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is one key of the table, true or not")]
pub struct GuestTuning {
    /// Who may run on the CPUs of its vCPUs.
    pub isolation: Isolation,
    /// Whether their frequency is raised.
    pub frequency: Frequency,
    /// Where interrupts go.
    pub interrupts: Interrupts,
    /// Whether the host may go to sleep while the guest has functions of it.
    pub host_sleep: HostSleep,
    /// Whether the host gives its picture up for it: the desktop is ended, and comes back when the guest has ended.
    pub hand_over_display: bool,
    /// Whether it may be given the only display that the host has.
    pub take_only_display: bool,
    /// Whether it may be given storage or network devices that the host uses.
    pub take_in_use: bool,
    /// Whether it may be given the controller of the host's last keyboard.
    pub take_last_keyboard: bool,
}

impl GuestTuning {
    /// Whether the host is kept awake for a guest that has functions of it, or has none.
    pub fn keeps_awake(self, has_functions: bool) -> bool {
        has_functions && self.host_sleep == HostSleep::Block
    }
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
    /// How those of vCPUs are scheduled.
    pub scheduler: Scheduler,
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
