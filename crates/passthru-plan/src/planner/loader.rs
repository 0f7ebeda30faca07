//! What boots the host, as the planner sees it: where kernel parameters come from, which files change for one to be
//! passed or not, what is to be run then, and the entry without passthrough. A file a boot loader.

mod grub;
mod grub_entries;
mod kernel_cmdline;
mod kernel_install;
mod kernelstub;
mod written;

use std::collections::BTreeMap;

use passthru_formats::cmdline::{self, CommandLine};
use passthru_formats::error::{Refused, utf8};
use passthru_model::boot::{Dialect, Grub};
use passthru_model::facts::Bootloader;
use passthru_model::intent::Intent;
use passthru_model::plan::{FileState, Step};
use passthru_model::{Fact, HostFacts, managed};

use super::iommu::Parameters;
use super::{Reason, select, settings, texts};

/// What stands at paths of ours once an intent is met. A path that is not in it is empty then.
pub(super) type States = BTreeMap<&'static str, FileState>;

/// A change of a file that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Its path.
    pub(super) path: String,
    /// What stands there.
    pub(super) before: FileState,
    /// What stands there afterwards.
    pub(super) after: FileState,
}

/// Whether what the boot loader reads passes a word to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// It cannot be read here.
    Unknown,
    /// No entry passes it.
    Never,
    /// An entry passes it that is made from the settings.
    BySettings,
    /// Only entries pass it that come from elsewhere.
    ByOthers,
}

/// The files that a boot loader starts in place of a kernel and its initramfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copies {
    /// Those that hold the initramfs.
    pub(super) images: Vec<String>,
    /// All that is rewritten where they are made anew. A generator's own hooks may do that too.
    pub(super) rewritten: Vec<String>,
}

/// A boot loader and the settings that its entries are made from.
pub(super) trait BootLoader {
    /// The files that the settings were read from.
    fn paths(&self) -> Vec<String>;
    /// The words in the settings that turn the IOMMU off, each once. `running`: those on the running command line.
    fn off_words(&self, running: &[String]) -> Vec<String>;
    /// Whether a file of ours sets this word.
    fn has_ours(&self, token: &str) -> bool;
    /// The words that files which are not ours set, as far as these can be told.
    fn words_elsewhere(&self) -> Vec<String>;
    /// Whether a file that is not ours sets this word.
    fn has_elsewhere(&self, token: &str) -> bool;
    /// Whether the entries as they stand pass a word.
    fn passed(&self, facts: &HostFacts, word: &str) -> Passed;
    /// Where a word could come from that is not in the settings.
    fn elsewhere(&self, passed: Passed) -> String;
    /// The words that the settings ask for because of us: what the running command line must hold after a reboot.
    fn effective_parameters(&self) -> Vec<String>;
    /// The changes of files that are not ours for the needed words to come and go.
    fn edits(
        &self,
        facts: &HostFacts,
        wanted: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change>;
    /// The changes of files that are not ours by which they have nothing of ours any more.
    fn withdrawals(&self, _facts: &HostFacts) -> Vec<Change> {
        Vec::new()
    }
    /// Checks that the words which we add come to the kernel.
    fn check(&self, _needed: &Parameters, _reasons: &mut Vec<Reason>) {}
    /// Our own files.
    fn own_files(&self, wanted: &Intent, needed: &Parameters) -> States;
    /// Whether the entries that stand are others than the settings would make.
    fn is_stale(&self, facts: &HostFacts, isolating: bool, needed: &Parameters) -> bool;
    /// The steps that make the entries anew, each with what must hold of them afterwards.
    fn regenerate(&self, facts: &HostFacts, isolating: bool, needed: &Parameters) -> Vec<Step>;
    /// What a host is called that boots in this way, where no such host has been started in the laboratory yet.
    fn untried(&self) -> Option<&'static str> {
        None
    }
    /// What a change of a file that is not ours is and why, where its path alone does not say.
    fn about(&self, _path: &str) -> Option<(&'static str, &'static str)> {
        None
    }
    /// For a loader that starts copies of a kernel and its initramfs: which files these are. They are made anew by
    /// [`BootLoader::regenerate`], after the images.
    fn copies(&self, _release: &str) -> Option<Copies> {
        None
    }
}

