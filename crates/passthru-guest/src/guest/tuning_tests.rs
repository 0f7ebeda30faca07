//! Processors, memory, Hyper-V, clocks and the window of a guest: what is chosen for a host and why, and what cannot be.

use super::{BuildError, Guest};
use crate::choice::Topic;
use crate::look::Looked;
use crate::machine::HugePage;
use crate::size::MemorySize;
use crate::spec::{AccelChoice, CacheChoice, FirmwareKind, GuestSpec, Os, PagesChoice, PinningChoice};
use crate::testing::{self, change, processors, tuned_facts};
use passthru_model::guest_tuning::HugePagesWanted;
use passthru_model::{Fact, HostFacts};
use passthru_plan::hyperv::Enlightenment;
use passthru_plan::pinning::{GuestTopology, HandRefusal, Threads};

fn spec() -> GuestSpec {
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.cpus = 4;
    spec.devices = testing::gpu_identities();
    spec
}

/// Eight cores of two threads in two L3 domains, on one node.
fn host() -> HostFacts {
    tuned_facts(processors(8, 4, 1))
}

fn build(spec: &GuestSpec, facts: &HostFacts) -> Guest {
    Guest::build(spec, facts, &Looked::default()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(spec: &GuestSpec, facts: &HostFacts) -> Vec<BuildError> {
    Guest::build(spec, facts, &Looked::default()).expect_err("refused").list().to_vec()
}

/// Every reason in a line, below its topic.
fn reasons(guest: &Guest) -> String {
    let mut out = String::new();
    for topic in guest.choices().chunk_by(|one, next| one.about == next.about) {
        out.push_str(topic[0].about.word());
        for choice in topic {
            out.push_str("\n  - ");
            out.push_str(&choice.why);
        }
        out.push('\n');
    }
    out
}

fn why(guest: &Guest, about: Topic) -> String {
    let all: Vec<&str> = guest
        .choices()
        .iter()
        .filter(|choice| choice.about == about)
        .map(|choice| choice.why.as_str())
        .collect();
    all.join("; ")
}

#[test]
fn a_windows_with_a_card_is_told_all_that_was_chosen_for_it() {
    let mut spec = spec();
    spec.os = Os::Windows10;
    let guest = build(&spec, &host());
    insta::assert_snapshot!(reasons(&guest));
    assert_eq!(guest.pinning().map(|pinning| pinning.pins.clone()), Some(vec![6, 14, 7, 15]));
    assert_eq!(guest.huge_pages(), Some(HugePagesWanted { size_kib: 1 << 20, count: 4, node: None }));
}

#[test]
fn a_linux_without_a_card_is_left_to_the_scheduler_and_to_small_means() {
    let mut spec = spec();
    spec.devices.clear();
    let guest = build(&spec, &host());
    insta::assert_snapshot!(reasons(&guest));
    assert_eq!((guest.pinning(), guest.huge_pages()), (None, None));
}

#[test]
fn a_host_of_which_little_is_known_is_no_obstacle_until_something_is_asked_for() {
    let guest = build(&spec(), &testing::facts());
    assert!(why(&guest, Topic::Pinning).contains("processors are unknown (not needed here)"));
    let mut spec = spec();
    spec.processor.threads = Some(Threads::Siblings);
    assert_eq!(errors(&spec, &testing::facts()), [BuildError::TopologyUnknown("not needed here".to_owned())]);
}

#[test]
fn a_host_without_room_leaves_vcpus_to_the_scheduler_unless_pins_are_asked_for() {
    let facts = tuned_facts(processors(2, 2, 1));
    let mut spec = spec();
    assert!(why(&build(&spec, &facts), Topic::Pinning).contains("4 vCPUs do not fit"));
    spec.processor.pinning = PinningChoice::On;
    assert!(matches!(errors(&spec, &facts)[..], [BuildError::Pinning(_)]));
    spec.cpus = 2;
    assert_eq!(build(&spec, &facts).pinning().map(|pinning| pinning.pins.clone()), Some(vec![1, 3]));
}

#[test]
fn pins_by_hand_are_taken_and_show_the_guest_what_they_are() {
    let mut spec = spec();
    spec.processor.pins = Some(vec![1, 9, 2, 10]);
    spec.processor.emulator = Some("0,8".parse().expect("a set"));
    let guest = build(&spec, &host());
    insta::assert_snapshot!(why(&guest, Topic::Pinning), @"vCPUs on CPUs 1, 9, 2, 10 in turn, by hand; the guest sees 2 cores with 2 threads each, as they are pinned; QEMU's own threads on 0,8, I/O threads on 3,11, by hand");
    let shown = guest.pinning().map(|pinning| pinning.guest);
    assert_eq!(shown, Some(GuestTopology { sockets: 1, dies: 1, cores: 2, threads: 2 }));
    // Split siblings are no siblings in the guest.
    spec.processor.pins = Some(vec![1, 2, 9, 10]);
    assert_eq!(build(&spec, &host()).pinning().map(|pinning| pinning.guest), Some(GuestTopology::plain(4)));
}

#[test]
fn pins_by_hand_that_cannot_be_are_refused() {
    let mut facts = host();
    if let Fact::Known(topology, _) = &mut facts.topology {
        topology.offline = "20".parse().expect("a set");
    }
    let refused = |pins: &[u32]| {
        let mut spec = spec();
        spec.cpus = u32::try_from(pins.len()).expect("few");
        spec.processor.pins = Some(pins.to_vec());
        errors(&spec, &facts)
    };
    assert_eq!(refused(&[1, 20]), [BuildError::Pins(HandRefusal::Offline(20))]);
    assert_eq!(refused(&[1, 99]), [BuildError::Pins(HandRefusal::Absent(99))]);
    assert_eq!(refused(&[1, 1]), [BuildError::Pins(HandRefusal::Twice(1))]);
    let all: Vec<u32> = (0..16).collect();
    assert_eq!(refused(&all), [BuildError::Pins(HandRefusal::NothingLeft)]);
    let mut spec = spec();
    spec.processor.pins = Some(vec![1, 2]);
    spec.processor.threads = Some(Threads::Shared);
    spec.processor.iothread = Some("".parse().expect("an empty set"));
    assert_eq!(
        errors(&spec, &facts),
        [
            BuildError::Contradiction { one: "pins", other: "threads" },
            BuildError::PinCount { cpus: 4, pins: 2 },
            BuildError::Pins(HandRefusal::Empty),
        ]
    );
}

#[test]
fn pinning_that_is_off_goes_with_no_word_about_pins() {
    let mut spec = spec();
    spec.processor.pinning = PinningChoice::Off;
    assert_eq!(build(&spec, &host()).pinning(), None);
    spec.processor.prefer = Some(passthru_plan::pinning::Prefer::Cache);
    assert_eq!(
        errors(&spec, &host()),
        [BuildError::Contradiction { one: "pinning = \"off\"", other: "prefer" }]
    );
}

#[test]
fn two_sockets_of_the_host_are_one_for_a_windows_and_two_for_a_linux() {
    let mut facts = tuned_facts(processors(16, 8, 2));
    // Its own node is filled first, so that both sockets give as many cores.
    change(&mut facts, "0000:01:00.0", |gpu| gpu.numa_node = Some(0));
    let mut spec = spec();
    spec.cpus = 28;
    assert_eq!(build(&spec, &facts).pinning().map(|pinning| pinning.guest.sockets), Some(2));
    let shown = |guest: &Guest| crate::libvirt::xml(&guest.machine(&paths(guest)));
    assert!(shown(&build(&spec, &facts)).contains("<topology sockets='2' cores='7' threads='2'/>"));
    spec.os = Os::Windows11;
    assert!(shown(&build(&spec, &facts)).contains("<topology sockets='1' cores='14' threads='2'/>"));
}

fn paths(guest: &Guest) -> crate::run::GuestPaths {
    crate::run::GuestPaths::new("/run/p".as_ref(), "/var/lib/p".as_ref(), guest.name())
}

#[test]
fn a_topology_by_hand_has_as_many_vcpus_as_the_guest() {
    let mut spec = spec();
    let shown = GuestTopology { sockets: 1, dies: 1, cores: 3, threads: 2 };
    spec.processor.topology = Some(shown);
    assert_eq!(errors(&spec, &host()), [BuildError::TopologyProduct { shown, cpus: 4 }]);
    let endless = GuestTopology { sockets: usize::MAX, dies: 2, cores: 2, threads: 2 };
    spec.processor.topology = Some(endless);
    assert_eq!(errors(&spec, &host()), [BuildError::TopologyProduct { shown: endless, cpus: 4 }]);
}

#[test]
fn what_only_kvm_heeds_is_refused_where_the_guest_is_emulated() {
    let mut spec = spec();
    spec.accel = AccelChoice::Tcg;
    spec.processor.cache = Some(CacheChoice::Host);
    spec.processor.topoext = Some(true);
    spec.processor.address_bits = Some(40);
    spec.hyper_v.enlightenments = Some([Enlightenment::Relaxed].into());
    spec.hyper_v.vendor_id = Some("whatever".to_owned());
    let found = errors(&spec, &host());
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(found.iter().all(|error| matches!(error, BuildError::NeedsKvm(_))), "{found:?}");
}

#[test]
fn topoext_and_address_bits_are_what_this_host_can_have() {
    let mut facts = host();
    let mut spec = spec();
    spec.processor.address_bits = Some(53);
    assert_eq!(errors(&spec, &facts), [BuildError::AddressBits { bits: 53, least: 36, most: 52 }]);
    spec.processor.address_bits = None;
    facts.cpu.vendor = Fact::known("GenuineIntel".to_owned(), "/test", "test");
    assert!(!why(&build(&spec, &facts), Topic::Processor).contains("topoext"));
    spec.processor.topoext = Some(true);
    assert_eq!(errors(&spec, &facts), [BuildError::TopoextNotAmd]);
}

#[test]
fn enlightenments_come_with_what_they_need_and_a_vendor_fits() {
    let mut spec = spec();
    spec.hyper_v.enlightenments = Some([Enlightenment::Ipi].into());
    spec.hyper_v.vendor_id = Some("thirteen char".to_owned());
    assert_eq!(
        errors(&spec, &host()),
        [
            BuildError::VendorId("thirteen char".to_owned()),
            BuildError::Enlightenment { one: "ipi", needed: "vpindex" },
        ]
    );
}

#[test]
fn huge_pages_are_the_largest_that_are_free_and_come_out_even() {
    let mut facts = host();
    let mut spec = spec();
    let page = |spec: &GuestSpec, facts: &HostFacts| build(spec, facts).memory_source.huge;
    assert_eq!(page(&spec, &facts), Some(HugePage::Size1G));
    spec.memory = MemorySize::from_mib(4098).expect("a size");
    assert_eq!(page(&spec, &facts), Some(HugePage::Size2M));
    spec.memory_backing.prealloc = Some(false);
    assert_eq!(page(&spec, &facts), None);
    spec.memory_backing.prealloc = None;
    if let Fact::Known(sizes, _) = &mut facts.memory.huge_pages {
        for pool in sizes.values_mut() {
            pool.all.free = 3;
        }
    }
    let guest = build(&spec, &facts);
    assert_eq!(guest.huge_pages(), None);
    assert!(
        why(&guest, Topic::Memory)
            .contains("4098M is no whole number of pages of 1G, 3 of 2049 pages of 2M are free")
    );
    // What is asked for need not be free yet.
    spec.memory_backing.pages = PagesChoice::Huge2M;
    assert_eq!(build(&spec, &facts).huge_pages().map(|needed| needed.count), Some(2049));
}

#[test]
fn memory_that_cannot_be_is_refused() {
    let mut facts = host();
    let mut spec = spec();
    spec.memory = MemorySize::from_mib(4097).expect("a size");
    spec.memory_backing.pages = PagesChoice::Huge1G;
    spec.memory_backing.prealloc = Some(false);
    spec.memory_backing.node = Some(7);
    if let Fact::Known(sizes, _) = &mut facts.memory.huge_pages {
        sizes.remove(&(1 << 20));
    }
    assert_eq!(
        errors(&spec, &facts),
        [
            BuildError::NodeMissing(7),
            BuildError::PagesUneven { memory: spec.memory, page: "1G" },
            BuildError::NoSuchPages("1G"),
            BuildError::PreallocHuge,
        ]
    );
    let mut spec = self::spec();
    spec.memory = MemorySize::from_mib(128 << 10).expect("a size");
    spec.memory_backing.node = Some(0);
    assert_eq!(
        errors(&spec, &facts),
        [BuildError::NodeTooSmall { node: 0, wanted: spec.memory, mib: 64 << 10 }]
    );
}

#[test]
fn memory_is_on_the_node_of_the_vcpus_where_it_has_room() {
    let facts = tuned_facts(processors(16, 8, 2));
    let mut spec = spec();
    assert_eq!(build(&spec, &facts).huge_pages().map(|needed| needed.node), Some(Some(1)));
    spec.memory = MemorySize::from_mib(100 << 10).expect("a size");
    let guest = build(&spec, &facts);
    assert_eq!(guest.memory_source.node, None);
    assert!(why(&guest, Topic::Memory).contains("from every NUMA node"), "{}", why(&guest, Topic::Memory));
}

#[test]
fn a_card_with_more_memory_than_the_window_gets_a_larger_one() {
    let mut facts = host();
    let gib = 1 << 30;
    change(&mut facts, "0000:01:00.0", |gpu| {
        let mut bar = testing::memory_bar(1, 0x40_0000_0000, 32 * gib);
        bar.flags |= 0x10_2000;
        gpu.resources[1] = bar;
    });
    let guest = build(&spec(), &facts);
    assert_eq!(guest.mmio_window.map(MemorySize::mib), Some(64 << 10));
    assert!(why(&guest, Topic::Firmware).contains("a window of 64G"));
    let mut spec = spec();
    spec.processor.address_bits = Some(36);
    let window = MemorySize::from_mib(64 << 10).expect("a size");
    assert_eq!(errors(&spec, &facts), [BuildError::WindowTooLarge { window, bits: 36 }]);
    spec.processor.address_bits = None;
    spec.mmio_window = MemorySize::from_mib(48 << 10);
    assert!(matches!(errors(&spec, &facts)[..], [BuildError::WindowUneven(_)]));
    spec.firmware = FirmwareKind::Seabios;
    assert_eq!(errors(&spec, &facts), [BuildError::WindowNeedsUefi]);
}

#[test]
fn every_refusal_is_one_line_that_names_its_key() {
    let mut spec = spec();
    spec.processor.pins = Some(vec![1]);
    spec.processor.prefer = Some(passthru_plan::pinning::Prefer::Frequency);
    spec.processor.topology = Some(GuestTopology::plain(3));
    spec.processor.topoext = Some(true);
    spec.processor.address_bits = Some(20);
    spec.hyper_v.enlightenments = Some([Enlightenment::Stimer].into());
    spec.hyper_v.vendor_id = Some("a,b\u{1b}".to_owned());
    spec.memory = MemorySize::from_mib(4097).expect("a size");
    spec.memory_backing.pages = PagesChoice::Huge2M;
    spec.memory_backing.prealloc = Some(false);
    spec.memory_backing.node = Some(3);
    spec.mmio_window = MemorySize::from_mib(3);
    let mut facts = host();
    facts.cpu.vendor = Fact::known("GenuineIntel".to_owned(), "/test", "test");
    let lines: Vec<String> = errors(&spec, &facts).iter().map(ToString::to_string).collect();
    assert!(lines.iter().all(|line| !line.contains(char::is_control) && !line.ends_with('.')));
    insta::assert_snapshot!(lines.join("\n"));
}
