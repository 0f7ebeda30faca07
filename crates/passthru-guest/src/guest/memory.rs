//! Where a guest's memory comes from.

use passthru_model::HostFacts;
use passthru_plan::pinning::Pinning;

use super::{BuildError, Building};
use crate::choice::Topic;
use crate::machine::{HugePage, MemorySource};
use crate::size::MemorySize;
use crate::spec::{GuestSpec, PagesChoice};

/// How many pages of a size a guest's memory is; `None` where that does not come out even.
pub(super) fn pages(memory: MemorySize, page: HugePage) -> Option<u64> {
    let kib = memory.mib() * 1024;
    kib.is_multiple_of(page.kib()).then(|| kib / page.kib())
}

/// Decides it.
pub(super) fn decide(
    spec: &GuestSpec,
    facts: &HostFacts,
    pinning: Option<&Pinning>,
    building: &mut Building,
) -> MemorySource {
    let wanted = &spec.memory_backing;
    let node = node(spec, facts, pinning, building);
    let huge = match wanted.pages {
        PagesChoice::Huge1G => Some(named(spec, facts, HugePage::Size1G, building)),
        PagesChoice::Huge2M => Some(named(spec, facts, HugePage::Size2M, building)),
        PagesChoice::Transparent => {
            transparent(facts, "as the specification wants", building);
            None
        }
        PagesChoice::Auto if wanted.prealloc == Some(false) => {
            transparent(facts, "static ones are always taken before the guest starts", building);
            None
        }
        PagesChoice::Auto => free(spec, facts, node, building),
    };
    if huge.is_some() && wanted.prealloc == Some(false) {
        building.wrong(BuildError::PreallocHuge);
    }
    let prealloc = huge.is_some() || wanted.prealloc == Some(true);
    if prealloc && huge.is_some() {
        building.say(
            Topic::Memory,
            "all of it is taken before the guest starts, so that no page is missing later",
        );
    }
    let merge = wanted.merge.unwrap_or(!building.has_devices);
    if building.has_devices {
        building.say(
            Topic::Memory,
            "no balloon: a device may write anywhere, so all memory stays with the guest",
        );
        if !merge {
            building.say(
                Topic::Memory,
                "not offered for merging with other guests' (KSM): memory that a device may write to cannot be merged anyway",
            );
        }
    }
    MemorySource { huge, node, prealloc, merge }
}

/// The NUMA node.
fn node(
    spec: &GuestSpec,
    facts: &HostFacts,
    pinning: Option<&Pinning>,
    building: &mut Building,
) -> Option<u32> {
    let nodes = facts.topology.value().map(|topology| &topology.nodes);
    let short = |node: u32| {
        let has = nodes.and_then(|nodes| nodes.get(&node)).and_then(|node| node.memory_kib);
        has.map(|kib| kib / 1024).filter(|mib| *mib < spec.memory.mib())
    };
    if let Some(node) = spec.memory_backing.node {
        match nodes {
            Some(nodes) if !nodes.contains_key(&node) => building.wrong(BuildError::NodeMissing(node)),
            _ => {
                if let Some(mib) = short(node) {
                    building.wrong(BuildError::NodeTooSmall { node, wanted: spec.memory, mib });
                }
            }
        }
        building.say(Topic::Memory, format!("from NUMA node {node} alone, by hand"));
        return Some(node);
    }
    let node = pinning?.node?;
    if let Some(mib) = short(node) {
        building.say(
            Topic::Memory,
            format!("from every NUMA node: node {node}, where the vCPUs are, has {mib} MiB in all"),
        );
        return None;
    }
    building.say(
        Topic::Memory,
        format!("from NUMA node {node} alone, where the vCPUs are: no access crosses to another"),
    );
    Some(node)
}

/// Static pages that are asked for. Whether so many are free is a question for the start, which may make some.
fn named(spec: &GuestSpec, facts: &HostFacts, page: HugePage, building: &mut Building) -> HugePage {
    let word = page.word();
    if pages(spec.memory, page).is_none() {
        building.wrong(BuildError::PagesUneven { memory: spec.memory, page: word });
    }
    if facts.memory.huge_pages.value().is_some_and(|sizes| !sizes.contains_key(&page.kib())) {
        building.wrong(BuildError::NoSuchPages(word));
    }
    building.say(Topic::Memory, format!("static huge pages of {word}, by hand"));
    page
}

/// The largest static pages of which enough are free.
fn free(spec: &GuestSpec, facts: &HostFacts, node: Option<u32>, building: &mut Building) -> Option<HugePage> {
    if !building.has_devices {
        transparent(facts, "static ones are left to guests with a device of the host", building);
        return None;
    }
    let Some(sizes) = facts.memory.huge_pages.value() else {
        transparent(facts, "what static huge pages there are is not known", building);
        return None;
    };
    let mut found = Vec::new();
    for page in [HugePage::Size1G, HugePage::Size2M] {
        let Some(counts) = sizes.get(&page.kib()) else { continue };
        let here = match node {
            Some(node) => counts.nodes.get(&node).copied().unwrap_or_default(),
            None => counts.all,
        };
        let place = node.map_or_else(String::new, |node| format!(" on node {node}"));
        match pages(spec.memory, page) {
            Some(needed) if here.takeable() >= needed => {
                building.say(
                    Topic::Memory,
                    format!(
                        "{needed} static huge pages of {} of {} that are free{place}: few entries in the TLB cover all memory",
                        page.word(),
                        here.takeable()
                    ),
                );
                return Some(page);
            }
            Some(needed) if counts.all.total > 0 => {
                found.push(format!(
                    "{} of {needed} pages of {} are free{place}",
                    here.takeable(),
                    page.word()
                ));
            }
            None if counts.all.total > 0 => {
                found.push(format!("{} is no whole number of pages of {}", spec.memory, page.word()));
            }
            _ => {}
        }
    }
    let why = if found.is_empty() { "no static ones are set aside".to_owned() } else { found.join(", ") };
    transparent(facts, &why, building);
    None
}

/// Ordinary memory.
fn transparent(facts: &HostFacts, why: &str, building: &mut Building) {
    let setting =
        facts.memory.transparent.value().map(|all| all.as_ref().and_then(|all| all.enabled.as_deref()));
    building.say(
        Topic::Memory,
        match setting {
            Some(Some("always" | "madvise")) | None => {
                format!("transparent huge pages, which the kernel makes where free memory is in one piece: {why}")
            }
            Some(_) => format!(
                "small pages: {why}, and transparent huge pages are off on this host (see: passthru doctor transparent-huge-pages)"
            ),
        },
    );
}
