//! Packages, NUMA nodes, L3 domains and cores, one inside the other, within a hundred columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use passthru_model::HostFacts;
use passthru_model::cpu_set::CpuSet;
use passthru_model::pci::PciFunction;
use passthru_model::topology::{Core, CoreKind, Topology};
use passthru_plan::pinning::Pinning;

use super::memory::amount;
use super::worth_showing;
use crate::printer::{self, FAINT, STRONG, plain};

/// Above so many cores they are counted and not drawn one by one.
const MOST_CORES: usize = 64;
/// Above so many L3 domains in a node they are counted as well.
const MOST_DOMAINS: usize = 16;
/// So many devices of a node are shown.
const MOST_DEVICES: usize = 12;

/// All processors.
pub(super) fn processors(topology: &Topology, pinning: Option<&Pinning>) -> String {
    let mut out = heading(topology);
    let drawing = Drawing { topology, guest: pinning.map(|pinning| pinning.pins.iter().copied().collect()) };
    let all: Vec<&Core> = topology.cores.iter().collect();
    // Most often a package holds nodes; where there are more packages than nodes, it is the other way round.
    let packages_first = topology.nodes.is_empty() || topology.packages.len() <= topology.nodes.len();
    for (outer, cores) in by(&all, |core| drawing.place(core, packages_first)) {
        drawing.heading(&mut out, outer, packages_first, 0);
        for (inner, cores) in by(&cores, |core| drawing.place(core, !packages_first)) {
            drawing.heading(&mut out, inner, !packages_first, 2);
            drawing.domains(&mut out, &cores);
        }
    }
    for (number, node) in topology.nodes.iter().filter(|(_, node)| node.cpus.is_empty()) {
        let memory = node.memory_kib.map_or_else(String::new, |kib| format!(", {}", amount(kib)));
        let _ = writeln!(out, "  NUMA node {number}{memory}, without CPUs");
    }
    if drawing.guest.is_some() && drawing.is_drawn() {
        let _ = writeln!(out, "  {FAINT}<…> has the guest's CPUs, […] stays with the host{FAINT:#}");
    }
    for (what, cpus) in [("offline", &topology.offline), ("isolated", &topology.isolated)] {
        if !cpus.is_empty() {
            let _ = writeln!(out, "{}", wrapped(&format!("{what}: {}", spaced(cpus)), 2));
        }
    }
    for (path, why) in &topology.gaps {
        let told = if why.starts_with(path) { why.clone() } else { format!("{path}: {why}") };
        let _ = writeln!(out, "{}", wrapped(&plain(&format!("not certain: {told}")), 2));
    }
    out
}

/// Groups in order of their key.
fn by<'a, K: Ord>(cores: &[&'a Core], key: impl Fn(&Core) -> K) -> BTreeMap<K, Vec<&'a Core>> {
    let mut groups: BTreeMap<K, Vec<&Core>> = BTreeMap::new();
    for &core in cores {
        groups.entry(key(core)).or_default().push(core);
    }
    groups
}

/// How much of everything there is, in one line.
fn heading(topology: &Topology) -> String {
    let many = |count: usize, one: &str, more: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {more}")),
    };
    let threads = topology.most_threads();
    let cores = many(topology.cores.len(), "core", "cores").map(|cores| match threads {
        0 | 1 => cores,
        threads => format!("{cores} of up to {threads} threads"),
    });
    let parts = [
        many(topology.packages.len(), "package", "packages"),
        many(topology.nodes.len(), "NUMA node", "NUMA nodes"),
        many(topology.l3.len(), "L3 domain", "L3 domains"),
        cores,
        many(topology.online.len(), "CPU", "CPUs").map(|cpus| format!("{cpus} online")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ") + "\n\n"
}

/// A list with blanks after the commas, so that it can be wrapped.
fn spaced(cpus: &CpuSet) -> String {
    cpus.to_string().replace(',', ", ")
}

/// Text wrapped to what is read with ease.
fn wrapped(text: &str, indent: usize) -> String {
    printer::wrap(text, printer::width().min(100), indent).into_owned()
}

struct Drawing<'a> {
    topology: &'a Topology,
    guest: Option<CpuSet>,
}

