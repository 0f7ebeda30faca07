//! Whole outputs on machines that are met often, each read and agreed with.

use crate::made::{Domain, Machine, add_card};
use crate::passthru;

fn shown(machine: &Machine, arguments: &[&str]) -> String {
    let root = tempfile::tempdir().expect("a directory");
    machine.make(root.path());
    add_card(root.path(), "0000:41:00.0", i32::from(machine.domains.iter().any(|domain| domain.node > 0)));
    passthru(root.path(), arguments)
}

fn x3d() -> Machine {
    let stacked = Domain { l3_mib: Some(96), ranking: Some(166), ..Domain::default() };
    Machine {
        domains: vec![stacked, Domain { ranking: Some(236), ..Domain::default() }],
        memory_gib: 64,
        ..Machine::default()
    }
}

#[test]
fn a_16_core_x3d_gives_the_stacked_cache_to_a_guest_of_14() {
    insta::assert_snapshot!(shown(&x3d(), &["topology", "--vcpus", "14"]));
}

#[test]
fn a_16_core_x3d_keeps_cpu_0_and_says_what_a_guest_of_16_misses() {
    insta::assert_snapshot!(shown(&x3d(), &["topology", "--vcpus", "16"]));
}

#[test]
fn performance_cores_go_to_the_guest_and_efficiency_cores_to_qemu() {
    let part = |unit, cores, threads| Domain {
        unit: Some(unit),
        cores,
        threads,
        shared: Some(0),
        l3_mib: Some(36),
        ..Domain::default()
    };
    let machine = Machine {
        domains: vec![part("core", 8, 2), part("atom", 16, 1)],
        side_by_side: true,
        memory_gib: 64,
        ..Machine::default()
    };
    insta::assert_snapshot!(shown(&machine, &["topology", "--vcpus", "14"]));
}

#[test]
fn low_power_cores_outside_the_l3_are_for_nobody_else() {
    let part = |unit, cores, threads, l3_mib: Option<u32>| Domain {
        unit: Some(unit),
        cores,
        threads,
        shared: l3_mib,
        l3_mib,
        ..Domain::default()
    };
    let machine = Machine {
        domains: vec![part("core", 6, 2, Some(24)), part("atom", 8, 1, Some(24)), part("atom", 2, 1, None)],
        side_by_side: true,
        memory_gib: 32,
        ..Machine::default()
    };
    insta::assert_snapshot!(shown(&machine, &["topology", "--vcpus", "8"]));
}

#[test]
fn a_server_of_256_cpus_is_summarised_and_stays_at_the_node_of_the_card() {
    let domain = |index: u32| Domain {
        package: index / 16,
        node: index / 16,
        cores: 4,
        l3_mib: Some(16),
        ..Domain::default()
    };
    let machine = Machine { domains: (0..32).map(domain).collect(), memory_gib: 512, ..Machine::default() };
    insta::assert_snapshot!(shown(&machine, &["topology", "--vcpus", "16", "--device", "41:00.0"]));
}

#[test]
fn offline_siblings_and_isolated_cpus_are_told_and_respected() {
    let machine = Machine {
        domains: vec![Domain { l3_mib: Some(16), ..Domain::default() }],
        offline: "15",
        isolated: "4-6,12-14",
        memory_gib: 16,
        ..Machine::default()
    };
    insta::assert_snapshot!(shown(&machine, &["topology", "--vcpus", "6"]));
}

#[test]
fn more_than_fits_is_refused_with_what_fits() {
    insta::assert_snapshot!(shown(&x3d(), &["topology", "--vcpus", "32"]), @"error: 32 vCPUs do not fit: there are 16 cores, and the host keeps at least one core; at most 30 do");
    insta::assert_snapshot!(shown(&x3d(), &["topology", "--vcpus", "4", "--device", "02:00.0"]), @r"
    error: 0000:02:00.0 is not on this host
      → ‘passthru groups’ lists what is
    ");
}

#[test]
fn the_json_of_a_pinning_is_as_its_schema_says() {
    let root = tempfile::tempdir().expect("a directory");
    x3d().make(root.path());
    let text = passthru(root.path(), &["topology", "--vcpus", "4", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/topology.schema.json");
    let schema = serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("JSON");
    assert!(jsonschema::is_valid(&schema, &value), "{text}");
    assert_eq!(value["pinning"]["vcpus"][1], serde_json::json!({ "vcpu": 1, "cpu": 22 }));
}
