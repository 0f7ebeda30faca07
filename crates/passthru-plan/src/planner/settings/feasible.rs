//! Whether this host can do what the boot settings of the intent ask for, and come up with them.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;
use passthru_model::boot_settings::{BootSettings, HugePagePool, PoolPages};
use passthru_model::cpu_set::CpuSet;
use passthru_model::intent::Intent;
use passthru_model::iommu::FirmwareTable;

use super::bootable;
use crate::checks::{has_split, is_often_patched, version};
use crate::planner::{Consent, Reason, select};

/// What the host keeps of its memory at least, in KiB: with less, nothing of it comes up.
const HOST_KEEPS_KIB: u64 = 1024 * 1024;
/// The first kernel whose `hugepages=` takes NUMA nodes.
const NODES_SINCE: (u32, u32) = (5, 16);

/// Adds the reasons why a setting cannot be had, and what the reader should know of those that can.
pub(in crate::planner) fn judge(
    facts: &HostFacts,
    wanted: &Intent,
    consent: &Consent,
    reasons: &mut Vec<Reason>,
    notes: &mut Vec<String>,
) {
    if let Some(pool) = &wanted.boot.hugepages {
        hugepages(facts, pool, reasons);
    }
    if !wanted.boot.isolated_cpus.is_empty() {
        isolated_cpus(facts, &wanted.boot.isolated_cpus, reasons, notes);
    }
    if wanted.boot.igfx_off {
        igfx_off(facts, wanted, reasons);
    }
    acs_override(facts, &wanted.boot, consent, reasons, notes);
}

fn setting(key: &str, value: impl std::fmt::Display, problem: impl Into<String>) -> Reason {
    Reason::Setting { setting: format!("{key} = \"{value}\""), problem: problem.into() }
}

fn hugepages(facts: &HostFacts, pool: &HugePagePool, reasons: &mut Vec<Reason>) {
    let mut cannot = |problem: String| reasons.push(setting("hugepages", pool, problem));
    let size = pool.size.word();
    let flag = pool.size.cpu_flag();
    if facts.cpu.flags.value().is_some_and(|flags| !flags.contains(flag)) {
        cannot(format!("the processor has no pages of {size} (no {flag} among its flags)"));
    }
    let kib = pool.total().saturating_mul(pool.size.kib());
    match &facts.memory.totals {
        passthru_model::Fact::Known(totals, _) => {
            if kib.saturating_add(HOST_KEEPS_KIB) > totals.total_kib {
                cannot(format!(
                    "of {} MiB of memory it would leave the host less than {} MiB: ask for fewer pages",
                    totals.total_kib / 1024,
                    HOST_KEEPS_KIB / 1024
                ));
            }
        }
        passthru_model::Fact::Unknown(because) => {
            reasons.push(select::unknown(facts, "how much memory the host has", because));
        }
    }
    let PoolPages::Nodes(nodes) = &pool.pages else { return };
    let mut cannot = |problem: String| reasons.push(setting("hugepages", pool, problem));
    let known = facts.topology.value().map(|topology| &topology.nodes);
    for (node, pages) in nodes {
        let there = known.and_then(|known| known.get(node));
        // A kernel without NUMA has all memory on a node 0 that it does not show.
        if there.is_none() && known.is_some_and(|known| !(known.is_empty() && *node == 0)) {
            cannot(format!("there is no NUMA node {node}; `passthru topology` shows those that there are"));
        }
        let kib = u64::from(pages.get()).saturating_mul(pool.size.kib());
        if there.and_then(|node| node.memory_kib).is_some_and(|has| kib > has) {
            cannot(format!("NUMA node {node} has less memory than that: ask for fewer pages there"));
        }
    }
    for kernel in bootable(facts) {
        if version(&kernel.release).is_some_and(|version| version < NODES_SINCE) {
            cannot(format!(
                "kernel {} does not take NUMA nodes there (Linux 5.16 does): name one number for all nodes",
                kernel.release
            ));
        }
    }
}

fn isolated_cpus(facts: &HostFacts, cpus: &CpuSet, reasons: &mut Vec<Reason>, notes: &mut Vec<String>) {
    let topology = match &facts.topology {
        passthru_model::Fact::Known(topology, _) => topology,
        passthru_model::Fact::Unknown(because) => {
            reasons.push(select::unknown(facts, "which CPUs the host has", because));
            return;
        }
    };
    let mut cannot = |problem: String| reasons.push(setting("isolated-cpus", cpus, problem));
    let strangers = cpus.difference(&topology.online.union(&topology.offline));
    if !strangers.is_empty() {
        cannot(format!(
            "the host has no CPU {strangers}; it has {}",
            topology.online.union(&topology.offline)
        ));
    }
    // The kernel starts on the first, and keeps its timers there (`nohz_full=` never covers it).
    if let Some(first) = topology.online.first()
        && cpus.contains(first)
    {
        cannot(format!(
            "the host starts on CPU {first} and needs it: with it, everything of the host would run where nothing is scheduled; \
             leave that CPU and its core to the host"
        ));
    }
    let split = topology.cores.iter().filter(|core| core.cpus.meets(cpus) && !core.cpus.is_subset(cpus));
    for core in split {
        notes.push(format!(
            "CPUs {} share a core, and of these only {} are set apart: what the host runs on the rest slows them down",
            core.cpus,
            core.cpus.intersection(cpus)
        ));
    }
    notes.push(format!(
        "CPUs {cpus} do nothing for the host from the next boot on, whether a guest runs or not, and no load is balanced between \
         them: each vCPU needs a CPU of its own"
    ));
}

fn igfx_off(facts: &HostFacts, wanted: &Intent, reasons: &mut Vec<Reason>) {
    let mut cannot =
        |problem: String| reasons.push(Reason::Setting { setting: "igfx-off = true".to_owned(), problem });
    if facts.iommu.tables.value().is_some_and(|tables| !tables.contains(&FirmwareTable::Dmar)) {
        cannot(
            "the parameter is for Intel's IOMMU, which this host does not have: take igfx-off out".to_owned(),
        );
    }
    let integrated = wanted.isolate.iter().find(|device| {
        device.id.vendor.0 == 0x8086 && device.class.is_display() && device.parents.is_empty()
    });
    if let Some(device) = integrated {
        cannot(format!(
            "without its IOMMU {} has no group, so no guest could have it: take igfx-off out, or release the device",
            device.address
        ));
    }
}

fn acs_override(
    facts: &HostFacts,
    boot: &BootSettings,
    consent: &Consent,
    reasons: &mut Vec<Reason>,
    notes: &mut Vec<String>,
) {
    let Some(words) = &boot.acs_override else { return };
    let token = format!("pcie_acs_override={words}");
    let running = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let running_release = facts.kernel.release.value();
    for kernel in bootable(facts) {
        let shown = running_release == Some(&kernel.release) && has_split(facts);
        if !is_often_patched(&kernel.release) && !shown {
            reasons.push(setting(
                "acs-override",
                words,
                format!(
                    "nothing shows that kernel {} has the patch for it; without it the parameter does nothing. Install a kernel \
                     that is built with it (linux-zen, for one) and remove this one, or try another slot for the card",
                    kernel.release
                ),
            ));
        }
    }
    if CommandLine::new(running).has_word(&token) {
        return;
    }
    if consent.accept_acs_override {
        notes.push(format!(
            "with ‘{token}’ groups are what is foretold here, not what is seen; after the reboot `passthru verify` checks them"
        ));
    } else {
        reasons.push(Reason::AcsOverride { token });
    }
}
