//! Trees that contradict themselves, lack much, or are very large.

use std::time::Instant;

use passthru_host::{Host, gather};
use passthru_model::topology::Topology;

use crate::made::{Domain, Files, Machine};

fn topology(files: &[(&str, &str)]) -> Topology {
    let root = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let path = root.path().join("sys/devices/system").join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("makes a directory");
        std::fs::write(path, text).expect("writes");
    }
    let facts = gather(&Host::open(root.path()).expect("opens"));
    facts.topology.value().unwrap_or_else(|| panic!("{:?}", facts.topology)).clone()
}

fn cores(topology: &Topology) -> Vec<String> {
    topology.cores.iter().map(|core| core.cpus.to_string()).collect()
}

#[test]
fn siblings_that_contradict_each_other_are_told_and_each_cpu_is_in_one_core() {
    let topology = topology(&[
        ("cpu/online", "0-3\n"),
        ("cpu/cpu0/topology/core_cpus_list", "0-1\n"),
        ("cpu/cpu1/topology/core_cpus_list", "0-1\n"),
        ("cpu/cpu2/topology/core_cpus_list", "1-2\n"),
        ("cpu/cpu3/topology/core_cpus_list", "0-4294967295\n"),
    ]);
    assert_eq!(cores(&topology), ["0-1", "2", "3"]);
    assert_eq!(topology.gaps.len(), 2, "{:?}", topology.gaps);
}

#[test]
fn masks_of_old_kernels_holes_and_offline_siblings_are_understood() {
    let topology = topology(&[
        ("cpu/cpu0/topology/thread_siblings", "00000000,00000005\n"),
        ("cpu/cpu1/online", "0\n"),
        ("cpu/cpu2/online", "1\n"),
        ("cpu/cpu40/topology/thread_siblings", "00000100,00000000\n"),
        ("cpu/cpu0/cache/index2/level", "3\n"),
        ("cpu/cpu0/cache/index2/shared_cpu_map", "00000100,00000007\n"),
        ("node/node3/cpumap", "00000100,00000005\n"),
        ("node/node3/distance", "10 20\n"),
    ]);
    assert_eq!(
        (cores(&topology), topology.online.to_string()),
        (vec!["0,2".to_owned(), "40".to_owned()], "0,2,40".to_owned())
    );
    assert_eq!(
        (topology.offline.to_string(), topology.l3[0].cpus.to_string()),
        ("1".to_owned(), "0,2,40".to_owned())
    );
    assert_eq!((topology.cores[1].l3, topology.cores[1].node), (Some(0), Some(3)));
    assert_eq!(topology.gaps.len(), 1, "two distances for one node: {:?}", topology.gaps);
}

/// Files as a capture, since to write forty thousand of them takes a disk long.
fn packed(files: &Files) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(text.len()).expect("small"));
        tar.append_data(&mut header, path, text.as_bytes()).expect("packs");
    }
    tar.into_inner().expect("packs")
}

#[test]
fn four_thousand_cpus_are_read_in_a_time_that_grows_with_their_number() {
    let time = |domains: u32| {
        let domain = |index: u32| Domain { package: index / 32, node: index / 16, ..Domain::default() };
        let machine =
            Machine { domains: (0..domains).map(domain).collect(), memory_gib: 64, ..Machine::default() };
        let host = Host::from_archive(packed(&machine.files()).as_slice()).expect("reads");
        let start = Instant::now();
        let facts = gather(&host);
        let topology = facts.topology.value().expect("known");
        assert_eq!(
            (topology.online.len(), topology.l3.len()),
            (usize::try_from(domains * 16).expect("small"), usize::try_from(domains).expect("small"))
        );
        assert!(topology.gaps.is_empty(), "{:?}", topology.gaps);
        start.elapsed()
    };
    let (small, large) = (time(16), time(256));
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("256 CPUs: {small:?}, 4096 CPUs: {large:?}\n").as_bytes(),
    );
}
