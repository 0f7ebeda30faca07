//! Whether the files of the boot loader hand on advice that is out of date.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "boot-entry-advice",
    title: "the boot entries hold no advice that is out of date",
    section: "Enabling IOMMU",
    why: "parameters that do nothing hide the one that matters, and some do harm",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(entries) = facts.boot.entries.value() else {
        return Outcome::unknown(
            "what the boot entries say",
            facts.boot.entries.because().unwrap_or_default(),
        );
    };
    if entries.is_empty() {
        return match facts.boot.gaps.first() {
            Some(gap) => Outcome::unknown("what the boot entries say", gap),
            None => Outcome::skip("no boot entry that passthru can read is to be seen here"),
        };
    }
    let mut remarks = Remarks::default();
    for entry in entries.iter().filter(|entry| !entry.rescue) {
        for (word, why) in advice(&entry.cmdline) {
            remarks
                .warn(format!("‘{word}’ {why}"))
                .seen(entry.place(), word)
                .by_hand("Remove it where the entry is made from, and make the entry anew");
        }
    }
    remarks.outcome(format!("{} without old advice", count(entries.len(), "command line")))
}

/// The words of a command line that are better left out, and why.
fn advice(text: &str) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for word in CommandLine::new(text).parameters() {
        let name = word.name().replace('-', "_");
        let value = word.value().unwrap_or_default();
        let why = match name.as_str() {
            "amd_iommu" if value.split(',').any(|item| item == "on") => {
                "is no value that the kernel knows; AMD's IOMMU is on by itself"
            }
            "video"
                if matches!(value, "efifb:off" | "vesafb:off" | "simplefb:off" | "efifb:off,vesafb:off") =>
            {
                "is not needed since Linux 6.0, where vfio-pci removes the firmware's framebuffer itself, and means nothing to simpledrm"
            }
            "rd.driver.pre" if value.split(',').any(|item| item.replace('-', "_") == "vfio_virqfd") => {
                "names a module that Linux has not had since 6.2"
            }
            "rcb_nocbs" => "is misspelt and does nothing; the parameter is rcu_nocbs",
            "pci_stub.ids" => "is for kernels before 4.1; vfio-pci.ids does the same and more",
            "transparent_hugepage" if value == "never" => {
                "slows the whole host down; guests with devices use transparent huge pages too"
            }
            "nofb" | "nomodeset" => "turns the host's own graphics driver off",
            "kvm_amd.npt" if matches!(value, "0" | "off" | "n" | "N") => {
                "makes guests slow; the bug that it worked around was mended in Linux 4.14"
            }
            _ => continue,
        };
        found.push((word.text().to_owned(), why));
    }
    found
}
