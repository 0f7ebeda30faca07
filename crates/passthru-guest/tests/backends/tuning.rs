//! What a specification can ask of processors, memory, Hyper-V and clocks, as far as the host of the tests can give it.

use std::collections::BTreeSet;

use passthru_guest::layout::Layout;
use passthru_guest::machine::HugePage;
use passthru_guest::spec::{
    AccelChoice, CacheChoice, ClockBase, FirmwareKind, PagesChoice, PinningChoice, PitTicks, RtcTicks,
};
use passthru_guest::{Guest, GuestSpec, MemorySize, spec};
use passthru_model::guest_tuning::Scheduler;
use passthru_plan::hyperv::Enlightenment as E;
use passthru_plan::hyperv::USUAL;
use passthru_plan::pinning::{GuestTopology, Prefer, Threads};
use proptest::prelude::*;

use crate::{build, paths, specs};

/// What is asked for, before it is known whether it can be.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub(crate) struct Wishes {
    pinning: Pins,
    topology: bool,
    cache: Option<CacheChoice>,
    topoext: bool,
    address_bits: Option<u8>,
    hide_kvm: bool,
    round_robin: bool,
    pages: PagesChoice,
    node: bool,
    prealloc: bool,
    merge: bool,
    window: bool,
    enlightenments: Option<BTreeSet<E>>,
    vendor: bool,
    clock: (Option<ClockBase>, Option<bool>, Option<RtcTicks>, Option<PitTicks>),
}

#[derive(Clone, Copy, Debug)]
enum Pins {
    Auto,
    Off,
    On(Option<Threads>, Option<Prefer>),
    ByHand,
}

