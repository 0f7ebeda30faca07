//! Pinning on machines made by hand, and on machines that chance made.

use std::collections::BTreeMap;

use passthru_model::cpu_set::CpuSet;
use passthru_model::topology::{Core, CoreKind, L3Domain, NumaNode, Part, Topology};
use passthru_plan::pinning::{Near, Pinning, PinningRefusal, Prefer, Request, Subject, Threads, most, pin};
use proptest::prelude::*;

use crate::common::at;
use crate::sound::assert_sound;

/// One L3 domain to build with: cores, threads of each, size in MiB, and what is special about the cores.
#[derive(Clone, Copy, Debug)]
struct Domain {
    package: usize,
    node: u32,
    cores: u32,
    threads: u32,
    mib: u64,
    kind: Option<CoreKind>,
    ranking: Option<u32>,
}

impl Default for Domain {
    fn default() -> Self {
        Self { package: 0, node: 0, cores: 4, threads: 2, mib: 32, kind: None, ranking: None }
    }
}

/// A machine of domains. All first threads are numbered before all second threads, as firmware most often has it. A part
/// of hybrid kinds in one L3 is made of domains with the same `mib` and `shared`.
fn machine(domains: &[Domain], share_l3: bool, off: &[u32], isolated: &str) -> Topology {
    let firsts: u32 = domains.iter().map(|domain| domain.cores).sum();
    let mut topology = Topology { isolated: isolated.parse().expect("a list"), ..Topology::default() };
    let mut next = 0;
    for (index, domain) in domains.iter().enumerate() {
        let l3 = if share_l3 { 0 } else { index };
        for _ in 0..domain.cores {
            let cpus = |cpu: &u32| !off.contains(cpu);
            let all = (0..domain.threads).map(|thread| next + thread * firsts).collect::<Vec<_>>();
            next += 1;
            let cpus: CpuSet = all.into_iter().filter(cpus).collect();
            if cpus.is_empty() {
                continue;
            }
            topology.online = topology.online.union(&cpus);
            if topology.l3.len() <= l3 {
                topology.l3.resize(
                    l3 + 1,
                    L3Domain { id: None, size_kib: Some(domain.mib * 1024), cpus: CpuSet::new() },
                );
            }
            if topology.packages.len() <= domain.package {
                let id = u32::try_from(domain.package).ok();
                topology.packages.resize(domain.package + 1, Part { id, cpus: CpuSet::new() });
            }
            topology.l3[l3].cpus = topology.l3[l3].cpus.union(&cpus);
            let package = &mut topology.packages[domain.package].cpus;
            *package = package.union(&cpus);
            let node = topology.nodes.entry(domain.node).or_default();
            node.cpus = node.cpus.union(&cpus);
            topology.cores.push(Core {
                id: None,
                cpus,
                package: Some(domain.package),
                die: None,
                cluster: None,
                l3: Some(l3),
                node: Some(domain.node),
                kind: domain.kind,
                ranking: domain.ranking,
            });
        }
    }
    let numbers: Vec<u32> = topology.nodes.keys().copied().collect();
    for (from, node) in &mut topology.nodes {
        node.distances = numbers.iter().map(|to| (*to, 10 + 11 * from.abs_diff(*to))).collect();
    }
    topology.isolated = topology.isolated.intersection(&topology.online);
    topology
}

fn two_ccds(mib: [u64; 2], ranking: [u32; 2]) -> Topology {
    let domain = |index: usize| Domain {
        cores: 8,
        mib: mib[index],
        ranking: Some(ranking[index]),
        ..Domain::default()
    };
    machine(&[domain(0), domain(1)], false, &[], "")
}

fn ask(vcpus: usize) -> Request {
    Request { vcpus, ..Request::default() }
}

fn why(pinning: &Pinning, about: Subject) -> &str {
    pinning.choices.iter().find(|choice| choice.about == about).map_or("", |choice| choice.why.as_str())
}

fn shape(pinning: &Pinning) -> (usize, usize, usize) {
    (pinning.guest.sockets, pinning.guest.cores, pinning.guest.threads)
}

#[test]
fn the_pages_quad_core_gives_its_last_two_cores_with_their_siblings() {
    let topology = machine(&[Domain::default()], false, &[], "");
    let pinning = pin(&topology, &ask(4)).expect("fits");
    assert_eq!((pinning.pins.as_slice(), shape(&pinning)), (&[2, 6, 3, 7][..], (1, 2, 2)));
    assert_eq!(pinning.host_cpus.to_string(), "0-1,4-5");
    assert_eq!(
        (pinning.emulator.to_string(), pinning.iothread.to_string()),
        ("0,4".to_owned(), "1,5".to_owned())
    );
}

#[test]
fn the_pages_other_way_shares_every_core_and_keeps_the_first_threads() {
    let topology = machine(&[Domain::default()], false, &[], "");
    let pinning = pin(&topology, &Request { threads: Threads::Shared, ..ask(4) }).expect("fits");
    assert_eq!((pinning.pins.as_slice(), shape(&pinning)), (&[4, 5, 6, 7][..], (1, 4, 1)));
    assert_eq!(pinning.host_cpus.to_string(), "0-3");
    let alone = machine(&[Domain { threads: 1, ..Domain::default() }], false, &[], "");
    assert_eq!(pin(&alone, &Request { threads: Threads::Shared, ..ask(2) }), Err(PinningRefusal::NoSiblings));
}

