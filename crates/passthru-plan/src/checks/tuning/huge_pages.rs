//! Whether the huge pages that were asked for are there.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "huge-pages",
    title: "huge pages that were asked for are there",
    section: "Static huge pages",
    why: "the kernel gives silently fewer than it is asked for, and a guest that is to use them does then not start; without any, \
          guests use transparent huge pages",
    run,
};

/// KiB of a page of 1 GiB.
const GIB: u64 = 1024 * 1024;

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.memory.huge_pages;
    let Some(pools) = fact.value() else {
        return Outcome::unknown("which huge pages there are", fact.because().unwrap_or_default());
    };
    let line = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let default = facts.memory.totals.value().and_then(|totals| totals.default_huge_page_kib).unwrap_or(2048);
    let mut short = Vec::new();
    for (size, asked) in asked(line, default) {
        let there = pools.get(&size).map_or(0, |pool| pool.all.total);
        if size == GIB && facts.cpu.has("pdpe1gb") == Some(false) {
            short.push("the processor has no pages of 1 GiB (pdpe1gb)".to_owned());
        } else if there < asked {
            short.push(format!("of {asked} pages of {} there are {there}", words(size)));
        }
    }
    let mut outcome = if short.is_empty() {
        Outcome::pass(String::new())
    } else {
        Outcome::warn(format!(
            "there are fewer huge pages than the command line asks for: {}",
            short.join("; ")
        ))
        .seen(&facts.kernel.cmdline)
        .by_hand("Ask for fewer, or for smaller ones; what is free at boot limits them")
    };
    let mut held = Vec::new();
    for (size, pool) in pools.iter().filter(|(_, pool)| pool.all.total > 0) {
        let nodes: Vec<String> = pool
            .nodes
            .iter()
            .filter(|(_, counts)| counts.total > 0)
            .map(|(node, counts)| format!("node {node} {}", counts.total))
            .collect();
        let nodes = if nodes.len() > 1 { format!(" ({})", nodes.join(", ")) } else { String::new() };
        held.push(format!("{} of {}, {} free{nodes}", pool.all.total, words(*size), pool.all.takeable()));
    }
    outcome = outcome.seen(fact);
    if outcome.summary.is_empty() {
        outcome.summary = if held.is_empty() {
            "none is set aside, and guests do not need any".to_owned()
        } else {
            held.join("; ")
        };
    }
    outcome
}

/// The pages that a command line asks for, by size in KiB: each `hugepages=` counts for the `hugepagesz=` before it, or for the
/// default size (`Documentation/admin-guide/mm/hugetlbpage.rst`).
fn asked(line: &str, default: u64) -> Vec<(u64, u64)> {
    let line = CommandLine::new(line);
    let mut size = line.value("default_hugepagesz").and_then(kib).unwrap_or(default);
    let mut found = Vec::new();
    for word in line.parameters() {
        let Some(value) = word.value() else { continue };
        if word.is_named("hugepagesz") {
            size = kib(value).unwrap_or(size);
        } else if word.is_named("hugepages") {
            // By node: 0:8,1:8.
            let number = value
                .split(',')
                .map(|part| part.rsplit(':').next().unwrap_or(part).parse::<u64>().unwrap_or(0))
                .sum();
            found.push((size, number));
        }
    }
    found
}

/// A size as `memparse` reads it, in KiB.
fn kib(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    match text.get(digits.len()..)?.to_ascii_uppercase().as_str() {
        "K" => Some(number),
        "M" => number.checked_mul(1024),
        "G" => number.checked_mul(GIB),
        "" => Some(number / 1024),
        _ => None,
    }
}

/// A size in words.
fn words(kib: u64) -> String {
    match kib {
        size if size % GIB == 0 => format!("{} GiB", size / GIB),
        size if size % 1024 == 0 => format!("{} MiB", size / 1024),
        size => format!("{size} KiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::{asked, kib, words};

    #[test]
    fn a_command_line_asks_by_size_and_by_node() {
        let line = "quiet default_hugepagesz=1G hugepagesz=1G hugepages=16 hugepagesz=2M hugepages=0:8,1:24";
        assert_eq!(asked(line, 2048), [(1024 * 1024, 16), (2048, 32)]);
        assert_eq!(asked("hugepages=4", 2048), [(2048, 4)]);
        assert_eq!(asked("default_hugepagesz=1G hugepages=4", 2048), [(1024 * 1024, 4)]);
        assert_eq!([kib("2M"), kib("64k"), kib("x")], [Some(2048), Some(64), None]);
        assert_eq!([words(2048), words(1024 * 1024), words(64)], ["2 MiB", "1 GiB", "64 KiB"]);
    }
}
