//! The table `[processor]`: where vCPUs run, and what processor the guest sees. All of it is chosen for the host where
//! nothing is said.

use passthru_model::cpu_set::CpuSet;
use passthru_model::guest_tuning::Scheduler;
use passthru_plan::pinning::{GuestTopology, Prefer, Threads};
use serde::Deserialize;

use super::write::{Table, quoted};

/// Whether vCPUs are pinned to CPUs of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinningChoice {
    /// Where the guest is given a device of the host, and the host has room.
    #[default]
    Auto,
    /// They are, or the guest cannot be.
    On,
    /// The scheduler places them.
    Off,
}

impl PinningChoice {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// What a guest is told of caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheChoice {
    /// The host's own (`host-cache-info`, libvirt's `<cache mode='passthrough'/>`).
    Host,
    /// Caches that QEMU makes up.
    Emulated,
}

impl CacheChoice {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Emulated => "emulated",
        }
    }
}

/// The table. `None` leaves a key to the builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Processor {
    /// Whether vCPUs are pinned.
    pub pinning: PinningChoice,
    /// What to do with SMT siblings, where they are pinned.
    pub threads: Option<Threads>,
    /// Which L3 domain to prefer, where they are pinned.
    pub prefer: Option<Prefer>,
    /// The host CPU of each vCPU, by hand.
    pub pins: Option<Vec<u32>>,
    /// The host CPUs of QEMU's own threads.
    pub emulator: Option<CpuSet>,
    /// The host CPUs of I/O threads.
    pub iothread: Option<CpuSet>,
    /// How the kernel schedules vCPUs, where they are pinned.
    pub scheduler: Scheduler,
    /// Sockets, dies, cores and threads that the guest sees.
    #[serde(deserialize_with = "topology")]
    pub topology: Option<GuestTopology>,
    /// What it is told of caches.
    pub cache: Option<CacheChoice>,
    /// Whether AMD's extended topology is shown, without which a guest on AMD sees no SMT.
    pub topoext: Option<bool>,
    /// Bits of a physical address that it sees.
    pub address_bits: Option<u8>,
    /// Whether it is not told that it runs under KVM.
    pub hide_kvm: bool,
}

/// A topology as it is written: what is not named is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopologyKeys {
    #[serde(default = "one")]
    sockets: usize,
    #[serde(default = "one")]
    dies: usize,
    cores: usize,
    #[serde(default = "one")]
    threads: usize,
}

fn one() -> usize {
    1
}

fn topology<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<GuestTopology>, D::Error> {
    let TopologyKeys { sockets, dies, cores, threads } = TopologyKeys::deserialize(deserializer)?;
    Ok(Some(GuestTopology { sockets, dies, cores, threads }))
}

impl Processor {
    /// The table as text; nothing where all is left to the builder.
    pub(super) fn write(&self) -> String {
        let mut table = Table::new("processor");
        if self.pinning != PinningChoice::Auto {
            table.key("pinning", quoted(self.pinning.word()));
        }
        table.optional("threads", self.threads.map(|threads| quoted(threads.word())));
        table.optional("prefer", self.prefer.map(|prefer| quoted(prefer.word())));
        table.optional("pins", self.pins.as_ref().map(|pins| format!("{pins:?}")));
        table.optional("emulator", self.emulator.as_ref().map(|cpus| quoted(&cpus.to_string())));
        table.optional("iothread", self.iothread.as_ref().map(|cpus| quoted(&cpus.to_string())));
        if self.scheduler != Scheduler::Normal {
            table.key("scheduler", quoted(self.scheduler.word()));
        }
        table.optional(
            "topology",
            self.topology.map(|GuestTopology { sockets, dies, cores, threads }| {
                let dies = if dies == 1 { String::new() } else { format!("dies = {dies}, ") };
                format!("{{ sockets = {sockets}, {dies}cores = {cores}, threads = {threads} }}")
            }),
        );
        table.optional("cache", self.cache.map(|cache| quoted(cache.word())));
        table.optional("topoext", self.topoext.map(|on| on.to_string()));
        table.optional("address-bits", self.address_bits.map(|bits| bits.to_string()));
        if self.hide_kvm {
            table.key("hide-kvm", "true".to_owned());
        }
        table.finish()
    }
}