#[test]
fn one_vcpu_on_each_core_leaves_the_siblings_empty_and_not_to_the_host() {
    let topology = machine(&[Domain::default()], false, &[], "");
    let pinning = pin(&topology, &Request { threads: Threads::OnePerCore, ..ask(3) }).expect("fits");
    assert_eq!((pinning.pins.as_slice(), shape(&pinning)), (&[1, 2, 3][..], (1, 3, 1)));
    assert_eq!(
        (pinning.guest_cpus.to_string(), pinning.host_cpus.to_string()),
        ("1-3,5-7".to_owned(), "0,4".to_owned())
    );
}

#[test]
fn a_stacked_cache_is_preferred_until_it_would_cost_the_core_of_cpu_0() {
    let topology = two_ccds([96, 32], [166, 236]);
    let pinning = pin(&topology, &ask(14)).expect("fits");
    assert_eq!(pinning.l3, [0]);
    assert!(why(&pinning, Subject::L3).contains("96 MiB, the domain with the most cache"), "{pinning:?}");
    let pinning = pin(&topology, &ask(16)).expect("fits");
    assert_eq!(pinning.l3, [1]);
    assert!(why(&pinning, Subject::L3).contains("only with CPU 0's core: ask for 14 vCPUs"), "{pinning:?}");
    let fast = pin(&topology, &Request { prefer: Prefer::Frequency, ..ask(8) }).expect("fits");
    assert_eq!(fast.l3, [1]);
    assert!(why(&fast, Subject::L3).contains("boost best"));
}

#[test]
fn equal_domains_leave_cpu_0_to_its_own() {
    let pinning = pin(&two_ccds([32, 32], [200, 180]), &ask(8)).expect("fits");
    assert_eq!(pinning.l3, [1]);
    assert!(why(&pinning, Subject::L3).contains("apart from CPU 0"), "{pinning:?}");
    // More than one domain holds: both are used, and the guest is told of no false sockets.
    let wide = pin(&two_ccds([32, 32], [200, 180]), &ask(24)).expect("fits");
    assert_eq!((wide.l3.as_slice(), shape(&wide)), (&[0, 1][..], (1, 12, 2)));
    assert!(why(&wide, Subject::L3).contains("no single one has room"));
}

fn hybrid() -> Topology {
    let core =
        |kind, cores, threads| Domain { cores, threads, kind: Some(kind), mib: 30, ..Domain::default() };
    machine(&[core(CoreKind::Performance, 6, 2), core(CoreKind::Efficiency, 8, 1)], true, &[], "")
}

#[test]
fn guests_get_performance_cores_and_their_helpers_efficiency_cores() {
    let pinning = pin(&hybrid(), &ask(8)).expect("fits");
    assert_eq!(pinning.pins, [2, 16, 3, 17, 4, 18, 5, 19]);
    assert_eq!(
        (pinning.emulator.to_string(), pinning.iothread.to_string()),
        ("6-12".to_owned(), "13".to_owned())
    );
    // All performance cores, CPU 0's with them, since the host has the others.
    let all = pin(&hybrid(), &ask(12)).expect("fits");
    assert!(all.pins.contains(&0) && why(&all, Subject::Host).contains("CPU 0's core goes to the guest"));
    let refusal = pin(&hybrid(), &ask(13)).expect_err("no efficiency core is given");
    assert_eq!(
        refusal.to_string(),
        "13 vCPUs do not fit: there are 6 performance cores, and the host keeps at least one core; at most 12 do"
    );
}

fn two_sockets() -> Topology {
    let node = |node: u32| Domain {
        package: usize::try_from(node).expect("small"),
        node,
        cores: 8,
        ..Domain::default()
    };
    machine(&[node(0), node(1)], false, &[], "")
}

#[test]
fn vcpus_are_on_the_node_of_the_device() {
    for node in [0, 1] {
        let near = Some(Near { address: at("41:00.0"), node: Some(node) });
        let pinning = pin(&two_sockets(), &Request { near, ..ask(8) }).expect("fits");
        assert_eq!(pinning.node, Some(node));
        assert!(why(&pinning, Subject::Node).contains("where 0000:41:00.0 hangs"), "{pinning:?}");
    }
    // A whole node beside CPU 0's core there is only on the other socket, and the reason says so.
    let near = Some(Near { address: at("01:00.0"), node: Some(0) });
    let far = pin(&two_sockets(), &Request { near, ..ask(16) }).expect("fits");
    assert_eq!(far.node, Some(1));
    assert!(why(&far, Subject::Node).contains("though 0000:01:00.0 hangs on node 0"), "{far:?}");
    let both = pin(&two_sockets(), &Request { near, ..ask(28) }).expect("fits");
    assert_eq!((both.node, shape(&both)), (None, (2, 7, 2)));
}

