//! Memory, as far as guests care: huge pages, transparent huge pages, and how broken up free memory is.

use std::collections::BTreeMap;

use crate::fact::Fact;

/// The memory of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryFacts {
    /// Totals of `/proc/meminfo` (`man 5 proc_meminfo`).
    pub totals: Fact<MemoryTotals>,
    /// Static huge pages by size in KiB (`/sys/kernel/mm/hugepages`, `Documentation/admin-guide/mm/hugetlbpage.rst`).
    /// Known and empty: the kernel has none.
    pub huge_pages: Fact<BTreeMap<u64, HugePages>>,
    /// Transparent huge pages. Known and `None`: the kernel is built without.
    pub transparent: Fact<Option<TransparentHugePages>>,
    /// Free blocks of each zone (`/proc/buddyinfo`, `man 5 proc_buddyinfo`).
    pub free_blocks: Fact<Vec<ZoneBlocks>>,
}

/// Totals of the whole host, in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryTotals {
    /// `MemTotal`.
    pub total_kib: u64,
    /// `MemAvailable`; before Linux 3.14 there is none.
    pub available_kib: Option<u64>,
    /// `Hugepagesize`: the size of a huge page for which none is named.
    pub default_huge_page_kib: Option<u64>,
}

/// Huge pages of one size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HugePages {
    /// On the whole host.
    pub all: HugePageCounts,
    /// On each NUMA node, by number; empty where the kernel has no NUMA.
    pub nodes: BTreeMap<u32, HugePageCounts>,
}

/// How many pages there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HugePageCounts {
    /// `nr_hugepages`: the pool.
    pub total: u64,
    /// `free_hugepages`: of these, not in use.
    pub free: u64,
    /// `resv_hugepages`: of the free ones, promised to somebody; nodes do not say.
    pub reserved: u64,
    /// `surplus_hugepages`: above the pool's wanted size.
    pub surplus: u64,
}

/// Settings of transparent huge pages (`/sys/kernel/mm/transparent_hugepage`,
/// `Documentation/admin-guide/mm/transhuge.rst`): the chosen word of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransparentHugePages {
    /// `enabled`: `always`, `madvise`, `never`.
    pub enabled: Option<String>,
    /// `defrag`: `always`, `defer`, `defer+madvise`, `madvise`, `never`.
    pub defrag: Option<String>,
    /// `shmem_enabled`: `always`, `within_size`, `advise`, `never`, `deny`, `force`.
    pub shmem: Option<String>,
    /// `hpage_pmd_size` in bytes; before Linux 4.10 there is none.
    pub size: Option<u64>,
}

/// Free blocks of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneBlocks {
    /// Number of its NUMA node.
    pub node: u32,
    /// `DMA`, `DMA32`, `Normal`, `Movable`, …
    pub zone: String,
    /// Free blocks by order: the Nth counts blocks of 2 to the power N pages.
    pub free: Vec<u64>,
}

impl HugePageCounts {
    /// Pages that a guest could take now.
    pub fn takeable(&self) -> u64 {
        self.free.saturating_sub(self.reserved)
    }
}

impl MemoryFacts {
    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            totals: Fact::unknown(because),
            huge_pages: Fact::unknown(because),
            transparent: Fact::unknown(because),
            free_blocks: Fact::unknown(because),
        }
    }
}

impl ZoneBlocks {
    /// Free memory of the zone in pages.
    pub fn free_pages(&self) -> u64 {
        self.pages_from(0)
    }

    /// Free memory that lies in blocks of at least this order, in pages: for an order of 9 and pages of 4 KiB, what could
    /// become huge pages of 2 MiB without moving anything.
    pub fn pages_from(&self, order: usize) -> u64 {
        self.free.iter().enumerate().skip(order).fold(0, |sum, (order, blocks)| {
            let pages =
                u32::try_from(order).ok().and_then(|order| 1u64.checked_shl(order)).unwrap_or(u64::MAX);
            sum.saturating_add(blocks.saturating_mul(pages))
        })
    }
}
