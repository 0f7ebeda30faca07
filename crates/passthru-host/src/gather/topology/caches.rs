//! Level 3 caches and who shares them, from `cpu/cpuN/cache/indexK`.

use passthru_formats::memory;
use passthru_model::cpu_set::CpuSet;
use passthru_model::topology::L3Domain;

use super::lists::Lists;

/// All of them, in order of their lowest CPU. A machine in whose sysfs no cache has level 3 has none.
pub(super) fn domains(lists: &mut Lists<'_>, online: &CpuSet) -> Vec<L3Domain> {
    let mut found: Vec<L3Domain> = Vec::new();
    let mut covered = CpuSet::new();
    for cpu in online.iter() {
        if covered.contains(cpu) {
            continue;
        }
        let caches = format!("{}/cache", super::cpu(cpu));
        let Some(path) = level_3(lists, &caches) else { continue };
        let shared = lists
            .set(&path, &["shared_cpu_list"], &["shared_cpu_map"])
            .unwrap_or_else(|| CpuSet::from_iter([cpu]))
            .intersection(online);
        if !shared.contains(cpu) || shared.meets(&covered) {
            lists.gap(
                &path,
                format!("the caches contradict each other: CPU {cpu} shares its L3 with {shared}"),
            );
        }
        let mut cpus = shared.difference(&covered);
        cpus.insert(cpu);
        covered = covered.union(&cpus);
        let size = lists.text(&format!("{path}/size"));
        let id = lists.number(&format!("{path}/id"));
        found.push(L3Domain {
            id: id.and_then(|id| u32::try_from(id).ok()),
            size_kib: size.and_then(|size| memory::cache_size_kib(&size)),
            cpus,
        });
    }
    found
}

/// The directory of a CPU's level 3 cache. The highest index comes first, since it is most often this one.
fn level_3(lists: &mut Lists<'_>, caches: &str) -> Option<String> {
    let names = lists.names(caches);
    let indices = names.iter().rev().filter(|name| name.starts_with("index"));
    for name in indices {
        let path = format!("{caches}/{name}");
        if lists.number(&format!("{path}/level")) == Some(3) {
            return Some(path);
        }
    }
    None
}
