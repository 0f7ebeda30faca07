//! What holds of foretold groups whatever the machine is.

use std::collections::BTreeSet;

use crate::machines::{
    DOWNSTREAM, ENDPOINT, ROOT_PORT, TO_PCI, UPSTREAM, conventional, cut, express, machine, overridden,
    plainly,
};
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::pci::PciFunction;
use passthru_plan::predict::Prediction;
use proptest::prelude::*;

/// One thing below a root port.
#[derive(Clone, Debug)]
enum Below {
    Card(u8),
    Switch(Vec<u8>, bool),
    Conventional(u8),
}

/// A root port in a slot and what is below it; how much of configuration space is seen.
#[derive(Clone, Debug)]
struct Branch {
    function: u8,
    services: bool,
    below: Below,
    seen: usize,
}

fn branch() -> impl Strategy<Value = Branch> {
    let below = prop_oneof![
        (1u8..4).prop_map(Below::Card),
        (prop::collection::vec(1u8..3, 1..3), any::<bool>()).prop_map(|(ports, on)| Below::Switch(ports, on)),
        (1u8..4).prop_map(Below::Conventional),
    ];
    let seen = prop::sample::select(vec![4096usize, 4096, 256, 64]);
    (0u8..3, any::<bool>(), below, seen).prop_map(|(function, services, below, seen)| Branch {
        function,
        services,
        below,
        seen,
    })
}

/// The functions of a machine: one slot of ports each device number, buses counted up.
fn built(branches: &[Branch]) -> Vec<PciFunction> {
    let mut functions = Vec::new();
    let mut bus = 0u8;
    for (device, branch) in (1u8..).zip(branches) {
        let services = |on: bool| on.then_some((0x1d, 0));
        let mut add = |function: PciFunction| functions.push(cut(function, branch.seen));
        let port = format!("00:{device:02x}.{}", branch.function);
        add(express(&port, "1b36:000c", ROOT_PORT, services(branch.services), &[]));
        bus += 1;
        match &branch.below {
            Below::Card(count) => {
                for number in 0..*count {
                    add(express(&format!("{bus:02x}:00.{number}"), "10de:13c2", ENDPOINT, None, &[&port]));
                }
            }
            Below::Conventional(count) => {
                let bridge = format!("{bus:02x}:00.0");
                add(express(&bridge, "1b36:000e", TO_PCI, None, &[&port]));
                bus += 1;
                for number in 0..*count {
                    let at = format!("{bus:02x}:{number:02x}.0");
                    add(conventional(&at, "8086:100e", "020000", &[&port, &bridge]));
                }
            }
            Below::Switch(ports, on) => {
                let up = format!("{bus:02x}:00.0");
                add(express(&up, "104c:8232", UPSTREAM, None, &[&port]));
                bus += 1;
                let inner = bus;
                for (number, count) in (0u8..).zip(ports) {
                    let down = format!("{inner:02x}:00.{number}");
                    add(express(&down, "104c:8233", DOWNSTREAM, services(*on), &[&port, &up]));
                    bus += 1;
                    for number in 0..*count {
                        let at = format!("{bus:02x}:00.{number}");
                        add(express(&at, "10de:13c2", ENDPOINT, None, &[&port, &up, &down]));
                    }
                }
            }
        }
    }
    functions
}

fn sets(prediction: &Prediction) -> Vec<BTreeSet<PciAddress>> {
    prediction.groups.iter().map(|group| group.addresses().into_iter().collect()).collect()
}

/// Whether each group of the first lies within one of the second.
fn is_finer(first: &[BTreeSet<PciAddress>], second: &[BTreeSet<PciAddress>]) -> bool {
    first.iter().all(|small| second.iter().any(|large| small.is_subset(large)))
}

fn whole(facts: &HostFacts) -> BTreeSet<PciAddress> {
    facts.functions().map(|function| function.address).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_function_is_in_one_group_and_what_is_unseen_only_makes_groups_larger(
        branches in prop::collection::vec(branch(), 1..6)
    ) {
        let functions = built(&branches);
        let facts = machine(functions);
        let prediction = plainly(&facts);
        let groups = sets(&prediction);
        let counted: usize = groups.iter().map(BTreeSet::len).sum();
        prop_assert_eq!(groups.iter().flatten().copied().collect::<BTreeSet<_>>(), whole(&facts));
        prop_assert_eq!(counted, facts.functions().count());

        // The same machine with all of it seen is never coarser than what was foretold of a part.
        let all: Vec<Branch> = branches.iter().cloned().map(|branch| Branch { seen: 4096, ..branch }).collect();
        let full = plainly(&machine(built(&all)));
        prop_assert!(full.groups.iter().all(|group| group.certain));
        prop_assert!(is_finer(&sets(&full), &groups));
        // And never finer than what was said to be possible at best.
        let best: Vec<BTreeSet<PciAddress>> = prediction
            .groups
            .iter()
            .flat_map(|group| if group.certain { vec![group.addresses()] } else { group.at_best.clone() })
            .map(|set| set.into_iter().collect())
            .collect();
        prop_assert!(is_finer(&best, &sets(&full)), "{best:?} {full:?}");
    }

    #[test]
    fn the_override_never_makes_a_group_larger(branches in prop::collection::vec(branch(), 1..6)) {
        let facts = machine(built(&branches));
        let plain = sets(&plainly(&facts));
        for words in ["downstream", "multifunction", "downstream,multifunction", "id:1b36:000c"] {
            prop_assert!(is_finer(&sets(&overridden(&facts, words)), &plain), "{words}");
        }
    }

    #[test]
    fn no_configuration_space_makes_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..4200),
        branches in prop::collection::vec(branch(), 1..3)
    ) {
        let mut functions = built(&branches);
        for function in &mut functions {
            function.config.clone_from(&bytes);
        }
        let facts = machine(functions);
        let prediction = plainly(&facts);
        for function in facts.functions() {
            let _ = passthru_plan::predict::why(&facts, function.address, &passthru_plan::predict::Assumptions::default());
        }
        prop_assert_eq!(prediction.groups.iter().map(|group| group.members.len()).sum::<usize>(), facts.functions().count());
    }
}
