//! Kernels that the firmware starts itself, by boot entries among its variables (EFISTUB). The command line is the data of an entry,
//! which is edited one word at a time. A variable is written by ourselves and not by efibootmgr: that can only delete an entry and
//! make another, whose device path it works out anew, and between the two there is none.

use passthru_formats::boot_entries;
use passthru_formats::cmdline::Change as WordChange;
use passthru_formats::efi_load_option::LoadOption;
use passthru_formats::efi_variable;
use passthru_formats::error::Refused;
use passthru_model::boot::{FirmwareEntries, FirmwareEntry};
use passthru_model::intent::Intent;
use passthru_model::plan::FileState;
use passthru_model::{HostFacts, managed};

use super::written::{TITLE_AFTER, strange_images};
use super::{BootLoader, Change, Passed, off_changes, passed_as_written, refused};
use crate::planner::iommu::Parameters;
use crate::planner::{Reason, select, settings};

/// The entries that start this system, each with its path and its bytes.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    found: FirmwareEntries,
    variables: Vec<(String, Vec<u8>)>,
}

impl Entries {
    /// The entries as they stand.
    pub(super) fn of(facts: &HostFacts, found: &FirmwareEntries, reasons: &mut Vec<Reason>) -> Self {
        let mut variables = Vec::new();
        for path in found.entries.iter().map(|entry| &entry.variable) {
            match (facts.files.get(path).and_then(FileState::content), facts.unreadable_files.get(path)) {
                (Some(bytes), _) => variables.push((path.clone(), bytes.to_vec())),
                (None, Some(because)) => {
                    reasons.push(select::unreadable(facts, &format!("what {path} holds"), because));
                }
                (None, None) => {}
            }
        }
        Self { found: found.clone(), variables }
    }

    /// The changes by which each entry has these words.
    fn changed(&self, facts: &HostFacts, words: &[WordChange], reasons: &mut Vec<Reason>) -> Vec<Change> {
        let mut changes = Vec::new();
        for (path, bytes) in &self.variables {
            match edited(bytes, words) {
                Ok(bytes) => {
                    changes.extend(facts.files.get(path).and_then(|before| Change::to(path, before, bytes)));
                }
                Err(error) => reasons.push(refused(path, error)),
            }
        }
        changes
    }

    /// The entry without passthrough: a copy of the one that started this system, the last of all.
    fn off_entry(&self, facts: &HostFacts, off: &[WordChange], reasons: &mut Vec<Reason>) -> Vec<Change> {
        let Some((path, bytes)) = self.variables.first() else { return Vec::new() };
        let order = managed::BOOT_ORDER;
        let stands = facts.files.get(order);
        let Some(numbers) = stands.and_then(FileState::content).and_then(efi_variable::order) else {
            let problem = "it is no list of boot entries, so that none could be added to it".to_owned();
            reasons.push(Reason::Settings { path: order.to_owned(), problem });
            return Vec::new();
        };
        let is_free = |number: &u16| {
            !numbers.contains(number) && !facts.files.contains_key(&managed::boot_variable(*number))
        };
        let ours = off_entry(facts);
        let number = ours.as_deref().and_then(managed::boot_number).or_else(|| (0..u16::MAX).find(is_free));
        let Some(number) = number else { return Vec::new() };
        let wanted = edited(bytes, off).and_then(|bytes| described(&bytes));
        let entry = match wanted {
            Ok(bytes) => bytes,
            Err(error) => {
                reasons.push(refused(path, error));
                return Vec::new();
            }
        };
        let path = managed::boot_variable(number);
        let before = facts.files.get(&path).unwrap_or(&FileState::Absent);
        let mut changes: Vec<Change> = Change::to(&path, before, entry).into_iter().collect();
        if !numbers.contains(&number) {
            changes.extend(reordered(facts, &[numbers, vec![number]].concat()));
        }
        changes
    }

