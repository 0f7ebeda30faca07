//! Machines made by hand, as trees of the files that a kernel would show.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use passthru_model::cpu_set::CpuSet;

/// Cores that share an L3.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domain {
    pub(crate) package: u32,
    pub(crate) node: u32,
    pub(crate) cores: u32,
    pub(crate) threads: u32,
    /// `None`: no L3 at all.
    pub(crate) l3_mib: Option<u32>,
    /// Domains with the same number share one L3.
    pub(crate) shared: Option<u32>,
    /// `core`, `atom`, `lowpower`: the performance monitoring unit.
    pub(crate) unit: Option<&'static str>,
    pub(crate) ranking: Option<u32>,
}

impl Default for Domain {
    fn default() -> Self {
        Self {
            package: 0,
            node: 0,
            cores: 8,
            threads: 2,
            l3_mib: Some(32),
            shared: None,
            unit: None,
            ranking: None,
        }
    }
}

/// A machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    pub(crate) domains: Vec<Domain>,
    /// Whether siblings have numbers side by side (`0-1`), rather than first threads first (`0,16`).
    pub(crate) side_by_side: bool,
    pub(crate) offline: &'static str,
    pub(crate) isolated: &'static str,
    pub(crate) memory_gib: u32,
}

/// Files by their path from the root.
pub(crate) type Files = BTreeMap<String, String>;

/// Writes files below a directory.
pub(crate) fn write(root: &Path, files: &Files) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("makes a directory");
        std::fs::write(path, text).expect("writes");
    }
}

impl Machine {
    /// Writes the tree.
    pub(crate) fn make(&self, root: &Path) {
        write(root, &self.files());
    }

    /// The files that a kernel would show.
    pub(crate) fn files(&self) -> Files {
        let mut files = Files::new();
        let mut put = |path: &str, text: &str| {
            files.insert(path.to_owned(), format!("{text}\n"));
        };
        let cores: u32 = self.domains.iter().map(|domain| domain.cores).sum();
        let offline: CpuSet = self.offline.parse().expect("a list");
        let (mut all, mut core, mut cpu) = (CpuSet::new(), 0, 0);
        // Each domain's CPUs, core by core.
        let mut laid: Vec<(Domain, Vec<CpuSet>)> = Vec::new();
        for domain in &self.domains {
            let mut of_domain = Vec::new();
            for _ in 0..domain.cores {
                let cpus: CpuSet = if self.side_by_side {
                    (cpu..cpu + domain.threads).collect()
                } else {
                    (0..domain.threads).map(|thread| core + thread * cores).collect()
                };
                (core, cpu) = (core + 1, cpu + domain.threads);
                all = all.union(&cpus);
                of_domain.push(cpus.difference(&offline));
            }
            laid.push((*domain, of_domain));
        }
        let online = all.difference(&offline);
        put("sys/devices/system/cpu/online", &online.to_string());
        put("sys/devices/system/cpu/present", &all.to_string());
        put("sys/devices/system/cpu/isolated", self.isolated);
        put("sys/devices/system/cpu/nohz_full", "(null)");
        let together = |wanted: &dyn Fn(&Domain) -> bool| -> CpuSet {
            let wanted = laid.iter().filter(|(domain, _)| wanted(domain)).flat_map(|(_, cores)| cores);
            wanted.fold(CpuSet::new(), |sum, cpus| sum.union(cpus))
        };
        let mut id = 0;
        for (index, (domain, cores)) in laid.iter().enumerate() {
            let own = cores.iter().fold(CpuSet::new(), |sum, cpus| sum.union(cpus));
            let l3 = domain.shared.map_or(own, |number| together(&|other| other.shared == Some(number)));
            let package = together(&|other| other.package == domain.package);
            for cpus in cores {
                for cpu in cpus.iter() {
                    let at = format!("sys/devices/system/cpu/cpu{cpu}");
                    put(&format!("{at}/topology/core_cpus_list"), &cpus.to_string());
                    put(&format!("{at}/topology/core_id"), &id.to_string());
                    put(&format!("{at}/topology/physical_package_id"), &domain.package.to_string());
                    put(&format!("{at}/topology/package_cpus_list"), &package.to_string());
                    if let Some(mib) = domain.l3_mib {
                        put(&format!("{at}/cache/index3/level"), "3");
                        put(&format!("{at}/cache/index3/size"), &format!("{}K", mib * 1024));
                        put(&format!("{at}/cache/index3/shared_cpu_list"), &l3.to_string());
                        put(&format!("{at}/cache/index3/id"), &index.to_string());
                    }
                    if let Some(ranking) = domain.ranking {
                        put(&format!("{at}/cpufreq/amd_pstate_prefcore_ranking"), &ranking.to_string());
                    }
                }
                id += 1;
            }
        }
        let is_hybrid = self.domains.iter().any(|domain| domain.unit.is_some());
        for unit in ["core", "atom", "lowpower"] {
            let cpus = together(&|domain| domain.unit == Some(unit));
            if is_hybrid && !cpus.is_empty() {
                put(&format!("sys/devices/cpu_{unit}/cpus"), &cpus.to_string());
            }
        }
        if !is_hybrid {
            put("sys/devices/cpu/type", "4");
        }
        self.nodes(&mut put, |node| together(&|domain| domain.node == node));
        files
    }

    fn nodes(&self, mut put: impl FnMut(&str, &str), cpus_of: impl Fn(u32) -> CpuSet) {
        let last = self.domains.iter().map(|domain| domain.node).max().unwrap_or(0);
        let share = self.memory_gib * 1024 * 1024 / (last + 1);
        for node in 0..=last {
            let at = format!("sys/devices/system/node/node{node}");
            let distances = (0..=last).fold(String::new(), |mut text, other| {
                let _ = write!(
                    text,
                    "{}{}",
                    if other == 0 { "" } else { " " },
                    if other == node { 10 } else { 32 }
                );
                text
            });
            put(&format!("{at}/cpulist"), &cpus_of(node).to_string());
            put(&format!("{at}/distance"), &distances);
            put(&format!("{at}/meminfo"), &format!("Node {node} MemTotal: {share} kB"));
        }
        put("proc/meminfo", &format!("MemTotal: {} kB", self.memory_gib * 1024 * 1024));
    }
}

/// Adds a display card at an address, at a node (-1: the firmware does not say).
pub(crate) fn add_card(root: &Path, address: &str, node: i32) {
    let real = format!("sys/devices/pci0000:00/{address}");
    let mut files = Files::new();
    let mut put = |name: &str, value: &str| {
        files.insert(format!("{real}/{name}"), format!("{value}\n"));
    };
    for (name, value) in [
        ("vendor", "0x10de"),
        ("device", "0x2684"),
        ("subsystem_vendor", "0x10de"),
        ("subsystem_device", "0x16f4"),
    ] {
        put(name, value);
    }
    put("class", "0x030000");
    put("revision", "0xa1");
    put("numa_node", &node.to_string());
    put("modalias", "pci:v000010DEd00002684sv000010DEsd000016F4bc03sc00i00");
    files.insert(format!("{real}/resource"), String::new());
    write(root, &files);
    let devices = root.join("sys/bus/pci/devices");
    std::fs::create_dir_all(&devices).expect("makes a directory");
    std::os::unix::fs::symlink(format!("../../../devices/pci0000:00/{address}"), devices.join(address))
        .expect("links");
}