impl Drawing<'_> {
    /// Where a core is: the position of its package that has a number, or the number of its node.
    fn place(&self, core: &Core, package: bool) -> Option<u64> {
        if !package {
            return core.node.map(u64::from);
        }
        let position = core.package?;
        self.topology.packages.get(position)?.id?;
        u64::try_from(position).ok()
    }

    /// The line above a package or a node; none where the kernel has no number for it.
    fn heading(&self, out: &mut String, place: Option<u64>, package: bool, indent: usize) {
        let Some(place) = place else { return };
        let blanks = " ".repeat(indent);
        if package {
            let position = usize::try_from(place).ok();
            let id =
                position.and_then(|position| self.topology.packages.get(position)?.id).unwrap_or_default();
            let _ = writeln!(out, "{blanks}{STRONG}package {id}{STRONG:#}");
        } else {
            let node = u32::try_from(place).ok().and_then(|number| self.topology.nodes.get(&number));
            let memory = node.and_then(|node| node.memory_kib);
            let memory = memory.map_or_else(String::new, |kib| format!(", {}", amount(kib)));
            let _ = writeln!(out, "{blanks}{STRONG}NUMA node {place}{STRONG:#}{memory}");
        }
    }

    /// The L3 domains of a node with their cores.
    fn domains(&self, out: &mut String, cores: &[&Core]) {
        // Cores without an L3 come last.
        let domains = by(cores, |core| (core.l3.is_none(), core.l3));
        if domains.len() > MOST_DOMAINS {
            let cpus = cores.iter().fold(CpuSet::new(), |sum, core| sum.union(&core.cpus));
            let text = format!("{} L3 domains, {} cores: CPUs {}", domains.len(), cores.len(), spaced(&cpus));
            let _ = writeln!(out, "    {}", wrapped(&text, 6));
            return;
        }
        if domains.len() > 1 && domains.values().all(|cores| cores.len() == 1) && self.is_drawn() {
            let cells: Vec<String> = cores.iter().map(|core| self.cell(core)).collect();
            let _ = writeln!(out, "    {} L3 domains, one for each core", domains.len());
            let _ = writeln!(out, "      {}", rows(&cells, 6));
            return;
        }
        for ((_, domain), cores) in domains {
            let size =
                domain.and_then(|domain| self.topology.l3.get(domain)).and_then(|domain| domain.size_kib);
            let name = match (domain, size) {
                (None, _) if self.topology.l3.is_empty() => None,
                (None, _) => Some("no L3".to_owned()),
                (Some(_), None) => Some("L3".to_owned()),
                (Some(_), Some(kib)) => Some(format!("L3 of {}", amount(kib))),
            };
            if !self.is_drawn() {
                let cpus = cores.iter().fold(CpuSet::new(), |sum, core| sum.union(&core.cpus));
                let name = name.map_or_else(String::new, |name| format!("{name}, "));
                let text = format!("{name}{} cores: CPUs {}", cores.len(), spaced(&cpus));
                let _ = writeln!(out, "    {}", wrapped(&text, 6));
                continue;
            }
            if let Some(name) = name {
                let _ = writeln!(out, "    {name}");
            }
            for (kind, cores) in by(&cores, |core| core.kind) {
                let kind = kind.map_or_else(String::new, |kind| format!("{}s ", CoreKind::short(kind)));
                let cells: Vec<String> = cores.iter().map(|core| self.cell(core)).collect();
                let _ = writeln!(out, "      {kind}{}", rows(&cells, 6 + kind.len()));
            }
        }
    }

    /// Whether cores are drawn one by one.
    fn is_drawn(&self) -> bool {
        self.topology.cores.len() <= MOST_CORES
    }

    /// One core: its CPUs between brackets.
    fn cell(&self, core: &Core) -> String {
        let wide = self.topology.online.last().unwrap_or(0).to_string().len();
        let cpus: Vec<String> = core.cpus.iter().map(|cpu| format!("{cpu:>wide$}")).collect();
        match &self.guest {
            Some(guest) if guest.meets(&core.cpus) => format!("<{}>", cpus.join(" ")),
            _ => format!("[{}]", cpus.join(" ")),
        }
    }
}

/// Cells side by side, as many as fit.
fn rows(cells: &[String], indent: usize) -> String {
    let wide = cells.iter().map(String::len).max().unwrap_or(1) + 1;
    let in_a_row = (printer::width().min(100).saturating_sub(indent) / wide).max(1);
    let rows: Vec<String> = cells.chunks(in_a_row).map(|row| row.join(" ")).collect();
    rows.join(&format!("\n{}", " ".repeat(indent)))
}

/// Devices at their node.
pub(super) fn devices(facts: &HostFacts, topology: &Topology) -> String {
    let mut nodes: BTreeMap<Option<u32>, Vec<&PciFunction>> = BTreeMap::new();
    for function in facts.functions().filter(|function| worth_showing(function)) {
        // Where there is one node at most, where a device hangs tells nothing.
        let node = function.numa_node.filter(|_| topology.nodes.len() > 1);
        nodes.entry(node).or_default().push(function);
    }
    let mut out = String::new();
    for (node, functions) in nodes {
        let place = match node {
            Some(node) => format!("devices at NUMA node {node}"),
            None if topology.nodes.len() < 2 => "devices".to_owned(),
            None => "devices whose node the firmware does not say".to_owned(),
        };
        let _ = writeln!(out, "\n{STRONG}{place}{STRONG:#}");
        for function in functions.iter().take(MOST_DEVICES) {
            let line = format!("{} {}", function.address, plain(&facts.name_of(function)));
            let short: String = line.chars().take(printer::width().min(100).saturating_sub(2)).collect();
            let _ = writeln!(out, "  {short}");
        }
        if let Some(more) = functions.len().checked_sub(MOST_DEVICES).filter(|more| *more > 0) {
            let _ = writeln!(out, "  and {more} more");
        }
    }
    out
}
