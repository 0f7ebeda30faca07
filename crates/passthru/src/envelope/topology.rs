//! `passthru topology --json`.

use std::collections::BTreeMap;

use passthru_model::{CpuSet, PciAddress};
use passthru_plan::pinning::{Choice, GuestTopology};
use schemars::JsonSchema;
use serde::Serialize;

/// `passthru topology --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TopologyEnvelope {
    /// `passthru.topology/1`.
    pub schema: &'static str,
    /// CPUs that run.
    pub online: CpuSet,
    /// CPUs that are there and do not run.
    pub offline: CpuSet,
    /// CPUs taken from the scheduler by `isolcpus=`.
    pub isolated: CpuSet,
    /// Sockets.
    pub packages: Vec<Package>,
    /// NUMA nodes; empty where the kernel has no NUMA.
    pub nodes: Vec<Node>,
    /// L3 domains; `cores` names them by their position here.
    pub l3: Vec<L3>,
    /// Cores in order of their lowest CPU.
    pub cores: Vec<CoreLine>,
    /// Devices that a guest might be given, in order of address.
    pub devices: Vec<NodeDevice>,
    /// Memory as far as guests care.
    pub memory: Memory,
    /// The most vCPUs that a guest can have beside the host.
    pub most_vcpus: usize,
    /// The pinning for `--vcpus`; null where none was asked for.
    pub pinning: Option<PinningLine>,
    /// What could not be read, and why.
    pub unknown: Vec<String>,
}

/// One socket.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Package {
    /// The kernel's number; null where it has none.
    pub id: Option<u32>,
    /// Its online CPUs.
    pub cpus: CpuSet,
}

/// One NUMA node.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Node {
    /// Its number.
    pub id: u32,
    /// Its online CPUs.
    pub cpus: CpuSet,
    /// Its memory in KiB.
    pub memory_kib: Option<u64>,
    /// Distance to each node by number; 10 is local.
    pub distances: BTreeMap<u32, u32>,
}

/// One L3 domain.
#[derive(Debug, Serialize, JsonSchema)]
pub struct L3 {
    /// The kernel's number.
    pub id: Option<u32>,
    /// Its size in KiB.
    pub size_kib: Option<u64>,
    /// Its online CPUs.
    pub cpus: CpuSet,
}

/// One core.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CoreLine {
    /// Its online threads, siblings of each other.
    pub cpus: CpuSet,
    /// Position in `packages`.
    pub package: Option<usize>,
    /// Number of its NUMA node.
    pub node: Option<u32>,
    /// Position in `l3`.
    pub l3: Option<usize>,
    /// `performance`, `efficiency`, `low-power`; null where all are of one kind.
    pub kind: Option<&'static str>,
    /// How well it boosts beside the others; larger is better.
    pub ranking: Option<u32>,
}

/// One device and where it hangs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NodeDevice {
    /// The PCI function.
    pub address: PciAddress,
    /// Its name.
    pub name: String,
    /// Its NUMA node; null where the firmware does not say.
    pub node: Option<u32>,
}

/// Memory.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Memory {
    /// All of it, in KiB.
    pub total_kib: Option<u64>,
    /// What could be had without swapping, in KiB.
    pub available_kib: Option<u64>,
    /// Static huge pages of the host, by size.
    pub huge_pages: Vec<HugePagesLine>,
    /// `always`, `madvise` or `never`; null where there are none.
    pub transparent_huge_pages: Option<String>,
    /// Free memory in KiB.
    pub free_kib: Option<u64>,
    /// Free memory in blocks of at least 2 MiB, in KiB: what could become huge pages at once.
    pub free_in_2m_blocks_kib: Option<u64>,
}

/// Static huge pages of one size.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HugePagesLine {
    /// The size in KiB.
    pub size_kib: u64,
    /// All of them.
    pub total: u64,
    /// Those not in use.
    pub free: u64,
    /// All of them, by NUMA node.
    pub nodes: BTreeMap<u32, u64>,
}

/// Where the CPUs of a guest would run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PinningLine {
    /// One for each vCPU, in order.
    pub vcpus: Vec<Pin>,
    /// What the guest sees.
    pub guest: GuestTopology,
    /// All threads of the guest's cores.
    pub guest_cpus: CpuSet,
    /// CPUs that stay with the host.
    pub host_cpus: CpuSet,
    /// Where QEMU's own threads run.
    pub emulator: CpuSet,
    /// Where I/O threads run.
    pub iothread: CpuSet,
    /// The NUMA node to take memory from; null where there is no choice to make.
    pub node: Option<u32>,
    /// Positions in `l3` of the domains that the vCPUs run in.
    pub l3: Vec<usize>,
    /// Each choice and why.
    pub choices: Vec<Choice>,
}

/// One vCPU.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pin {
    /// Its number in the guest.
    pub vcpu: usize,
    /// The CPU of the host that it runs on.
    pub cpu: u32,
}
