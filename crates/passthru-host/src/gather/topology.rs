//! How the processors are built, from `/sys/devices/system/cpu` and `/sys/devices/system/node`
//! (`Documentation/ABI/stable/sysfs-devices-system-cpu`, `Documentation/admin-guide/cputopology.rst`).
//!
//! Each list of CPUs is read once for all CPUs in it, so that the cost grows with the cores and not with their square.

mod caches;
mod kinds;
mod lists;
mod nodes;

use passthru_formats::sysfs;
use passthru_model::cpu_set::CpuSet;
use passthru_model::fact::Fact;
use passthru_model::topology::{Core, Part, RankingSource, Topology};

use self::lists::Lists;
use super::because;
use crate::host::Host;

const CPUS: &str = "/sys/devices/system/cpu";

pub(super) fn of(host: &Host) -> Fact<Topology> {
    let names = match host.list(CPUS) {
        Ok(names) => names,
        Err(error) => return because(&error),
    };
    let listed: CpuSet = names.iter().filter_map(|name| cpu_number(name)).collect();
    let mut lists = Lists::new(host);
    let online = online(&mut lists, &listed);
    if online.is_empty() {
        return Fact::unknown(format!("{CPUS} names no CPU that is online"));
    }
    let present = lists.set(CPUS, &["present"], &[]).unwrap_or(listed);
    let mut topology = Topology {
        offline: present.difference(&online),
        isolated: lists.set(CPUS, &["isolated"], &[]).unwrap_or_default().intersection(&online),
        nohz_full: lists.set(CPUS, &["nohz_full"], &[]).unwrap_or_default().intersection(&online),
        smt_control: host.read(&format!("{CPUS}/smt/control")).ok().map(|bytes| sysfs::line(&bytes)),
        online,
        ..Topology::default()
    };
    topology.l3 = caches::domains(&mut lists, &topology.online);
    topology.nodes = nodes::all(&mut lists, &topology.online);
    cores(&mut lists, &mut topology);
    kinds::name(&mut lists, &mut topology);
    rankings(&mut lists, &mut topology);
    topology.gaps = lists.gaps;
    let seen =
        format!("{} CPUs online: {}", topology.online.len(), super::short(&topology.online.to_string()));
    Fact::known(topology, CPUS, seen)
}

/// The number in `cpu12`; other entries (`cpufreq`, `cpuidle`) have none.
fn cpu_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("cpu")?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The path of a CPU's directory.
fn cpu(number: u32) -> String {
    format!("{CPUS}/cpu{number}")
}

/// The CPUs that run. Before Linux 2.6.26 there is no list of them, and each CPU that can be taken offline says so itself.
fn online(lists: &mut Lists<'_>, listed: &CpuSet) -> CpuSet {
    if let Some(online) = lists.set(CPUS, &["online"], &[]) {
        return online;
    }
    listed.iter().filter(|&number| lists.number(&format!("{}/online", cpu(number))) != Some(0)).collect()
}

/// Fills in cores, packages, dies and clusters.
fn cores(lists: &mut Lists<'_>, topology: &mut Topology) {
    let online = topology.online.clone();
    let mut taken = CpuSet::new();
    let (mut packages, mut dies, mut clusters) = (Parts::default(), Parts::default(), Parts::default());
    for first in online.iter() {
        if taken.contains(first) {
            continue;
        }
        let directory = format!("{}/topology", cpu(first));
        let siblings = lists
            .set(&directory, &["core_cpus_list", "thread_siblings_list"], &["core_cpus", "thread_siblings"])
            .unwrap_or_else(|| CpuSet::from_iter([first]))
            .intersection(&online);
        let mut cpus = siblings.difference(&taken);
        if !siblings.contains(first) || siblings.meets(&taken) {
            lists.gap(
                &directory,
                format!("the threads of a core contradict each other: CPU {first} has {siblings}"),
            );
        }
        cpus.insert(first);
        taken = taken.union(&cpus);
        let mut part = |parts: &mut Parts, within, id: &str, names: [&str; 4]| {
            let id = lists.number(&format!("{directory}/{id}"))?;
            let id = u32::try_from(id).ok().filter(|id| *id != UNKNOWN_ID);
            // A kernel that has no number for a die or a cluster knows of none; packages go unnumbered on POWER and s390.
            if id.is_none() && !names[0].starts_with("package") {
                return None;
            }
            Some(parts.place(within, id, &cpus, || lists.set(&directory, &names[..2], &names[2..])))
        };
        let package = part(
            &mut packages,
            None,
            "physical_package_id",
            ["package_cpus_list", "core_siblings_list", "package_cpus", "core_siblings"],
        );
        let die =
            part(&mut dies, package, "die_id", ["die_cpus_list", "die_cpus_list", "die_cpus", "die_cpus"]);
        let cluster = part(
            &mut clusters,
            package,
            "cluster_id",
            ["cluster_cpus_list", "cluster_cpus_list", "cluster_cpus", "cluster_cpus"],
        );
        topology.cores.push(Core {
            id: lists.number(&format!("{directory}/core_id")).and_then(|id| u32::try_from(id).ok()),
            package,
            die,
            cluster,
            l3: topology.l3.iter().position(|domain| domain.cpus.contains(first)),
            node: nearest_node(topology, first),
            cpus,
            kind: None,
            ranking: None,
        });
    }
    topology.packages = packages.parts();
    topology.dies = dies.parts();
    topology.clusters = clusters.parts();
}