#[test]
fn isolated_cpus_are_for_guests_and_not_for_helpers() {
    let topology = machine(&[Domain { cores: 8, ..Domain::default() }], false, &[], "2-3,10-11");
    let pinning = pin(&topology, &ask(4)).expect("fits");
    assert_eq!(pinning.pins, [2, 10, 3, 11]);
    assert!(why(&pinning, Subject::Isolated).starts_with("among the isolated CPUs (2-3,10-11)"));
    let more = pin(&topology, &ask(6)).expect("fits");
    assert!(!more.emulator.meets(&topology.isolated) && !more.iothread.meets(&topology.isolated), "{more:?}");
}

#[test]
fn an_odd_number_leaves_a_thread_empty_and_shows_no_siblings() {
    let topology = machine(&[Domain::default()], false, &[], "");
    let pinning = pin(&topology, &ask(3)).expect("fits");
    assert_eq!((pinning.pins.as_slice(), shape(&pinning)), (&[3, 7, 2][..], (1, 3, 1)));
    assert!(why(&pinning, Subject::Threads).starts_with("CPU 6 left empty"), "{pinning:?}");
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let one = machine(&[Domain { cores: 1, ..Domain::default() }], false, &[], "");
    assert_eq!(pin(&one, &ask(1)), Err(PinningRefusal::OneCore));
    assert_eq!(pin(&one, &ask(0)), Err(PinningRefusal::NoVcpus));
    let topology = machine(&[Domain::default()], false, &[], "");
    assert_eq!(
        (
            most(&topology, Threads::Siblings),
            most(&topology, Threads::OnePerCore),
            most(&topology, Threads::Shared)
        ),
        (6, 3, 4)
    );
    assert!(pin(&topology, &ask(7)).expect_err("too many").to_string().ends_with("at most 6 do"));
}

#[test]
fn four_thousand_cpus_are_pinned_at_once() {
    let domains: Vec<Domain> = (0..256)
        .map(|index| Domain {
            package: index / 32,
            node: u32::try_from(index / 16).expect("small"),
            cores: 8,
            ..Domain::default()
        })
        .collect();
    let topology = machine(&domains, false, &[], "");
    assert_eq!(topology.online.len(), 4096);
    for vcpus in [1, 16, 17, 256, 2048, 4094] {
        assert_eq!(pin(&topology, &ask(vcpus)).expect("fits").pins.len(), vcpus);
    }
}

fn any_machine() -> impl Strategy<Value = Topology> {
    let domain = (0usize..2, 0u32..3, 1u32..6, 1u32..3, 1u64..4, prop::option::of(0u32..3)).prop_map(
        |(package, node, cores, threads, mib, ranking)| Domain {
            package,
            node,
            cores,
            threads,
            mib,
            ranking,
            kind: None,
        },
    );
    let kinds = prop_oneof![2 => Just(false), 1 => Just(true)];
    (
        prop::collection::vec(domain, 1..6),
        kinds,
        any::<bool>(),
        prop::collection::vec(0u32..40, 0..4),
        prop::collection::btree_set(1u32..40, 0..6),
    )
        .prop_map(|(mut domains, hybrid, share, off, isolated)| {
            if hybrid {
                for (index, domain) in domains.iter_mut().enumerate() {
                    domain.kind =
                        Some(if index % 2 == 0 { CoreKind::Performance } else { CoreKind::Efficiency });
                }
            }
            let isolated: CpuSet = isolated.into_iter().collect();
            machine(&domains, share, &off, &isolated.to_string())
        })
        .prop_filter("something runs", |topology| !topology.online.is_empty())
}

proptest! {
    // Each case tries every number of vCPUs.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_pinning_of_every_machine_is_sound(
        topology in any_machine(),
        threads in prop_oneof![Just(Threads::Siblings), Just(Threads::OnePerCore), Just(Threads::Shared)],
        prefer in prop_oneof![Just(Prefer::Cache), Just(Prefer::Frequency)],
        node in prop::option::of(0u32..4),
    ) {
        let near = node.map(|node| Near { address: at("01:00.0"), node: Some(node) });
        let most = most(&topology, threads);
        for vcpus in 1..=topology.online.len() + 1 {
            let request = Request { vcpus, threads, prefer, near };
            match pin(&topology, &request) {
                Ok(pinning) => {
                    prop_assert!(vcpus <= most, "{} fit, though {} should be the most", vcpus, most);
                    assert_sound(&topology, &request, &pinning);
                }
                Err(refusal) => prop_assert!(vcpus > most, "{refusal:?}"),
            }
        }
    }
}

#[test]
fn a_node_of_memory_alone_is_no_place_for_vcpus() {
    let mut topology = two_sockets();
    topology.nodes.insert(
        2,
        NumaNode { distances: BTreeMap::from([(0, 30), (1, 17), (2, 10)]), ..NumaNode::default() },
    );
    let near = Some(Near { address: at("01:00.0"), node: Some(2) });
    assert_eq!(pin(&topology, &Request { near, ..ask(4) }).expect("fits").node, Some(1));
}
