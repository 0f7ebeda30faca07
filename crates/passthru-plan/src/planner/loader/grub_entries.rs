//! GRUB with a file an entry, as on Fedora: the entries are edited where they stand, and so is what those of kernels to come are
//! made from, `/etc/kernel/cmdline` and `/etc/default/grub`. A plugin of kernel-install gives each new one its way back.

use passthru_formats::bls;
use passthru_model::boot::WrittenEntries;
use passthru_model::intent::Intent;
use passthru_model::plan::FileState;
use passthru_model::{HostFacts, managed};

use super::grub::words;
use super::kernel_cmdline::KernelCmdline;
use super::kernel_install::without;
use super::written::{Entries, off_head};
use super::{BootLoader, Change, Passed, States, record, refused, text_of};
use crate::planner::iommu::{Parameters, off_words};
use crate::planner::{Reason, each_once, settings, texts};

/// The entries, and the settings of those to come.
#[derive(Clone, Debug)]
pub(super) struct GrubEntries {
    entries: Entries,
    cmdline: KernelCmdline,
    /// `/etc/default/grub`, where it is there: `grub2-mkconfig --update-bls-cmdline` writes its words into all entries.
    defaults: Option<String>,
}

impl GrubEntries {
    /// The entries and settings as they stand.
    pub(super) fn of(facts: &HostFacts, found: &WrittenEntries, reasons: &mut Vec<Reason>) -> Self {
        Self {
            entries: Entries::of(facts, found, reasons),
            cmdline: KernelCmdline::of(facts, reasons),
            defaults: text_of(facts, managed::GRUB_DEFAULTS, reasons).map(str::to_owned),
        }
    }

    /// The change of `/etc/default/grub`.
    fn defaults_edited(
        &self,
        facts: &HostFacts,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Option<Change> {
        let path = managed::GRUB_DEFAULTS;
        let old = self.defaults.as_ref()?;
        let text = match words::edited(old, needed) {
            Ok(text) => text,
            Err(error) => {
                reasons.push(refused(path, error.into()));
                return None;
            }
        };
        Change::to(path, facts.files.get(path)?, text)
    }
}

impl BootLoader for GrubEntries {
    fn paths(&self) -> Vec<String> {
        let mut paths = self.entries.paths();
        paths.push(managed::KERNEL_CMDLINE.to_owned());
        paths.extend(self.defaults.as_ref().map(|_| managed::GRUB_DEFAULTS.to_owned()));
        paths
    }

    fn off_words(&self, running: &[String]) -> Vec<String> {
        let mut found = self.entries.off_words(running);
        found.extend(off_words(&self.cmdline.line()));
        found.extend(self.defaults.iter().flat_map(|text| words::turned_off(text, running)));
        each_once(found)
    }

    fn words_elsewhere(&self) -> Vec<String> {
        self.entries.words_elsewhere()
    }

    fn has_elsewhere(&self, token: &str) -> bool {
        self.entries.has_elsewhere(token) && self.cmdline.has(token)
    }

    fn passed(&self, facts: &HostFacts, word: &str) -> Passed {
        self.entries.passed(facts, word)
    }

    fn elsewhere(&self, _: Passed) -> String {
        "GRUB's variables (`grub2-editenv list`), a boot entry in another file, or what was typed at the boot menu".to_owned()
    }

    fn effective_parameters(&self) -> Vec<String> {
        self.entries.effective_parameters()
    }

    fn edits(
        &self,
        facts: &HostFacts,
        wanted: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        for (path, text) in self.entries.texts() {
            if let Some(second) = bls::second_options(text) {
                reasons.push(Reason::Settings {
                    path: path.clone(),
                    problem: format!("line {second}: GRUB reads only one line of options"),
                });
            }
        }
        let mut changes = self.entries.edits(facts, wanted, needed, reasons);
        changes.extend(self.cmdline.edits(facts, needed, reasons));
        changes.extend(self.defaults_edited(facts, needed, reasons));
        changes
    }

    fn withdrawals(&self, facts: &HostFacts) -> Vec<Change> {
        let gone = settings::withdrawn(facts);
        let mut changes = self.entries.withdrawals(facts);
        changes.extend(self.cmdline.withdrawals(facts));
        changes.extend(self.defaults_edited(facts, &gone, &mut Vec::new()));
        changes
    }

    fn own_files(&self, wanted: &Intent, needed: &Parameters) -> States {
        let text = include_str!("grub-entries-off.sh")
            .replace("@HEAD@", off_head().trim_end())
            .replace("@SETTINGS@", &without(&needed.set))
            .replace("@PARAMETERS@", &texts::off_parameters(wanted.method));
        let plugin = (managed::KERNEL_INSTALL_OFF, FileState::root_file(text, 0o755));
        std::iter::once(plugin).chain(record(needed)).collect()
    }

    fn untried(&self) -> Option<&'static str> {
        self.entries.untried()
    }

    fn about(&self, path: &str) -> Option<(&'static str, &'static str)> {
        (path == managed::GRUB_DEFAULTS).then_some((
            "change the words of GRUB's settings that come to the kernel",
            "`grub2-mkconfig --update-bls-cmdline` writes them into all entries",
        ))
    }
}
