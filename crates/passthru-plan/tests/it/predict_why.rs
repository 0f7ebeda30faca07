//! The way to the root complex, and which slot would do better.

use crate::common::{at, edit, group};
use crate::machines::{DOWNSTREAM, ENDPOINT, FULL, ROOT_PORT, UPSTREAM, express, machine, several};
use passthru_model::HostFacts;
use passthru_plan::predict::{Assumptions, Because, Service, Why, slots, why};
use passthru_plan::{Consent, isolate};

/// Two cards below a switch whose port has no services, and an empty slot of the processor.
fn host() -> HostFacts {
    machine(vec![
        express("00:01.0", "8086:460d", ROOT_PORT, FULL, &[]),
        express("00:1c.0", "8086:7ab8", ROOT_PORT, Some((0x1d, 0x01)), &[]),
        express("02:00.0", "104c:8232", UPSTREAM, None, &["00:1c.0"]),
        several(express("03:00.0", "104c:8233", DOWNSTREAM, None, &["00:1c.0", "02:00.0"])),
        express("03:00.1", "104c:8233", DOWNSTREAM, None, &["00:1c.0", "02:00.0"]),
        express("04:00.0", "10de:13c2", ENDPOINT, None, &["00:1c.0", "02:00.0", "03:00.0"]),
        express("05:00.0", "8086:1533", ENDPOINT, None, &["00:1c.0", "02:00.0", "03:00.1"]),
    ])
}

fn of(facts: &HostFacts, address: &str) -> Why {
    why(facts, at(address), &Assumptions::default()).expect("in the host")
}

#[test]
fn every_hop_says_which_services_it_has_and_what_decides() {
    let why = of(&host(), "04:00.0");
    let path: Vec<String> = why.path.iter().map(|hop| hop.address.to_string()).collect();
    assert_eq!(path, ["0000:04:00.0", "0000:03:00.0", "0000:02:00.0", "0000:00:1c.0"]);
    let decided: Vec<(Option<bool>, &Because)> =
        why.path.iter().map(|hop| (hop.isolates, &hop.decided_by)).collect();
    assert_eq!(decided[0], (Some(true), &Because::Alone));
    assert_eq!(decided[1], (Some(false), &Because::PortWithout));
    assert_eq!(decided[3], (Some(true), &Because::Services { off: Vec::new() }));
    assert_eq!(why.path[3].on, Some(vec![Service::SourceValidation]));
    assert_eq!(why.path[3].has.as_ref().map(Vec::len), Some(4));
    assert_eq!(why.predicted, [at("03:00.0"), at("03:00.1"), at("04:00.0"), at("05:00.0")]);
    assert!(why.verdict.contains("0000:05:00.0"), "{}", why.verdict);
    assert!(why.reasons[0].contains("below 0000:03:00.0"), "{:?}", why.reasons);
    assert_eq!(of(&host(), "00:01.0").predicted, [at("00:01.0")]);
    assert!(passthru_plan::predict::why(&host(), at("09:00.0"), &Assumptions::default()).is_none());
}

#[test]
fn a_slot_that_would_do_better_is_named_with_what_is_in_it() {
    let facts = host();
    let advice = slots(&facts, &Assumptions::default(), at("04:00.0")).expect("it is not alone").sentences();
    assert!(advice[0].contains("of a switch"), "{advice:?}");
    assert!(
        advice[1].contains("0000:00:01.0")
            && advice[1].contains("of the processor, x16")
            && advice[1].contains("empty"),
        "{advice:?}"
    );
    assert!(slots(&facts, &Assumptions::default(), at("00:01.0")).is_none(), "a port is in no slot");
}

#[test]
fn a_refusal_to_take_a_card_names_a_slot_that_would_do_better() {
    let mut facts = host();
    for address in ["03:00.0", "03:00.1"] {
        edit(&mut facts, address, |port| port.driver = Some("pcieport".to_owned()));
    }
    group(&mut facts, 7, &["03:00.0", "03:00.1", "04:00.0", "05:00.0"]);
    let refusal =
        isolate(&facts, &[at("04:00.0")], &Consent::default()).expect_err("its group holds another card");
    let said: Vec<String> = refusal.reasons.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|text| text.contains("of its own: the slot behind 0000:00:01.0")), "{said:?}");
}

#[test]
fn a_card_that_is_apart_already_gets_no_advice() {
    let facts = machine(vec![
        express("00:01.0", "8086:460d", ROOT_PORT, FULL, &[]),
        express("01:00.0", "10de:13c2", ENDPOINT, None, &["00:01.0"]),
    ]);
    assert!(of(&facts, "01:00.0").advice.is_empty());
}

#[test]
fn where_no_slot_would_do_better_that_is_said() {
    let facts = machine(vec![
        several(express("00:1c.0", "1b36:000c", ROOT_PORT, None, &[])),
        express("00:1c.1", "1b36:000c", ROOT_PORT, None, &[]),
        express("01:00.0", "10de:13c2", ENDPOINT, None, &["00:1c.0"]),
        express("02:00.0", "8086:1533", ENDPOINT, None, &["00:1c.1"]),
    ]);
    let advice = of(&facts, "01:00.0").advice;
    assert!(advice.last().is_some_and(|text| text.contains("no other slot")), "{advice:?}");
}
