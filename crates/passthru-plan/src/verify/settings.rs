//! Whether the kernel did what the boot settings of the intent had it told: what it says of itself, not what it was told.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;
use passthru_model::boot_settings::{HugePagePool, PoolPages};
use passthru_model::cpu_set::CpuSet;
use passthru_model::fact::Evidence;
use passthru_model::finding::{Finding, Remedy, Verdict};
use passthru_model::intent::Intent;

use super::finding;

const WHY_PAGES: &str = "a guest that is to have huge pages does not start without them, and the kernel sets fewer aside without an error";
const WHY_CPUS: &str = "a CPU that the scheduler uses for the host holds up the guest that runs there";

/// One finding for each setting whose outcome the kernel shows; none in a boot without passthrough, which leaves them out.
pub(super) fn findings(facts: &HostFacts, intent: &Intent) -> Vec<Finding> {
    let running = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    if CommandLine::new(running).is_passthru_off() {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = intent.boot.hugepages.iter().map(|pool| pages(facts, pool)).collect();
    if !intent.boot.isolated_cpus.is_empty() {
        findings.push(cpus(facts, &intent.boot.isolated_cpus));
    }
    findings
}

fn pages(facts: &HostFacts, pool: &HugePagePool) -> Finding {
    let id = "hugepages";
    let size = pool.size.word();
    let path = format!("/sys/kernel/mm/hugepages/hugepages-{}kB/nr_hugepages", pool.size.kib());
    let Some(sizes) = facts.memory.huge_pages.value() else {
        let because = facts.memory.huge_pages.because().unwrap_or_default();
        let text = format!("how many huge pages there are is not known: {because}");
        return finding(id, Verdict::Unknown, text, WHY_PAGES);
    };
    let there = sizes.get(&pool.size.kib()).cloned().unwrap_or_default();
    let mut short = Vec::new();
    match &pool.pages {
        PoolPages::Anywhere(pages) if there.all.total < u64::from(pages.get()) => {
            short.push(format!("{} of {pages} pages of {size}", there.all.total));
        }
        PoolPages::Anywhere(_) => {}
        PoolPages::Nodes(nodes) => {
            for (node, pages) in nodes {
                // Without NUMA all pages are on a node 0 that is not shown.
                let only = there.nodes.is_empty() && *node == 0;
                let counts = if only { Some(there.all) } else { there.nodes.get(node).copied() };
                let has = counts.unwrap_or_default().total;
                if has < u64::from(pages.get()) {
                    short.push(format!("{has} of {pages} pages of {size} on NUMA node {node}"));
                }
            }
        }
    }
    let mut found = if short.is_empty() {
        let text = format!("the huge pages that the intent asks for are there: {pool}");
        finding(id, Verdict::Pass, text, WHY_PAGES)
    } else {
        let mut found =
            finding(id, Verdict::Fail, format!("the kernel set aside only {}", short.join(", ")), WHY_PAGES);
        found.remedy = Some(Remedy::by_hand(
            "Reboot, if there was none since; else ask for fewer, for so much memory is not free in one piece even at boot",
        ));
        found
    };
    found.evidence.push(Evidence::new(path, there.all.total.to_string()));
    found
}

fn cpus(facts: &HostFacts, wanted: &CpuSet) -> Finding {
    let id = "isolated-cpus";
    let Some(topology) = facts.topology.value() else {
        let because = facts.topology.because().unwrap_or_default();
        let text = format!("which CPUs the scheduler leaves alone is not known: {because}");
        return finding(id, Verdict::Unknown, text, WHY_CPUS);
    };
    let used = wanted.intersection(&topology.online).difference(&topology.isolated);
    let mut found = if used.is_empty() {
        finding(id, Verdict::Pass, format!("the scheduler leaves CPUs {wanted} alone"), WHY_CPUS)
    } else {
        let text = format!("the scheduler uses CPUs {used} like any others");
        let mut found = finding(id, Verdict::Fail, text, WHY_CPUS);
        found.remedy = Some(Remedy::by_command(
            "Reboot, if there was none since; else see what is left to do",
            "passthru plan",
        ));
        found
    };
    found.evidence.push(Evidence::new("/sys/devices/system/cpu/isolated", topology.isolated.to_string()));
    found
}
