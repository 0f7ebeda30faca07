//! Whether free memory lies in pieces large enough for huge pages.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "memory-fragmentation",
    title: "free memory lies in large pieces",
    section: "Static huge pages",
    why: "a guest's memory is pinned as it is given at the start: what comes in small pieces then stays so, and static huge pages \
          are made of large pieces alone",
    run,
};

/// Pages of 4 KiB in a huge page of 2 MiB, as a power of two.
const HUGE: usize = 9;
/// KiB of a page.
const PAGE: u64 = 4;
/// KiB of a GiB.
const GIB: u64 = 1024 * 1024;
/// Free memory in large pieces with which no guest is in want, in KiB.
const PLENTY: u64 = 8 * GIB;

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.memory.free_blocks;
    let Some(zones) = fact.value() else {
        return Outcome::unknown("how free memory lies", fact.because().unwrap_or_default());
    };
    let sum = |from: usize| {
        zones.iter().fold(0u64, |sum, zone| sum.saturating_add(zone.pages_from(from))).saturating_mul(PAGE)
    };
    let (free, large) = (sum(0), sum(HUGE));
    if free == 0 {
        return Outcome::unknown("how free memory lies", "no free block is listed").seen(fact);
    }
    let share = large.saturating_mul(100) / free;
    let what = format!("{share} % of {} of free memory is in pieces of 2 MiB and more", amount(free));
    if share >= 50 || large >= PLENTY {
        return Outcome::pass(what).seen(fact);
    }
    Outcome::warn(format!("only {what}")).seen(fact).by_hand(
        "Before a large guest starts: `sync`, then as root write 3 to /proc/sys/vm/drop_caches and 1 to /proc/sys/vm/compact_memory; or \
         start it soon after boot",
    )
}

/// An amount in GiB, with one decimal place, and in MiB where it is less than one.
fn amount(kib: u64) -> String {
    if kib < GIB {
        return format!("{} MiB", kib / 1024);
    }
    let tenths = kib.saturating_mul(10) / GIB;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}
