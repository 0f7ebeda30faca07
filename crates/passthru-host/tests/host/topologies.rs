//! Processors of other machines, beside what lscpu and hwloc say of the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use passthru_host::{Host, gather};
use passthru_model::cpu_set::CpuSet;
use passthru_model::facts::HostFacts;
use passthru_model::topology::Topology;
use pretty_assertions::assert_eq;

use super::common;

/// Where we differ from a table on purpose: the machine, the column, and why.
///
/// Each was looked at one by one in the archive.
const REVIEWED: &[(&str, &str, &str)] = &[
    (
        "16amd64-8n2c-cpusets",
        "CPU hwloc",
        "hwloc leaves out what the cgroup of the one who gathered did not allow",
    ),
    ("16amd64-8n2c-cpusets", "Core hwloc", "as its CPUs"),
    ("16amd64-8n2c-cpusets", "Node hwloc", "as its CPUs"),
    ("16amd64-8n2c-cpusets", "Socket hwloc", "as its CPUs"),
    ("2arm-2c", "Node hwloc", "a kernel without NUMA; hwloc adds a node for all memory, lscpu and we do not"),
    ("2i386-2t-hugepagesizecount", "Node hwloc", "as 2arm-2c"),
    ("20s390-2g6s4c", "Node hwloc", "as 2arm-2c"),
    (
        "40intel64-4n10c+pci-conflicts",
        "L3 lscpu",
        "made to conflict; what conflicts is a gap, and the first to claim a CPU keeps it",
    ),
    (
        "40intel64-4n10c+pci-conflicts",
        "Socket lscpu",
        "as its L3: we go by the package's number, which does not conflict",
    ),
    ("40intel64-4n10c+pci-conflicts", "L3 hwloc", "hwloc drops what conflicts"),
    ("40intel64-4n10c+pci-conflicts", "Socket hwloc", "hwloc drops what conflicts"),
    (
        "64amd64-4s2n4ca2co",
        "Core hwloc",
        "hwloc calls each half of a Bulldozer module a core; to the kernel, lscpu and us they are siblings",
    ),
    (
        "arm-A510-A710-A715-X3",
        "Core lscpu",
        "lscpu takes equal core numbers of different packages for one core; each core here has one thread",
    ),
    (
        "arm-A510-A710-A715-X3",
        "Socket lscpu",
        "the kernel's packages are this phone's three clusters; lscpu knows that such chips have one socket",
    ),
];

/// The archives of a folder by name, without their endings.
fn archives() -> BTreeMap<String, PathBuf> {
    let Some(folder) = common::corpora("topology") else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for part in ["hwloc", "lscpu"] {
        for entry in std::fs::read_dir(folder.join(part)).expect("lists") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if let Some((name, _)) = name.rsplit_once(".tar.") {
                found.insert(name.to_owned(), path);
            }
        }
    }
    found
}

fn facts(path: &Path) -> HostFacts {
    gather(&Host::open(path).expect("opens"))
}

fn topology(path: &Path) -> Topology {
    let facts = facts(path);
    facts.topology.value().unwrap_or_else(|| panic!("{}: {:?}", path.display(), facts.topology)).clone()
}

/// Sets of CPUs as texts, without order and without CPUs that are in none.
type Sets = BTreeSet<String>;

fn sets<'a>(cpus: impl IntoIterator<Item = &'a CpuSet>) -> Sets {
    cpus.into_iter().filter(|cpus| !cpus.is_empty()).map(ToString::to_string).collect()
}

/// Our own columns, as lscpu calls them.
fn columns(topology: &Topology) -> BTreeMap<&'static str, Sets> {
    BTreeMap::from([
        ("CPU", topology.online.iter().map(|cpu| cpu.to_string()).collect()),
        ("Core", sets(topology.cores.iter().map(|core| &core.cpus))),
        ("Socket", sets(topology.packages.iter().map(|package| &package.cpus))),
        ("Node", sets(topology.nodes.values().map(|node| &node.cpus))),
        ("L3", sets(topology.l3.iter().map(|domain| &domain.cpus))),
    ])
}

