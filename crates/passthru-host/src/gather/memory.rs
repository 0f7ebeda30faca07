//! Memory: totals, huge pages, transparent huge pages, free blocks.

use std::collections::BTreeMap;

use passthru_formats::{memory, sysfs};
use passthru_model::fact::Fact;
use passthru_model::memory::{
    HugePageCounts, HugePages, MemoryFacts, MemoryTotals, TransparentHugePages, ZoneBlocks,
};

use super::because;
use crate::directory::Directory;
use crate::error::ReadError;
use crate::host::Host;

const MEMINFO: &str = "/proc/meminfo";
const BUDDYINFO: &str = "/proc/buddyinfo";
const MM: &str = "/sys/kernel/mm";
const HUGE: &str = "/sys/kernel/mm/hugepages";
const TRANSPARENT: &str = "/sys/kernel/mm/transparent_hugepage";
const NODES: &str = "/sys/devices/system/node";

pub(super) fn facts(host: &Host) -> MemoryFacts {
    MemoryFacts {
        totals: totals(host),
        huge_pages: huge_pages(host),
        transparent: transparent(host),
        free_blocks: free_blocks(host),
    }
}

fn totals(host: &Host) -> Fact<MemoryTotals> {
    let amounts = match host.read(MEMINFO) {
        Ok(bytes) => memory::meminfo(&bytes),
        Err(error) => return because(&error),
    };
    let Some(&total_kib) = amounts.get("MemTotal") else {
        return Fact::unknown(format!("{MEMINFO} has no line ‘MemTotal’"));
    };
    let totals = MemoryTotals {
        total_kib,
        available_kib: amounts.get("MemAvailable").copied(),
        default_huge_page_kib: amounts.get("Hugepagesize").copied(),
    };
    Fact::known(totals, MEMINFO, format!("MemTotal: {total_kib} kB"))
}

/// Whether something below [`MM`] is left out of the kernel, rather than out of sight.
fn is_left_out(host: &Host, error: &ReadError) -> bool {
    error.is_not_found() && matches!(host.exists(MM), Ok(true))
}

fn huge_pages(host: &Host) -> Fact<BTreeMap<u64, HugePages>> {
    let names = match host.list(HUGE) {
        Ok(names) => names,
        Err(error) if is_left_out(host, &error) => {
            return Fact::known(BTreeMap::new(), MM, "no directory hugepages");
        }
        Err(error) => return because(&error),
    };
    // Where the nodes cannot be listed, the counts of the whole host still hold.
    let nodes: Vec<u32> =
        host.list(NODES).unwrap_or_default().iter().filter_map(|name| node_number(name)).collect();
    let mut found = BTreeMap::new();
    for name in &names {
        let Some(size) = page_size_kib(name) else { continue };
        let all = match counts(&host.directory(&format!("{HUGE}/{name}"))) {
            Ok(all) => all,
            Err(why) => return Fact::unknown(why),
        };
        let of_node = |node: u32| {
            let directory = host.directory(&format!("{NODES}/node{node}/hugepages/{name}"));
            counts(&directory).ok().map(|counts| (node, counts))
        };
        found.insert(size, HugePages { all, nodes: nodes.iter().copied().filter_map(of_node).collect() });
    }
    let seen =
        found.iter().map(|(size, pages)| format!("{} of {size} kB", pages.all.total)).collect::<Vec<_>>();
    Fact::known(found, HUGE, seen.join(", "))
}

/// The number in `node3`.
pub(super) fn node_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("node")?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The size in `hugepages-2048kB`.
fn page_size_kib(name: &str) -> Option<u64> {
    name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok().filter(|size| *size > 0)
}

fn counts(directory: &Directory<'_>) -> Result<HugePageCounts, String> {
    let count = |name: &str| -> Result<u64, String> {
        let text = sysfs::line(&directory.read(name)?);
        text.trim().parse().map_err(|_| format!("{} says ‘{text}’, which is no count", directory.child(name)))
    };
    Ok(HugePageCounts {
        total: count("nr_hugepages")?,
        free: count("free_hugepages")?,
        // Nodes have no such file.
        reserved: count("resv_hugepages").unwrap_or(0),
        surplus: count("surplus_hugepages").unwrap_or(0),
    })
}

fn transparent(host: &Host) -> Fact<Option<TransparentHugePages>> {
    let directory = host.directory(TRANSPARENT);
    let enabled = match directory.read("enabled") {
        Ok(bytes) => sysfs::line(&bytes),
        Err(error) if is_left_out(host, &error) => {
            return Fact::known(None, MM, "no directory transparent_hugepage");
        }
        Err(error) => return because(&error),
    };
    let setting = |name: &str| {
        let text = sysfs::line(&directory.read(name).ok()?);
        memory::chosen(&text).map(str::to_owned)
    };
    let settings = TransparentHugePages {
        enabled: memory::chosen(&enabled).map(str::to_owned),
        defrag: setting("defrag"),
        shmem: setting("shmem_enabled"),
        size: directory.read("hpage_pmd_size").ok().and_then(|bytes| sysfs::line(&bytes).parse().ok()),
    };
    Fact::known(Some(settings), directory.child("enabled"), enabled)
}

fn free_blocks(host: &Host) -> Fact<Vec<ZoneBlocks>> {
    match host.read(BUDDYINFO) {
        Ok(bytes) => match memory::buddyinfo(&bytes) {
            Ok(zones) => {
                let seen = format!("{} zones", zones.len());
                Fact::known(zones, BUDDYINFO, seen)
            }
            Err(error) => Fact::unknown(format!("{BUDDYINFO}: {error}")),
        },
        Err(error) => because(&error),
    }
}