/// The node of a CPU. Where nodes overlap (memory that several nodes share is a node too), it is the smallest.
fn nearest_node(topology: &Topology, cpu: u32) -> Option<u32> {
    let nodes = topology.nodes.iter().filter(|(_, node)| node.cpus.contains(cpu));
    nodes.min_by_key(|(_, node)| node.cpus.len()).map(|(number, _)| *number)
}

/// What x86 has for the number of a cluster that it does not know (`BAD_APICID`, `arch/x86/include/asm/apicdef.h`).
const UNKNOWN_ID: u32 = 0xffff;

/// Packages, dies or clusters while they are found, with what the kernel says belongs to each.
#[derive(Default)]
struct Parts(Vec<Found>);

struct Found {
    within: Option<usize>,
    claimed: Option<CpuSet>,
    part: Part,
}

impl Parts {
    /// The position of the part with this number that claims these CPUs; a new one where there is none. On some machines
    /// (s390 with books) the numbers begin anew, and only what is claimed tells two parts apart.
    fn place(
        &mut self,
        within: Option<usize>,
        id: Option<u32>,
        cpus: &CpuSet,
        claimed: impl FnOnce() -> Option<CpuSet>,
    ) -> usize {
        let belongs = |found: &Found| {
            found.part.id == id
                && found.within == within
                && found.claimed.as_ref().is_none_or(|claimed| claimed.meets(cpus))
        };
        if let Some(at) = self.0.iter().position(belongs) {
            let part = &mut self.0[at].part;
            part.cpus = part.cpus.union(cpus);
            return at;
        }
        self.0.push(Found { within, claimed: claimed(), part: Part { id, cpus: cpus.clone() } });
        self.0.len() - 1
    }

    fn parts(self) -> Vec<Part> {
        self.0.into_iter().map(|found| found.part).collect()
    }
}

/// Fills in how well each core boosts. All cores or none have a ranking, so the first one tells which file to read.
fn rankings(lists: &mut Lists<'_>, topology: &mut Topology) {
    let ranking = |lists: &mut Lists<'_>, first: u32, source: RankingSource| {
        let number = lists.number(&format!("{}/{}", cpu(first), source.attribute()))?;
        u32::try_from(number).ok()
    };
    let sources = [RankingSource::AmdPreferredCore, RankingSource::Cppc];
    let Some(first) = topology.cores.first().and_then(|core| core.cpus.first()) else { return };
    let Some(source) = sources.into_iter().find(|source| ranking(lists, first, *source).is_some()) else {
        return;
    };
    topology.ranking_source = Some(source);
    for core in &mut topology.cores {
        core.ranking = core.cpus.first().and_then(|first| ranking(lists, first, source));
    }
}

#[cfg(test)]
mod tests {
    use super::{CpuSet, Parts, cpu_number};

    #[test]
    fn only_numbered_entries_are_cpus() {
        assert_eq!(
            ["cpu0", "cpu4095", "cpufreq", "cpu", "cpu+1"].map(cpu_number),
            [Some(0), Some(4095), None, None, None]
        );
    }

    #[test]
    fn parts_of_one_number_are_two_where_each_claims_its_own_cpus() {
        let set = |text: &str| text.parse::<CpuSet>().expect("a list");
        let mut parts = Parts::default();
        assert_eq!(parts.place(None, Some(0), &set("0"), || Some(set("0-1"))), 0);
        assert_eq!(parts.place(None, Some(0), &set("2"), || Some(set("2-3"))), 1);
        assert_eq!(parts.place(None, Some(0), &set("1"), || None), 0);
        assert_eq!(parts.place(Some(1), Some(0), &set("4"), || None), 2);
        assert_eq!(
            parts.parts().iter().map(|part| part.cpus.to_string()).collect::<Vec<_>>(),
            ["0-1", "2", "4"]
        );
    }
}
