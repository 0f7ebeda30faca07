//! The processors that a guest sees.

use passthru_model::HostFacts;
use passthru_plan::pinning::{GuestTopology, Pinning};

use super::{BuildError, Building};
use crate::accel::Accel;
use crate::choice::Topic;
use crate::machine::{Cpu, Pins};
use crate::spec::{CacheChoice, GuestSpec};

/// Bits of a physical address that a processor can have: PAE's, and the most that x86-64 leaves room for.
const ADDRESS_BITS: std::ops::RangeInclusive<u8> = 36..=52;

/// Decides what the guest sees.
pub(super) fn decide(
    spec: &GuestSpec,
    facts: &HostFacts,
    accel: Accel,
    pinning: Option<&Pinning>,
    building: &mut Building,
) -> Cpu {
    match accel {
        Accel::Kvm => building.say(
            Topic::Processor,
            "the host's own processor with all that it can (host-passthrough, not migratable): the fastest, for no guest moves to another \
             host here",
        ),
        Accel::Tcg => building.say(Topic::Processor, "all that QEMU can emulate (max)"),
    }
    let topology = topology(spec, pinning, building);
    if spec.processor.hide_kvm {
        building.say(
            Topic::Processor,
            "the guest is not told that it runs under KVM, as its specification wants; NVIDIA's drivers from 465 (2021) on need no \
             such thing",
        );
    }
    Cpu {
        topology,
        pins: pinning.map(|pinning| Pins::new(pinning, spec.processor.scheduler)),
        cache: cache(spec, facts, accel, topology, pinning, building),
        topoext: topoext(spec, facts, accel, topology, building),
        address_bits: address_bits(spec, facts, accel, building),
        hide_kvm: spec.processor.hide_kvm,
    }
}

/// Sockets, cores and threads.
fn topology(spec: &GuestSpec, pinning: Option<&Pinning>, building: &mut Building) -> GuestTopology {
    let cpus = usize::try_from(spec.cpus).unwrap_or(usize::MAX);
    if let Some(shown) = spec.processor.topology {
        if shown.vcpus() != Some(cpus) {
            building.wrong(BuildError::TopologyProduct { shown, cpus: spec.cpus });
        }
        building.say(Topic::Processor, format!("{}, by hand", in_words(shown)));
        return shown;
    }
    let Some(pinning) = pinning else {
        building.say(
            Topic::Processor,
            format!(
                "{}: without pins, cores that the guest saw would not be the host's",
                in_words(GuestTopology::plain(cpus))
            ),
        );
        return GuestTopology::plain(cpus);
    };
    let mut shown = pinning.guest;
    if spec.os.is_windows() && shown.sockets > 1 {
        building.say(
            Topic::Processor,
            format!("one socket instead of {}: Windows' client editions use one or two", shown.sockets),
        );
        shown = GuestTopology { sockets: 1, cores: shown.cores.saturating_mul(shown.sockets), ..shown };
    }
    shown
}

/// A topology as people say it.
fn in_words(shown: GuestTopology) -> String {
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let dies = if shown.dies == 1 { String::new() } else { format!("{} of ", plural(shown.dies, "die")) };
    format!(
        "{} of {dies}{} with {}",
        plural(shown.sockets, "socket"),
        plural(shown.cores, "core"),
        plural(shown.threads, "thread")
    )
}

/// Whether the guest is told of the host's caches: true of it only where its cores are the host's, and share what those share.
fn cache(
    spec: &GuestSpec,
    facts: &HostFacts,
    accel: Accel,
    shown: GuestTopology,
    pinning: Option<&Pinning>,
    building: &mut Building,
) -> Option<CacheChoice> {
    if let Some(cache) = spec.processor.cache {
        if accel == Accel::Tcg {
            building.wrong(BuildError::NeedsKvm("processor.cache"));
        }
        building.say(Topic::Processor, format!("caches are {}, by hand", cache.word()));
        return Some(cache);
    }
    if accel == Accel::Tcg {
        return None;
    }
    let threads = facts.topology.value().map(passthru_model::Topology::most_threads);
    let (host, why) = match pinning {
        None => (
            false,
            "caches are those that QEMU makes up: without pins, what the host's cores share is not what vCPUs share",
        ),
        Some(pinning) if pinning.l3.len() != 1 => (
            false,
            "caches are those that QEMU makes up: the vCPUs are in several L3 domains, and the guest would take them for one",
        ),
        Some(_) if threads != Some(shown.threads) => (
            false,
            "caches are those that QEMU makes up: the guest's cores have not the host's number of threads",
        ),
        Some(_) => (
            true,
            "the host's own caches (host-cache-info): the guest's cores are laid out as the host's, within one L3",
        ),
    };
    building.say(Topic::Processor, why);
    host.then_some(CacheChoice::Host)
}

/// Whether AMD's extended topology is needed. QEMU keeps it out of the host's model (`no_autoenable_flags` in
/// `target/i386/cpu.c`), and without it a guest sees no threads.
fn topoext(
    spec: &GuestSpec,
    facts: &HostFacts,
    accel: Accel,
    shown: GuestTopology,
    building: &mut Building,
) -> Option<bool> {
    let amd =
        facts.cpu.vendor.value().map(|vendor| matches!(vendor.as_str(), "AuthenticAMD" | "HygonGenuine"));
    if let Some(on) = spec.processor.topoext {
        if accel == Accel::Tcg {
            building.wrong(BuildError::NeedsKvm("processor.topoext"));
        } else if on && amd == Some(false) {
            building.wrong(BuildError::TopoextNotAmd);
        }
        return Some(on);
    }
    let on = accel == Accel::Kvm && amd == Some(true) && shown.threads > 1;
    if on {
        building.say(
            Topic::Processor,
            "topoext, without which a guest on an AMD processor does not see that its cores have threads",
        );
    }
    on.then_some(true)
}

/// Bits of a physical address, where the guest must see fewer than the host has.
fn address_bits(spec: &GuestSpec, facts: &HostFacts, accel: Accel, building: &mut Building) -> Option<u8> {
    let host = facts.cpu.physical_bits.value().copied();
    if let Some(bits) = spec.processor.address_bits {
        if accel == Accel::Tcg {
            building.wrong(BuildError::NeedsKvm("processor.address-bits"));
        } else if !ADDRESS_BITS.contains(&bits) || host.is_some_and(|host| bits > host) {
            let most = host.unwrap_or(*ADDRESS_BITS.end());
            building.wrong(BuildError::AddressBits { bits, least: *ADDRESS_BITS.start(), most });
        }
        building.say(Topic::Processor, format!("{bits} bits of physical address, by hand"));
        return Some(bits);
    }
    if accel == Accel::Tcg || !building.has_devices {
        return None;
    }
    let (Some(iommu), Some(host)) = (facts.iommu.address_bits(), host) else {
        building.say(
            Topic::Processor,
            "as many bits of physical address as the host has: how far the IOMMU or the processor reaches is not known",
        );
        return None;
    };
    if iommu >= host {
        building.say(
            Topic::Processor,
            format!(
                "as many bits of physical address as the host has ({host}), all of which the IOMMU reaches"
            ),
        );
        return None;
    }
    building.say(
        Topic::Processor,
        format!(
            "{iommu} bits of physical address instead of the host's {host}: the IOMMU reaches no further, and the guest's firmware \
             would put large BARs beyond it"
        ),
    );
    Some(iommu)
}