/// The boot loader of the host. Where it is not known its settings are judged as GRUB's, and [`known`] lets nothing be
/// changed.
pub(super) fn of(facts: &HostFacts, reasons: &mut Vec<Reason>) -> Box<dyn BootLoader> {
    match facts.bootloader.value() {
        Some(Bootloader::KernelInstall(found)) => {
            Box::new(kernel_install::Settings::of(facts, found, reasons))
        }
        Some(Bootloader::Written(found)) if found.dialect == Dialect::GrubBls => {
            Box::new(grub_entries::GrubEntries::of(facts, found, reasons))
        }
        Some(Bootloader::Written(found)) => Box::new(written::Entries::of(facts, found, reasons)),
        Some(Bootloader::Kernelstub(found)) => Box::new(kernelstub::Settings::of(facts, found, reasons)),
        Some(Bootloader::Grub(found)) => Box::new(grub::Settings::of(facts, found, reasons)),
        None => Box::new(grub::Settings::of(facts, &Grub::of_debian(), reasons)),
    }
}

/// The text of a file that is to be edited; `None`: it is not there, or it cannot be edited and the reason has been added.
pub(super) fn text_of<'f>(facts: &'f HostFacts, path: &str, reasons: &mut Vec<Reason>) -> Option<&'f str> {
    if let Some(because) = facts.unreadable_files.get(path) {
        reasons.push(select::unreadable(facts, &format!("what {path} says"), because));
    }
    match facts.files.get(path)? {
        FileState::File { content, .. } => {
            utf8(&content.0).map_err(|error| reasons.push(refused(path, error))).ok()
        }
        FileState::Link { target } => {
            reasons.push(Reason::Settings {
                path: path.to_owned(),
                problem: format!("it is a symbolic link to {target}"),
            });
            None
        }
        FileState::Absent => None,
    }
}

fn refused(path: &str, error: Refused) -> Reason {
    Reason::EditRefused { path: path.to_owned(), error }
}

/// Refuses where the boot loader is not known.
pub(super) fn known(facts: &HostFacts, reasons: &mut Vec<Reason>) {
    if let Fact::Unknown(because) = &facts.bootloader {
        reasons.push(Reason::Bootloader(because.clone()));
    }
}

/// The words of a command line that the kernel reads.
fn words_of(line: &str) -> Vec<String> {
    CommandLine::new(line).parameters().map(|word| word.text().to_owned()).collect()
}

/// The file of ours that says which words in files that are not ours we added.
fn record(needed: &Parameters) -> Option<(&'static str, FileState)> {
    let state = || FileState::root_file(texts::parameters(&needed.set), 0o644);
    (!needed.set.is_empty()).then(|| (managed::PARAMETERS, state()))
}

/// The changes of single words by which the entry without passthrough lacks what else the intent has the kernel told.
fn unset(needed: &Parameters) -> impl Iterator<Item = cmdline::Change> {
    let words = needed.set.iter().filter_map(|word| cmdline::Parameter::new(word).ok());
    words.map(cmdline::Change::Remove)
}

/// Whether a file is read by a boot loader, or by what makes its entries.
pub(super) fn reads(path: &str) -> bool {
    path == managed::GRUB_DEFAULTS
        || path.starts_with("/etc/default/grub.d/")
        || path == managed::GRUB_OFF_ENTRY
        || path == managed::KERNEL_CMDLINE
        || path == managed::KERNEL_INSTALL_OFF
        || path == managed::KERNELSTUB
        || managed::has_entries(path)
}

/// The parameters that the running command line must hold after a reboot, because of us.
pub(crate) fn effective_parameters(facts: &HostFacts) -> Vec<String> {
    let mut words = of(facts, &mut Vec::new()).effective_parameters();
    words.extend(settings::recorded(facts));
    words
}
