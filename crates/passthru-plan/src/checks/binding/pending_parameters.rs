//! Whether the running kernel was given what the next boot will be given.

use std::collections::BTreeSet;

use passthru_formats::cmdline::CommandLine;
use passthru_formats::shell::{ShellFile, Variables};
use passthru_model::boot::{BootEntry, Loader};
use passthru_model::facts::Bootloader;
use passthru_model::plan::FileState;
use passthru_model::{HostFacts, managed};

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "pending-parameters",
    title: "the boot entries, the settings they are made from and the running kernel agree",
    section: "Enabling IOMMU",
    why: "a parameter counts only once it is in the entry that is booted, and the host has been booted with it",
    run,
};

/// Parameters that matter to passthrough, by name with underscores, or by the part before a dot.
const NAMES: [&str; 22] = [
    "intel_iommu",
    "amd_iommu",
    "iommu",
    "iommu.passthrough",
    "vfio_pci",
    "vfio",
    "vfio_iommu_type1",
    "pci_stub",
    "pcie_acs_override",
    "initcall_blacklist",
    "module_blacklist",
    "modprobe.blacklist",
    "rd.driver.pre",
    "rd.driver.blacklist",
    "isolcpus",
    "nohz_full",
    "rcu_nocbs",
    "hugepages",
    "hugepagesz",
    "default_hugepagesz",
    "kvm",
    "kvm_amd",
];

fn run(facts: &HostFacts) -> Outcome {
    let Some(running) = facts.kernel.cmdline.value() else {
        return Outcome::unknown(
            "the kernel command line",
            facts.kernel.cmdline.because().unwrap_or_default(),
        );
    };
    let Some(entries) = facts.boot.entries.value() else {
        return Outcome::unknown(
            "what the boot entries say",
            facts.boot.entries.because().unwrap_or_default(),
        );
    };
    let menu: Vec<&BootEntry> = of_running_kernel(facts, entries);
    if menu.is_empty() {
        return match facts.boot.gaps.first() {
            Some(gap) => Outcome::unknown("what the boot entries say", gap),
            None => Outcome::skip("no boot entry that passthru can read is to be seen here"),
        };
    }
    let now = relevant(running);
    let mut remarks = Remarks::default();
    remarks.seen("/proc/cmdline", shown(&now));
    if !menu.iter().any(|entry| relevant(&entry.cmdline) == now)
        && let Some(first) = menu.first()
    {
        let next = relevant(&first.cmdline);
        let (added, gone): (Vec<_>, Vec<_>) =
            (next.difference(&now).cloned().collect(), now.difference(&next).cloned().collect());
        let mut parts = Vec::new();
        if !added.is_empty() {
            parts.push(format!("adds {}", added.join(" ")));
        }
        if !gone.is_empty() {
            parts.push(format!("goes without {}", gone.join(" ")));
        }
        remarks
            .warn(format!("the next boot {}", parts.join(", and ")))
            .seen(first.place(), shown(&next))
            .by_hand("Reboot for it to take effect, or change the settings if it was not meant");
    }
    let in_menu: BTreeSet<String> = menu.iter().flat_map(|entry| relevant(&entry.cmdline)).collect();
    for (place, words, command) in sources(facts, entries) {
        let missing: Vec<String> = words.difference(&in_menu).cloned().collect();
        if !missing.is_empty() {
            remarks
                .warn(format!("{place} has {}, and no boot entry does", missing.join(" ")))
                .seen(place, shown(&words))
                .by_hand(command);
        }
    }
    remarks.outcome("the boot entries say what the running kernel was given")
}

fn shown(words: &BTreeSet<String>) -> String {
    if words.is_empty() {
        "no parameter of passthrough".to_owned()
    } else {
        words.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// The words of a command line that matter, with dashes of names made underscores.
fn relevant(text: &str) -> BTreeSet<String> {
    let word = |token: passthru_formats::cmdline::Token<'_>| {
        let name = token.name().replace('-', "_");
        let module = name.split('.').next().unwrap_or_default();
        let matters = NAMES.contains(&name.as_str()) || (name.contains('.') && NAMES.contains(&module));
        matters.then(|| match token.value() {
            Some(value) => format!("{name}={value}"),
            None => name,
        })
    };
    CommandLine::new(text).parameters().filter_map(word).collect()
}

/// The entries that boot the running kernel; all of them where no entry names a release.
fn of_running_kernel<'a>(facts: &HostFacts, entries: &'a [BootEntry]) -> Vec<&'a BootEntry> {
    let plain: Vec<&BootEntry> = entries.iter().filter(|entry| !entry.source && !entry.rescue).collect();
    let release = facts.kernel.release.value();
    let same: Vec<&BootEntry> = plain
        .iter()
        .copied()
        .filter(|entry| {
            release.is_some_and(|release| {
                entry.kernel.as_ref().is_some_and(|kernel| kernel.contains(release.as_str()))
            })
        })
        .collect();
    if same.is_empty() { plain } else { same }
}

/// Settings that entries are made from: the place, its words, and what makes the entries.
fn sources(facts: &HostFacts, entries: &[BootEntry]) -> Vec<(String, BTreeSet<String>, String)> {
    let mut found: Vec<_> = entries
        .iter()
        .filter(|entry| entry.source)
        .map(|entry| {
            let command = match entry.loader {
                Loader::Limine => "Make the entries anew: limine-update",
                Loader::Kernelstub => "Make the entries anew: kernelstub",
                _ => "Make the entries anew: kernel-install add-all, or the generator of this host",
            };
            (entry.path.clone(), relevant(&entry.cmdline), command.to_owned())
        })
        .collect();
    if entries.iter().any(|entry| entry.loader == Loader::Grub) {
        // Others than Debian's read no drop-ins.
        let drop_ins = !matches!(facts.bootloader.value(), Some(Bootloader::Grub(grub)) if !grub.drop_ins);
        let making = match facts.bootloader.value() {
            Some(Bootloader::Grub(grub)) => {
                let (program, arguments) = grub.making();
                program.command_line(&arguments)
            }
            _ => "update-grub, or grub-mkconfig with the menu's path behind -o".to_owned(),
        };
        let mut variables = Variables::new();
        for (path, state) in &facts.files {
            let is_setting =
                path == managed::GRUB_DEFAULTS || (drop_ins && path.starts_with("/etc/default/grub.d/"));
            if let (true, FileState::File { content, .. }) = (is_setting, state)
                && let Ok(text) = std::str::from_utf8(&content.0)
                && let Ok(file) = ShellFile::parse(text)
            {
                file.evaluate(&mut variables);
            }
        }
        for name in ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"] {
            if let Some(Ok(value)) = variables.get(name) {
                let command = format!("Make the menu anew: {making}");
                found.push((format!("{name} of /etc/default/grub"), relevant(value), command));
            }
        }
    }
    found
}