/// The table of `lscpu --parse`: of each column the CPUs that have the same number in it.
fn lscpu(text: &str) -> BTreeMap<String, Sets> {
    let header = text.lines().rfind(|line| line.starts_with("# CPU,")).expect("a header");
    let names: Vec<&str> = header.trim_start_matches("# ").split(',').collect();
    let mut found: BTreeMap<String, BTreeMap<String, CpuSet>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())) {
        let values: Vec<&str> = line.split(',').collect();
        let cpu = values[0].parse().expect("a CPU");
        for (name, value) in
            names.iter().zip(&values).filter(|(name, value)| !name.is_empty() && !value.is_empty())
        {
            found.entry((*name).to_owned()).or_default().entry((*value).to_owned()).or_default().insert(cpu);
        }
    }
    found.into_iter().map(|(name, groups)| (name, sets(groups.values()))).collect()
}

/// Counts of hwloc's expected output, console or XML, by lscpu's names.
fn hwloc(text: &str) -> BTreeMap<&'static str, usize> {
    let names =
        [("PU", "CPU"), ("Core", "Core"), ("Package", "Socket"), ("NUMANode", "Node"), ("L3Cache", "L3")];
    let count = |theirs: &str| {
        if text.starts_with("<?xml") {
            return text.matches(&format!("<object type=\"{theirs}\"")).count();
        }
        text.lines()
            .filter(|line| line.contains("epth "))
            .filter_map(|line| line.split_once(':')?.1.trim().split_once(' '))
            .find_map(|(count, rest)| rest.starts_with(&format!("{theirs} (")).then(|| count.parse().ok())?)
            .unwrap_or(0)
    };
    names.into_iter().map(|(theirs, ours)| (ours, count(theirs))).collect()
}

#[test]
fn processors_are_as_lscpu_and_hwloc_say() {
    let (mut agreed, mut differences) = (BTreeMap::<String, usize>::new(), BTreeSet::new());
    let folder = common::corpora("topology");
    for (name, path) in archives() {
        let topology = topology(&path);
        let ours = columns(&topology);
        let mut compare = |column: &str, whose: &str, same: bool, what: String| {
            let column = format!("{column} {whose}");
            if same {
                *agreed.entry(column).or_default() += 1;
            } else {
                common::announce(&format!("{name}: {column}: {what}"));
                differences.insert((name.clone(), column));
            }
        };
        let read = |file: String| std::fs::read_to_string(folder.as_ref()?.join(file)).ok();
        if let Some(text) = read(format!("lscpu-e/{name}.csv")) {
            let theirs = lscpu(&text);
            // The table of one machine has only empty rows.
            for (column, ours) in ours.iter().filter(|_| theirs.contains_key("CPU")) {
                let theirs = theirs.get(*column).cloned().unwrap_or_default();
                compare(column, "lscpu", *ours == theirs, format!("ours {ours:?}, theirs {theirs:?}"));
            }
        }
        let expected = ["console", "xml"].iter().find_map(|end| read(format!("hwloc/{name}.{end}")));
        if let Some(text) = expected {
            for (column, theirs) in hwloc(&text) {
                // Nodes may have the same CPUs, or none.
                let ours = if column == "Node" { topology.nodes.len() } else { ours[column].len() };
                compare(column, "hwloc", ours == theirs, format!("ours {ours}, theirs {theirs}"));
            }
        }
    }
    let reviewed = REVIEWED.iter().map(|(name, column, _)| ((*name).to_owned(), (*column).to_owned()));
    common::announce(&format!("agree: {agreed:?}; differ, each reviewed: {}", differences.len()));
    if folder.is_some() {
        assert_eq!(differences, reviewed.collect::<BTreeSet<_>>());
    }
}

#[test]
fn a_capture_of_a_gathered_topology_has_the_same_processors() {
    for (name, path) in archives().into_iter().filter(|(name, _)| name.contains("em64t")) {
        let host = Host::open(&path).expect("opens").recording();
        let before = gather(&host);
        let mut bytes = Vec::new();
        passthru_host::capture::archive(&host, true, &mut bytes).expect("writes");
        let after = gather(&Host::from_archive(bytes.as_slice()).expect("reads"));
        assert_eq!(before.topology, after.topology, "{name}");
        assert_eq!(format!("{:?}", before.memory), format!("{:?}", after.memory), "{name}");
    }
}