pub(crate) fn wishes() -> impl Strategy<Value = Wishes> {
    let threads = prop_oneof![Just(Threads::Siblings), Just(Threads::OnePerCore), Just(Threads::Shared)];
    let prefer = prop_oneof![Just(Prefer::Cache), Just(Prefer::Frequency)];
    let pinning = prop_oneof![
        Just(Pins::Auto),
        Just(Pins::Off),
        (prop::option::of(threads), prop::option::of(prefer))
            .prop_map(|(threads, prefer)| Pins::On(threads, prefer)),
        Just(Pins::ByHand),
    ];
    let cache = prop::option::of(prop_oneof![Just(CacheChoice::Host), Just(CacheChoice::Emulated)]);
    let pages = prop_oneof![
        3 => Just(PagesChoice::Auto),
        1 => Just(PagesChoice::Huge1G),
        1 => Just(PagesChoice::Huge2M),
        1 => Just(PagesChoice::Transparent),
    ];
    let enlightenments = prop_oneof![
        Just(None),
        Just(Some(
            USUAL
                .into_iter()
                .chain([E::Spinlocks, E::StimerDirect, E::Ipi, E::Avic, E::Evmcs, E::Reset])
                .collect()
        )),
        Just(Some(BTreeSet::from([E::Relaxed]))),
        Just(Some(BTreeSet::from([E::Time]))),
    ];
    let base = prop::option::of(prop_oneof![Just(ClockBase::Utc), Just(ClockBase::Localtime)]);
    let rtc = prop::option::of(prop_oneof![Just(RtcTicks::Catchup), Just(RtcTicks::Delay)]);
    let pit = prop::option::of(prop_oneof![Just(PitTicks::Delay), Just(PitTicks::Discard)]);
    let bits = prop::option::of(36_u8..=48);
    let processor = (pinning, any::<bool>(), cache, any::<bool>(), bits, any::<bool>(), any::<bool>());
    let memory = (pages, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let hyper_v = (enlightenments, any::<bool>());
    let clock = (base, any::<Option<bool>>(), rtc, pit);
    (processor, memory, hyper_v, clock).prop_map(
        |(
            (pinning, topology, cache, topoext, address_bits, hide_kvm, round_robin),
            (pages, node, prealloc, merge, window),
            (enlightenments, vendor),
            clock,
        )| Wishes {
            pinning,
            topology,
            cache,
            topoext,
            address_bits,
            hide_kvm,
            round_robin,
            pages,
            node,
            prealloc,
            merge,
            window,
            enlightenments,
            vendor,
            clock,
        },
    )
}

impl Wishes {
    /// Asks for what the host of the tests can give.
    pub(crate) fn come_true(self, spec: &mut GuestSpec) {
        let cpus = spec.cpus;
        let processor = &mut spec.processor;
        match self.pinning {
            Pins::Off => processor.pinning = PinningChoice::Off,
            Pins::On(threads, prefer) => {
                let most = match threads {
                    None | Some(Threads::Siblings) => 62,
                    Some(Threads::OnePerCore) => 31,
                    Some(Threads::Shared) => 32,
                };
                if cpus <= most {
                    (processor.pinning, processor.threads, processor.prefer) =
                        (PinningChoice::On, threads, prefer);
                }
            }
            // From the last CPU down, so that no two neighbours are siblings.
            Pins::ByHand if cpus < 64 => processor.pins = Some((0..cpus).map(|vcpu| 63 - vcpu).collect()),
            Pins::Auto | Pins::ByHand => {}
        }
        let is_pinned = processor.pinning == PinningChoice::On || processor.pins.is_some();
        if self.round_robin && is_pinned {
            processor.scheduler = Scheduler::RoundRobin;
        }
        if self.topology && cpus > 2 && cpus.is_multiple_of(2) {
            let cores = usize::try_from(cpus / 2).expect("small");
            processor.topology = Some(if cpus.is_multiple_of(4) {
                GuestTopology { sockets: 1, dies: 2, cores: cores / 2, threads: 2 }
            } else {
                GuestTopology { sockets: 2, dies: 1, cores, threads: 1 }
            });
        }
        processor.hide_kvm = self.hide_kvm;
        if spec.accel != AccelChoice::Tcg {
            processor.cache = self.cache;
            processor.topoext = self.topoext.then_some(true);
            processor.address_bits = self.address_bits;
            spec.hyper_v.enlightenments = self.enlightenments;
            spec.hyper_v.vendor_id = self.vendor.then(|| "0123456789ab".to_owned());
        }
        let page = match self.pages {
            PagesChoice::Huge1G => 1024,
            PagesChoice::Huge2M => 2,
            PagesChoice::Auto | PagesChoice::Transparent => 1,
        };
        let mib = spec.memory.mib().next_multiple_of(page);
        // What the one node of the host of the tests has.
        let mib = if self.node { mib.min(64 << 10) } else { mib };
        spec.memory = MemorySize::from_mib(mib).expect("a size");
        let backing = &mut spec.memory_backing;
        backing.pages = self.pages;
        backing.node = self.node.then_some(0);
        backing.prealloc = self.prealloc.then_some(true);
        backing.merge = self.merge.then_some(false);
        if self.window
            && spec.firmware == FirmwareKind::Uefi
            && self.address_bits.is_none_or(|bits| bits > 37)
        {
            spec.mmio_window = MemorySize::from_mib(64 << 10);
        }
        (spec.clock.base, spec.clock.hpet, spec.clock.rtc, spec.clock.pit) = self.clock;
    }
}

/// The specification that says by hand what was chosen for a guest, as far as domain XML has words for it.
pub(crate) fn settled(spec: &GuestSpec, guest: &Guest) -> GuestSpec {
    let machine = guest.machine(&paths(guest));
    let mut spec = spec.clone();
    let io_thread = Layout::of(&machine).io_thread;
    spec.processor = passthru_guest::spec::Processor {
        pins: machine.cpu.pins.as_ref().map(|pins| pins.vcpus.clone()),
        emulator: machine.cpu.pins.as_ref().map(|pins| pins.emulator.clone()),
        iothread: machine.cpu.pins.as_ref().filter(|_| io_thread).map(|pins| pins.iothread.clone()),
        scheduler: guest.scheduler(),
        topology: Some(machine.cpu.topology),
        cache: machine.cpu.cache,
        topoext: machine.cpu.topoext,
        address_bits: machine.cpu.address_bits,
        hide_kvm: machine.cpu.hide_kvm,
        ..Default::default()
    };
    let source = machine.memory_source;
    spec.memory_backing.pages = match source.huge.map(HugePage::word) {
        None => PagesChoice::Auto,
        Some("1G") => PagesChoice::Huge1G,
        Some(_) => PagesChoice::Huge2M,
    };
    spec.memory_backing.node = source.node;
    spec.memory_backing.prealloc = (source.prealloc && source.huge.is_none()).then_some(true);
    spec.memory_backing.merge = (!source.merge).then_some(false);
    spec.mmio_window = machine.mmio_window;
    spec.hyper_v.enlightenments = Some(machine.hyper_v.on.clone()).filter(|on| !on.is_empty());
    spec.clock.base = Some(machine.timers.base);
    (spec.clock.hpet, spec.clock.rtc, spec.clock.pit) =
        (machine.timers.hpet, machine.timers.rtc, machine.timers.pit);
    spec
}

/// Whether a command line tells that a guest is a Windows, or says that of another: by the time that its board keeps, and by
/// what it is told about its hypervisor.
pub(crate) fn looks_like_windows(guest: &Guest) -> bool {
    let machine = guest.machine(&paths(guest));
    let told = &machine.hyper_v;
    machine.timers.base == ClockBase::Localtime || !told.on.is_empty() || told.vendor_id.is_some()
}

/// Whether two specifications come to the same machine, but for what is not said by the file that the second was made of:
/// that vCPUs are not pinned, and that memory is ordinary.
pub(crate) fn is_same_machine(original: &Guest, read: &GuestSpec) -> bool {
    let read = build(read);
    let (original, mut read) = (original.machine(&paths(original)), read.machine(&paths(&read)));
    match (&original.cpu.pins, &mut read.cpu.pins) {
        // I/O threads have their place in the file only where there are any.
        (Some(original), Some(read)) => read.iothread.clone_from(&original.iothread),
        (None, _) => read.cpu = original.cpu.clone(),
        (Some(_), None) => {}
    }
    if original.memory_source.huge.is_none() {
        read.memory_source = original.memory_source;
    }
    original == read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_specification_that_is_written_is_read_back(wanted in specs()) {
        let text = spec::write(&wanted, |_| None);
        prop_assert_eq!(spec::parse(wanted.name.clone(), "box.toml", &text), Ok(wanted), "{}", text);
    }
}
