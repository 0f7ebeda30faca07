//! The processors of a machine.

use passthru_model::cpu_set::CpuSet;
use passthru_model::guest_tuning::Scheduler;
use passthru_plan::pinning::{GuestTopology, Pinning};

use crate::spec::CacheChoice;

/// Where the threads of a machine run on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    /// The host CPU of each vCPU, by number.
    pub vcpus: Vec<u32>,
    /// The host CPUs of QEMU's own threads.
    pub emulator: CpuSet,
    /// The host CPUs of I/O threads.
    pub iothread: CpuSet,
    /// How the kernel schedules vCPUs.
    pub scheduler: Scheduler,
}

impl Pins {
    /// The places that were chosen.
    pub fn new(pinning: &Pinning, scheduler: Scheduler) -> Self {
        Self {
            vcpus: pinning.pins.clone(),
            emulator: pinning.emulator.clone(),
            iothread: pinning.iothread.clone(),
            scheduler,
        }
    }
}

/// The processors, beyond their model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// What the guest sees; the product is the number of vCPUs.
    pub topology: GuestTopology,
    /// Where they run; `None` leaves it to the scheduler.
    pub pins: Option<Pins>,
    /// What the guest is told of caches; `None` is what QEMU does by itself.
    pub cache: Option<CacheChoice>,
    /// Whether AMD's extended topology is shown, which QEMU leaves out of the host's model by itself.
    pub topoext: Option<bool>,
    /// Bits of a physical address, where they are fewer than the host's.
    pub address_bits: Option<u8>,
    /// Whether the guest is not told that it runs under KVM.
    pub hide_kvm: bool,
}

impl Cpu {
    /// So many plain cores in one socket, anywhere.
    pub fn plain(vcpus: usize) -> Self {
        Self {
            topology: GuestTopology::plain(vcpus),
            pins: None,
            cache: None,
            topoext: None,
            address_bits: None,
            hide_kvm: false,
        }
    }

    /// How many vCPUs there are.
    pub fn vcpus(&self) -> usize {
        self.topology.vcpus().unwrap_or(usize::MAX)
    }
}