    /// Why each entry that loads no initramfs which is rebuilt here would start this system without passthrough.
    fn strange_initramfs(&self, facts: &HostFacts) -> Vec<Reason> {
        let strange = |FirmwareEntry { variable, images }: &FirmwareEntry| {
            if images.is_empty() {
                let problem =
                    "it names no initramfs (initrd=), and what is bound at boot is bound from there";
                return Some(Reason::Settings { path: variable.clone(), problem: problem.to_owned() });
            }
            strange_images(facts, variable, images)
        };
        self.found.entries.iter().filter_map(strange).collect()
    }
}

/// A variable with other words on its command line.
fn edited(bytes: &[u8], words: &[WordChange]) -> Result<Vec<u8>, Refused> {
    words.iter().try_fold(bytes.to_vec(), |bytes, word| rewritten(&bytes, |option| option.edit(word)))
}

/// A variable with the description of the entry without passthrough.
fn described(bytes: &[u8]) -> Result<Vec<u8>, Refused> {
    rewritten(bytes, |option| Ok(option.described(&format!("{}, {TITLE_AFTER}", option.description))))
}

/// A variable with another value.
fn rewritten(
    bytes: &[u8],
    value: impl FnOnce(&LoadOption<'_>) -> Result<Vec<u8>, Refused>,
) -> Result<Vec<u8>, Refused> {
    let cut =
        || Refused::whole("it is cut short", "make the entry anew with `efibootmgr --create --unicode`");
    let (attributes, old) = efi_variable::parts(bytes).ok_or_else(cut)?;
    let option = LoadOption::parse(old).ok_or_else(cut)?;
    Ok([&attributes[..], &value(&option)?].concat())
}

/// The variable of the entry without passthrough, if there is one.
fn off_entry(facts: &HostFacts) -> Option<String> {
    let found = facts.files.iter().find(|(path, state)| {
        managed::boot_number(path).is_some()
            && state.content().is_some_and(|bytes| boot_entries::is_firmware_off(path, bytes))
    });
    found.map(|(path, _)| path.clone())
}

/// The change by which the firmware tries its entries in this order.
fn reordered(facts: &HostFacts, numbers: &[u16]) -> Option<Change> {
    let before = facts.files.get(managed::BOOT_ORDER)?;
    let bytes = efi_variable::with_order(before.content()?, numbers)?;
    Change::to(managed::BOOT_ORDER, before, bytes)
}

impl BootLoader for Entries {
    fn paths(&self) -> Vec<String> {
        self.found.entries.iter().map(|entry| entry.variable.clone()).collect()
    }

    fn lines(&self) -> Vec<String> {
        let line = |(path, bytes): &(String, Vec<u8>)| Some(boot_entries::firmware(path, bytes)?.cmdline);
        self.variables.iter().filter_map(line).collect()
    }

    fn passed(&self, _: &HostFacts, word: &str) -> Passed {
        passed_as_written(&self.lines(), word)
    }

    fn elsewhere(&self, _: Passed) -> String {
        "another boot entry of the firmware (`efibootmgr -u` shows them), or what the kernel was built with"
            .to_owned()
    }

    fn edits(
        &self,
        facts: &HostFacts,
        wanted: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        reasons.extend(self.strange_initramfs(facts));
        let words = needed.changes();
        let off = [words.clone(), off_changes(wanted.method, needed)].concat();
        // The way back stands first.
        let mut changes = self.off_entry(facts, &off, reasons);
        changes.extend(self.changed(facts, &words, reasons));
        changes
    }

    fn withdrawals(&self, facts: &HostFacts) -> Vec<Change> {
        // What cannot be edited any more was edited by others since, and is theirs.
        let mut changes = self.changed(facts, &settings::withdrawn(facts).changes(), &mut Vec::new());
        let Some(path) = off_entry(facts) else { return changes };
        let stands = facts.files.get(managed::BOOT_ORDER).and_then(FileState::content);
        if let (Some(mut numbers), Some(number)) =
            (stands.and_then(efi_variable::order), managed::boot_number(&path))
        {
            numbers.retain(|other| *other != number);
            changes.extend(reordered(facts, &numbers));
        }
        changes.extend(facts.files.get(&path).cloned().map(|before| Change {
            path,
            before,
            after: FileState::Absent,
        }));
        changes
    }

    fn untried(&self) -> Option<&'static str> {
        Some("a kernel that the firmware starts by itself")
    }
}
