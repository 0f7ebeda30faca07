//! Whether the kernel command line holds parameters that do nothing or do harm.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;
use passthru_model::finding::Verdict;
use passthru_model::iommu::FirmwareTable;

use crate::checks::{Check, Outcome};
use crate::planner::off_words;

pub(super) const CHECK: Check = Check {
    id: "kernel-parameters",
    title: "kernel parameters do what they seem to do",
    section: "Enabling IOMMU",
    why: "pages and tools hand on parameters that do nothing, hide the cause of a problem, or take protection away",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(text) = facts.kernel.cmdline.value() else {
        return Outcome::unknown(
            "the kernel command line",
            facts.kernel.cmdline.because().unwrap_or_default(),
        );
    };
    let remarks = remarks(facts, text);
    let worst = remarks.iter().map(|(verdict, _)| *verdict).max().unwrap_or(Verdict::Pass);
    if remarks.is_empty() {
        return Outcome::pass("no parameter stands in the way").seen(&facts.kernel.cmdline);
    }
    let lines: Vec<String> = remarks.into_iter().map(|(_, remark)| remark).collect();
    Outcome::new(worst, lines.join("; "))
        .seen(&facts.kernel.cmdline)
        .by_hand("Remove what does nothing or does harm from the boot loader's settings")
}

fn remarks(facts: &HostFacts, text: &str) -> Vec<(Verdict, String)> {
    let line = CommandLine::new(text);
    let mut found = Vec::new();
    for word in off_words(text) {
        found.push((Verdict::Fail, format!("‘{word}’ turns the IOMMU off")));
    }
    if line.is_passthru_off() {
        found.push((Verdict::Warn, "‘passthru.off’ turns isolation off for this boot".to_owned()));
    }
    if line.items("iommu").any(|item| matches!(item, "on" | "1")) {
        found.push((
            Verdict::Warn,
            "‘iommu=on’ and ‘iommu=1’ do nothing: the kernel knows no such value".to_owned(),
        ));
    }
    let amd_only = facts.iommu.tables.value().is_some_and(|tables| {
        tables.contains(&FirmwareTable::Ivrs) && !tables.contains(&FirmwareTable::Dmar)
    });
    if amd_only && line.has("intel_iommu") {
        found.push((
            Verdict::Warn,
            "‘intel_iommu’ does nothing on this machine: its IOMMU is AMD's".to_owned(),
        ));
    }
    if line.items("intel_iommu").any(|item| item == "igfx_off") {
        found.push((
            Verdict::Warn,
            "‘intel_iommu=igfx_off’ leaves the integrated GPU without a group".to_owned(),
        ));
    }
    let blocks = |name| line.items(name).any(|item| matches!(item, "vfio_pci" | "vfio-pci" | "vfio"));
    if blocks("module_blacklist") || blocks("modprobe.blacklist") {
        found.push((Verdict::Fail, "vfio-pci is on a list of modules not to be loaded".to_owned()));
    }
    found
}
