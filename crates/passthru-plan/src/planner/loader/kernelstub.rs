//! kernelstub of Pop!_OS, which copies kernels and initramfs images to the EFI system partition and makes the entries of systemd-boot
//! there. Its own settings are edited, one word at a time: `kernelstub --delete-options` would leave the others in any order
//! (`list(set(…))` in its `application.py`).

use passthru_formats::cmdline::Change as WordChange;
use passthru_formats::{bls, kernelstub};
use passthru_model::boot::{BootEntry, Kernelstub};
use passthru_model::intent::Intent;
use passthru_model::plan::{Action, Effect, FileState, Step};
use passthru_model::program::Program;
use passthru_model::{HostFacts, managed};

use super::written::{off_head, off_title};
use super::{BootLoader, Change, Copies, Passed, expected, is_stale, off_changes, passed, refused, text_of};
use crate::planner::iommu::Parameters;
use crate::planner::{Reason, settings};

/// kernelstub's settings, and what it makes of them.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    found: Kernelstub,
    /// `None`: they cannot be read, and the reason has been added.
    text: Option<String>,
    /// The words that the settings give, as one line.
    line: String,
}

impl Settings {
    /// The settings as they stand.
    pub(super) fn of(facts: &HostFacts, found: &Kernelstub, reasons: &mut Vec<Reason>) -> Self {
        let text = text_of(facts, managed::KERNELSTUB, reasons).map(str::to_owned);
        let mut words = Vec::new();
        match text.as_deref().map(kernelstub::read) {
            Some(Ok(read)) => words = read,
            Some(Err(error)) => reasons.push(refused(managed::KERNELSTUB, error)),
            None => {}
        }
        Self { found: found.clone(), text, line: words.join(" ") }
    }

    /// The change of the settings for the needed words to come and go.
    fn edited(&self, facts: &HostFacts, needed: &Parameters, reasons: &mut Vec<Reason>) -> Option<Change> {
        let (path, old) = (managed::KERNELSTUB, self.text.as_ref()?);
        let edit = |text: String, change: WordChange| kernelstub::edit(&text, &change);
        let text = needed.changes().into_iter().try_fold(old.clone(), edit);
        let text = text.map_err(|error| reasons.push(refused(path, error))).ok()?;
        Change::to(path, facts.files.get(path)?, text)
    }

    /// The entry without passthrough beside that of the newest kernel. It names the same copies, so it follows kernel updates.
    fn off_entry(
        &self,
        facts: &HostFacts,
        wanted: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Option<Change> {
        let current = &self.found.current;
        let old = text_of(facts, current, reasons)?;
        let mut off = needed.changes();
        off.extend(off_changes(wanted.method, needed));
        let copy = bls::copy(old, &off_title(old), &off)
            .map_err(|error| reasons.push(refused(current, error)))
            .ok()?;
        let path = self.found.off_entry();
        let before = facts.files.get(&path).unwrap_or(&FileState::Absent);
        Change::to(&path, before, format!("{}{copy}", off_head()))
    }

    fn is_made(&self, entry: &BootEntry) -> bool {
        self.found.made.contains(&entry.path)
    }
}

impl BootLoader for Settings {
    fn paths(&self) -> Vec<String> {
        vec![managed::KERNELSTUB.to_owned()]
    }

    fn lines(&self) -> Vec<String> {
        vec![self.line.clone()]
    }

    fn passed(&self, facts: &HostFacts, word: &str) -> Passed {
        passed(facts, word, |entry| self.is_made(entry))
    }

    fn elsewhere(&self, _: Passed) -> String {
        "a boot entry that kernelstub does not make, or what was typed at the boot menu".to_owned()
    }

    fn edits(
        &self,
        facts: &HostFacts,
        wanted: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        // The way back stands first.
        let off = self.off_entry(facts, wanted, needed, reasons);
        off.into_iter().chain(self.edited(facts, needed, reasons)).collect()
    }

    fn withdrawals(&self, facts: &HostFacts) -> Vec<Change> {
        let gone = settings::withdrawn(facts);
        self.edited(facts, &gone, &mut Vec::new()).into_iter().collect()
    }

    fn is_stale(&self, facts: &HostFacts, isolating: bool, needed: &Parameters) -> bool {
        let mut entries = facts.boot.entries.value().into_iter().flatten();
        isolating && entries.any(|entry| self.is_made(entry) && is_stale(entry, needed))
    }

    fn regenerate(&self, _: &HostFacts, isolating: bool, needed: &Parameters) -> Vec<Step> {
        let made = self.found.made.iter().filter(|_| isolating);
        let expect = made.flat_map(|path| expected(path, needed)).collect();
        vec![Step {
            id: "kernelstub".to_owned(),
            action: Action::Run {
                program: Program::Kernelstub,
                arguments: Vec::new(),
                rewrites: self.found.rewritten(),
                expect,
            },
            what: "copy kernels and images to the EFI system partition, and make their boot entries anew"
                .to_owned(),
            why: "systemd-boot starts the copies on its own partition, not what they are made from"
                .to_owned(),
            effect: Effect::Reboot,
        }]
    }

    fn untried(&self) -> Option<&'static str> {
        Some("kernelstub")
    }

    fn copies(&self, _: &str) -> Option<Copies> {
        Some(Copies { images: self.found.images.clone(), rewritten: self.found.rewritten() })
    }
}
