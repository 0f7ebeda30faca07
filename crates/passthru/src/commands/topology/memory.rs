//! Memory beside the processors: huge pages, transparent huge pages, and how broken up free memory is.

use std::fmt::Write as _;

use passthru_model::HostFacts;

use crate::envelope::topology as envelope;
use crate::printer::STRONG;

/// KiB of a page on x86-64, the architecture of the hosts that guests run on.
const PAGE_KIB: u64 = 4;
/// The order of a block of 2 MiB.
const ORDER_2M: usize = 9;

/// Free memory, and how much of it is in blocks of at least 2 MiB, in KiB.
fn free(facts: &HostFacts) -> Option<(u64, u64)> {
    let zones = facts.memory.free_blocks.value()?;
    let sum = |order: usize| zones.iter().fold(0u64, |sum, zone| sum.saturating_add(zone.pages_from(order)));
    Some((sum(0).saturating_mul(PAGE_KIB), sum(ORDER_2M).saturating_mul(PAGE_KIB)))
}

/// The chosen word of transparent huge pages.
fn transparent(facts: &HostFacts) -> Option<&str> {
    facts.memory.transparent.value()?.as_ref()?.enabled.as_deref()
}

/// Memory as JSON.
pub(super) fn document(facts: &HostFacts) -> envelope::Memory {
    let totals = facts.memory.totals.value();
    let huge_pages = facts.memory.huge_pages.value().into_iter().flatten();
    envelope::Memory {
        total_kib: totals.map(|totals| totals.total_kib),
        available_kib: totals.and_then(|totals| totals.available_kib),
        huge_pages: huge_pages
            .map(|(size, pages)| envelope::HugePagesLine {
                size_kib: *size,
                total: pages.all.total,
                free: pages.all.free,
                nodes: pages.nodes.iter().map(|(node, counts)| (*node, counts.total)).collect(),
            })
            .collect(),
        transparent_huge_pages: transparent(facts).map(str::to_owned),
        free_kib: free(facts).map(|(all, _)| all),
        free_in_2m_blocks_kib: free(facts).map(|(_, large)| large),
    }
}

/// Memory in a few lines.
pub(super) fn lines(facts: &HostFacts) -> String {
    let mut out = String::new();
    let Some(totals) = facts.memory.totals.value() else { return out };
    let available =
        totals.available_kib.map_or_else(String::new, |kib| format!(", {} available", amount(kib)));
    let _ = writeln!(out, "\n{STRONG}memory{STRONG:#}: {}{available}", amount(totals.total_kib));
    for (size, pages) in
        facts.memory.huge_pages.value().into_iter().flatten().filter(|(_, pages)| pages.all.total > 0)
    {
        let _ =
            writeln!(out, "  huge pages of {}: {}, {} free", amount(*size), pages.all.total, pages.all.free);
    }
    if let Some(word) = transparent(facts) {
        let _ = writeln!(out, "  transparent huge pages: {}", crate::printer::plain(word));
    }
    if let Some((all, large)) = free(facts).filter(|(all, _)| *all > 0) {
        let _ = writeln!(
            out,
            "  free: {}, {} of it in blocks of 2 MiB or more, which can become huge pages at once",
            amount(all),
            amount(large)
        );
    }
    out
}

/// An amount in the largest unit of which it has at least ten, rounded, or that it is a whole number of.
pub(super) fn amount(kib: u64) -> String {
    let mib = kib / 1024;
    if kib >= 1024 * 1024 && (kib.is_multiple_of(1024 * 1024) || mib >= 10 * 1024) {
        format!("{} GiB", (mib + 512) / 1024)
    } else if kib >= 1024 && (kib.is_multiple_of(1024) || mib >= 10) {
        format!("{} MiB", (kib + 512) / 1024)
    } else {
        format!("{kib} KiB")
    }
}
