//! Which CPUs of the host a guest's vCPUs run on, and why.
//!
//! The rules, the strongest first: never an offline CPU; whole cores, so that host and guest never share one; cores of the
//! strongest kind alone; at least one core stays with the host, and CPU 0's core is the last to be taken, since interrupts
//! and timers are served there by default; one L3 domain where it fits; the device's NUMA node; the domain with more
//! cache, or the better-boosting cores.

mod by_hand;
mod cores;
mod emulator;
mod reasons;
mod scope;

use passthru_model::address::PciAddress;
use passthru_model::cpu_set::CpuSet;
use passthru_model::topology::Topology;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use by_hand::{ByHand, HandRefusal, by_hand};

/// What to do with SMT siblings ("Hyper-threading"); the wiki page's section "CPU pinning" has the two ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Threads {
    /// Both threads of each core go to the guest, which sees them as siblings: the page's way for a busy host.
    #[default]
    Siblings,
    /// One vCPU on each core; the core's other threads stay empty.
    OnePerCore,
    /// One vCPU on each core, and the host keeps the core's other thread: the page's way for a host that is idle.
    Shared,
}

impl Threads {
    /// The word in a guest's specification and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Siblings => "siblings",
            Self::OnePerCore => "one-per-core",
            Self::Shared => "shared",
        }
    }
}

/// Which L3 domain to prefer where several would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// The one with more cache (on an X3D part, the stacked one), then the better-boosting one.
    #[default]
    Cache,
    /// The one whose cores boost better, then the one with more cache.
    Frequency,
}

impl Prefer {
    /// The word in a guest's specification and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Frequency => "frequency",
        }
    }
}

/// A device that the guest is given, whose memory accesses should stay on its own node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// The device.
    pub address: PciAddress,
    /// Its NUMA node, where the firmware says it.
    pub node: Option<u32>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// How many vCPUs.
    pub vcpus: usize,
    /// What to do with siblings.
    pub threads: Threads,
    /// Which L3 domain to prefer.
    pub prefer: Prefer,
    /// The device to be near to.
    pub near: Option<Near>,
}

/// The processors that the guest sees. The product of all is the number of vCPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GuestTopology {
    /// Sockets.
    pub sockets: usize,
    /// Dies in each socket. Always 1 where it is planned: QEMU's dies do not carry AMD's L3 domains to the guest.
    pub dies: usize,
    /// Cores in each die.
    pub cores: usize,
    /// Threads of each core. vCPUs 0 and 1 are siblings where it is 2.
    pub threads: usize,
}

impl GuestTopology {
    /// One socket of plain cores.
    pub fn plain(vcpus: usize) -> Self {
        Self { sockets: 1, dies: 1, cores: vcpus, threads: 1 }
    }

    /// How many vCPUs it has; `None` where the product overflows.
    pub fn vcpus(self) -> Option<usize> {
        self.sockets.checked_mul(self.dies)?.checked_mul(self.cores)?.checked_mul(self.threads)
    }
}

/// What a choice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Which kind of core.
    Kind,
    /// Which cores.
    Cores,
    /// What becomes of siblings.
    Threads,
    /// Which L3 domain.
    L3,
    /// Which NUMA node.
    Node,
    /// What the host keeps.
    Host,
    /// Where QEMU's own threads run.
    Emulator,
    /// CPUs that are isolated.
    Isolated,
    /// What the guest sees.
    Guest,
}

/// One choice, and why it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Choice {
    /// What it is about.
    pub about: Subject,
    /// What was chosen and why, in one sentence.
    pub why: String,
}

/// Where everything of a guest runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinning {
    /// The host CPU of each vCPU, by number. No CPU is in it twice.
    pub pins: Vec<u32>,
    /// What the guest sees.
    pub guest: GuestTopology,
    /// All threads of the cores that the guest has, also those without a vCPU. With [`Threads::Shared`] and by hand, the pins
    /// alone.
    pub guest_cpus: CpuSet,
    /// The online CPUs that stay with the host.
    pub host_cpus: CpuSet,
    /// Where QEMU's own threads run: CPUs of the host's share.
    pub emulator: CpuSet,
    /// Where I/O threads run: CPUs of the host's share, apart from the emulator's where there are enough.
    pub iothread: CpuSet,
    /// The NUMA node that memory should come from; `None`: there is one at most, or the vCPUs span several.
    pub node: Option<u32>,
    /// Positions in [`Topology::l3`] of the domains that the vCPUs run in.
    pub l3: Vec<usize>,
    /// Each choice, and why.
    pub choices: Vec<Choice>,
}

/// Why vCPUs cannot be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinningRefusal {
    /// None are asked for.
    #[error("a guest needs at least one vCPU")]
    NoVcpus,
    /// The host has a single core.
    #[error("this host has one core, and it needs that one itself")]
    OneCore,
    /// More than fit beside the host.
    #[error("{asked} vCPUs do not fit: {room}, and the host keeps at least one core; at most {most} do")]
    TooMany {
        /// How many were asked for.
        asked: usize,
        /// How many would fit.
        most: usize,
        /// What there is.
        room: Room,
    },
    /// [`Threads::Shared`] without SMT.
    #[error("no core that the guest could share has a second thread: ‘siblings’ or ‘one-per-core’ will do")]
    NoSiblings,
}

/// The cores there are for guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Cores that a guest could run on, the host's included.
    pub cores: usize,
    /// Whether these are the performance cores of a hybrid processor.
    pub performance: bool,
    /// Whether only one thread of each is used.
    pub one_each: bool,
}

impl std::fmt::Display for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.performance { "performance core" } else { "core" };
        let plural = if self.cores == 1 { "" } else { "s" };
        let each = if self.one_each { ", one vCPU on each" } else { "" };
        write!(f, "there are {} {kind}{plural}{each}", self.cores)
    }
}

/// Chooses CPUs for a guest.
pub fn pin(topology: &Topology, request: &Request) -> Result<Pinning, PinningRefusal> {
    if request.vcpus == 0 {
        return Err(PinningRefusal::NoVcpus);
    }
    if topology.cores.len() < 2 && request.threads != Threads::Shared {
        return Err(PinningRefusal::OneCore);
    }
    let eligible = cores::eligible(topology, request)?;
    let chosen = scope::choose(topology, request, &eligible)?;
    let guest = cores::guest_topology(topology, request, &chosen.cores);
    let pins = cores::pins(topology, request, &chosen.cores);
    let taken: CpuSet = match request.threads {
        Threads::Shared => pins.iter().copied().collect(),
        _ => chosen.cores.iter().flat_map(|&core| topology.cores[core].cpus.iter()).collect(),
    };
    let host_cpus = topology.online.difference(&taken);
    let threads = emulator::place(topology, &chosen.cores, &host_cpus);
    let mut pinning = Pinning {
        node: cores::one_node(topology, &chosen.cores),
        l3: cores::domains(topology, &chosen.cores),
        pins,
        guest,
        guest_cpus: taken,
        host_cpus,
        emulator: threads.emulator,
        iothread: threads.iothread,
        choices: Vec::new(),
    };
    pinning.choices = reasons::of(topology, request, &eligible, &chosen, &pinning, threads.place);
    Ok(pinning)
}

/// The most vCPUs that can be pinned on a host this way; 0 where none can.
pub fn most(topology: &Topology, threads: Threads) -> usize {
    let request = Request { vcpus: usize::MAX, threads, ..Request::default() };
    match pin(topology, &request) {
        Err(PinningRefusal::TooMany { most, .. }) => most,
        _ => 0,
    }
}
