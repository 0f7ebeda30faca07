//! kernelstub of Pop!_OS, which copies kernels and initramfs images to the EFI system partition and makes the entries of systemd-boot
//! there. Its own settings are edited, one word at a time: `kernelstub --delete-options` would leave the others in any order
//! (`list(set(…))` in its `application.py`).

use passthru_formats::cmdline::{Change as WordChange, CommandLine, Parameter};
use passthru_formats::{bls, kernelstub};
use passthru_model::boot::Kernelstub;
use passthru_model::intent::Intent;
use passthru_model::plan::{Action, Effect, Expectation, FileState, Step};
use passthru_model::program::Program;
use passthru_model::{HostFacts, managed};

use super::written::{off_head, off_title};
use super::{BootLoader, Change, Copies, Passed, States, record, refused, text_of, unset, words_of};
use crate::planner::iommu::{INTEL_ON, Parameters, off_words};
use crate::planner::{Reason, settings, texts};

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
        let before = facts.files.get(path)?;
        (text != *old).then(|| Change {
            path: path.to_owned(),
            before: before.clone(),
            after: before.with_content(text),
        })
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
        let off = texts::off_parameters(wanted.method);
        let off = off.split(' ');
        let off = off.filter_map(|word| Parameter::new(word).ok()).map(WordChange::Add);
        let off: Vec<WordChange> = needed.changes().into_iter().chain(unset(needed)).chain(off).collect();
        let copy = bls::copy(old, &off_title(old), &off)
            .map_err(|error| reasons.push(refused(current, error)))
            .ok()?;
        let path = self.found.off_entry();
        let before = facts.files.get(&path).cloned().unwrap_or(FileState::Absent);
        let text = format!("{}{copy}", off_head());
        (before.content() != Some(text.as_bytes())).then(|| {
            let after = before.with_content(text);
            Change { path, before, after }
        })
    }

    fn is_made(&self, path: &str) -> bool {
        self.found.made.iter().any(|made| made == path)
    }
}

impl BootLoader for Settings {
    fn paths(&self) -> Vec<String> {
        vec![managed::KERNELSTUB.to_owned()]
    }

    fn off_words(&self, _: &[String]) -> Vec<String> {
        off_words(&self.line)
    }

    fn has_ours(&self, _: &str) -> bool {
        false
    }

    fn words_elsewhere(&self) -> Vec<String> {
        words_of(&self.line)
    }

    fn has_elsewhere(&self, token: &str) -> bool {
        CommandLine::new(&self.line).has_word(token)
    }

    fn passed(&self, facts: &HostFacts, word: &str) -> Passed {
        let Some(entries) = facts.boot.entries.value() else { return Passed::Unknown };
        let mut has = entries
            .iter()
            .filter(|entry| !entry.source && !entry.rescue)
            .filter(|entry| CommandLine::new(&entry.cmdline).has_word(word))
            .peekable();
        match (has.peek().is_some(), has.any(|entry| self.is_made(&entry.path))) {
            (false, _) => Passed::Never,
            (true, true) => Passed::BySettings,
            (true, false) => Passed::ByOthers,
        }
    }

    fn elsewhere(&self, _: Passed) -> String {
        "a boot entry that kernelstub does not make, or what was typed at the boot menu".to_owned()
    }

    fn effective_parameters(&self) -> Vec<String> {
        self.has_elsewhere(INTEL_ON).then(|| INTEL_ON.to_owned()).into_iter().collect()
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
        let gone = Parameters { gone: settings::recorded(facts), ..Parameters::default() };
        self.edited(facts, &gone, &mut Vec::new()).into_iter().collect()
    }

    fn own_files(&self, _: &Intent, needed: &Parameters) -> States {
        record(needed).into_iter().collect()
    }

    fn is_stale(&self, facts: &HostFacts, isolating: bool, needed: &Parameters) -> bool {
        let entries = facts.boot.entries.value().into_iter().flatten();
        isolating
            && entries.filter(|entry| self.is_made(&entry.path)).any(|entry| {
                let line = CommandLine::new(&entry.cmdline);
                needed.added().any(|token| !line.has_word(token)) || !off_words(&entry.cmdline).is_empty()
            })
    }

    fn regenerate(&self, _: &HostFacts, isolating: bool, needed: &Parameters) -> Vec<Step> {
        let mut expect = Vec::new();
        for path in self.found.made.iter().filter(|_| isolating) {
            let needles: Vec<String> = needed.added().map(str::to_owned).collect();
            if !needles.is_empty() {
                expect.push(Expectation::Contains { path: path.clone(), needles });
            }
            let needles: Vec<String> = needed.remove.iter().chain(&needed.words).cloned().collect();
            if !needles.is_empty() {
                expect.push(Expectation::Lacks { path: path.clone(), needles });
            }
        }
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
