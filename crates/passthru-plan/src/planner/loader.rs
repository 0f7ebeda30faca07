//! What boots the host, as the planner sees it: where kernel parameters come from, which files change for one to be
//! passed or not, what is to be run then, and the entry without passthrough. A file a boot loader.

mod firmware;
mod grub;
mod grub_entries;
mod kernel_cmdline;
mod kernel_install;
mod kernelstub;
mod limine;
pub(super) mod nixos;
mod sourced;
mod u_boot;
mod written;

use std::collections::BTreeMap;

use passthru_formats::cmdline::{self, CommandLine};
use passthru_formats::error::{Refused, utf8};
use passthru_model::boot::{BootEntry, Dialect, Grub};
use passthru_model::facts::Bootloader;
use passthru_model::intent::{Intent, Method};
use passthru_model::plan::{Action, Expectation, FileState, Step};
use passthru_model::{Fact, HostFacts, managed};

use super::iommu::{INTEL_ON, Parameters, off_words};
use super::{Reason, each_once, select, settings, texts};

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

impl Change {
    /// The change by which a file has this content; `None`: it has it already.
    pub(super) fn to(path: &str, before: &FileState, content: impl Into<Vec<u8>>) -> Option<Self> {
        let content = content.into();
        (before.content() != Some(&content)).then(|| Self {
            path: path.to_owned(),
            before: before.clone(),
            after: before.with_content(content),
        })
    }
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
    /// The command lines that the settings give entries, or that entries have which nothing is made from. Any may be started.
    fn lines(&self) -> Vec<String> {
        Vec::new()
    }
    /// The words in the settings that turn the IOMMU off, each once. `running`: those on the running command line.
    fn off_words(&self, _running: &[String]) -> Vec<String> {
        each_once(self.lines().iter().flat_map(|line| off_words(line)))
    }
    /// Whether a file of ours sets this word.
    fn has_ours(&self, _token: &str) -> bool {
        false
    }
    /// The words that files which are not ours set, as far as these can be told.
    fn words_elsewhere(&self) -> Vec<String> {
        self.lines().iter().flat_map(|line| words_of(line)).collect()
    }
    /// Whether files that are not ours set this word, on every line.
    fn has_elsewhere(&self, token: &str) -> bool {
        let lines = self.lines();
        !lines.is_empty() && lines.iter().all(|line| CommandLine::new(line).has_word(token))
    }
    /// Whether the entries as they stand pass a word.
    fn passed(&self, facts: &HostFacts, word: &str) -> Passed;
    /// Where a word could come from that is not in the settings.
    fn elsewhere(&self, passed: Passed) -> String;
    /// The words that the settings ask for because of us: what the running command line must hold after a reboot.
    fn effective_parameters(&self) -> Vec<String> {
        self.has_elsewhere(INTEL_ON).then(|| INTEL_ON.to_owned()).into_iter().collect()
    }
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
    fn own_files(&self, _wanted: &Intent, needed: &Parameters) -> States {
        record(needed).into_iter().collect()
    }
    /// Where all files of the system are made of a configuration: ours once the intent is met, in place of those that others have.
    fn whole_system(&self, _facts: &HostFacts, _wanted: &Intent, _needed: &Parameters) -> Option<States> {
        None
    }
    /// What is left for the user to do once the plan is carried out.
    fn left_to_do(&self, _isolating: bool) -> Option<String> {
        None
    }
    /// Whether the entries that stand are others than the settings would make. Where nothing is made of anything, what differs is
    /// edited.
    fn is_stale(&self, _facts: &HostFacts, _isolating: bool, _needed: &Parameters) -> bool {
        false
    }
    /// The steps that make the entries anew, each with what must hold of them afterwards.
    fn regenerate(&self, _facts: &HostFacts, _isolating: bool, _needed: &Parameters) -> Vec<Step> {
        Vec::new()
    }
    /// What a host is called that boots in this way, where no such host has been started in the laboratory yet.
    fn untried(&self) -> Option<&'static str> {
        None
    }
    /// What a change of a file that is not ours is and why, where its path alone does not say.
    fn about(&self, _path: &str) -> Option<(&'static str, &'static str)> {
        None
    }
    /// Whether it starts unified kernel images.
    fn is_unified(&self) -> bool {
        false
    }
    /// Whether [`BootLoader::regenerate`] has the generator build the images too, which are the copies then.
    fn builds_images(&self) -> bool {
        false
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
        Some(Bootloader::NixOs) => Box::new(nixos::Settings::of(facts, reasons)),
        Some(Bootloader::Firmware(found)) => Box::new(firmware::Entries::of(facts, found, reasons)),
        Some(Bootloader::Kernelstub(found)) => Box::new(kernelstub::Settings::of(facts, found, reasons)),
        Some(Bootloader::LimineEntries(found)) => Box::new(limine::Settings::of(facts, found, reasons)),
        Some(Bootloader::UBootMenu) => Box::new(u_boot::Settings::of(facts, reasons)),
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

/// The changes of single words that make an entry the one without passthrough: it lacks what else the intent has the kernel told.
fn off_changes(method: Method, needed: &Parameters) -> Vec<cmdline::Change> {
    let word = |word: &str| cmdline::Parameter::new(word).ok();
    let unset = needed.set.iter().filter_map(|set| word(set)).map(cmdline::Change::Remove);
    let off = texts::off_parameters(method);
    unset.chain(off.split(' ').filter_map(word).map(cmdline::Change::Add)).collect()
}

/// Whether entries pass a word, of which `is_made` tells those that are made from the settings.
fn passed(facts: &HostFacts, word: &str, is_made: impl Fn(&BootEntry) -> bool) -> Passed {
    let Some(entries) = facts.boot.entries.value() else { return Passed::Unknown };
    let has = |entry: &&BootEntry| CommandLine::new(&entry.cmdline).has_word(word);
    if entries.iter().filter(has).any(&is_made) {
        Passed::BySettings
    } else if entries.iter().filter(has).any(|entry| !entry.rescue && !entry.source) {
        Passed::ByOthers
    } else {
        Passed::Never
    }
}

/// Whether entries that nothing is made from pass a word.
fn passed_as_written(lines: &[String], word: &str) -> Passed {
    if lines.iter().any(|line| CommandLine::new(line).has_word(word)) {
        Passed::BySettings
    } else {
        Passed::Never
    }
}

/// Whether a made entry is another than the settings would make it.
fn is_stale(entry: &BootEntry, needed: &Parameters) -> bool {
    let line = CommandLine::new(&entry.cmdline);
    needed.added().any(|token| !line.has_word(token)) || !off_words(&entry.cmdline).is_empty()
}

/// What must hold of an entry once it is made anew.
fn expected(path: &str, needed: &Parameters) -> Vec<Expectation> {
    let mut expect = Vec::new();
    let needles: Vec<String> = needed.added().map(str::to_owned).collect();
    if !needles.is_empty() {
        expect.push(Expectation::Contains { path: path.to_owned(), needles });
    }
    let needles: Vec<String> = needed.remove.iter().chain(&needed.words).cloned().collect();
    if !needles.is_empty() {
        expect.push(Expectation::Lacks { path: path.to_owned(), needles });
    }
    expect
}

/// Where a person changes the kernel's parameters on this host, and what he does then.
pub(crate) fn by_hand(facts: &HostFacts) -> String {
    if facts.bootloader.value().is_none() {
        return "the kernel command line of this host's boot entries, then reboot".to_owned();
    }
    let loader = of(facts, &mut Vec::new());
    let mut programs: Vec<String> = loader
        .regenerate(facts, false, &Parameters::default())
        .iter()
        .filter_map(|step| match &step.action {
            Action::Run { program, arguments, .. } => Some(format!("`{}`", program.command_line(arguments))),
            _ => None,
        })
        .collect();
    programs.push("reboot".to_owned());
    format!("the kernel command line in {}, then {}", loader.paths().join(", "), programs.join(" and "))
}

/// Whether a file is read by a boot loader, or by what makes its entries.
pub(super) fn reads(path: &str) -> bool {
    path == managed::GRUB_DEFAULTS
        || path.starts_with("/etc/default/grub.d/")
        || path == managed::GRUB_OFF_ENTRY
        || path == managed::KERNEL_CMDLINE
        || path == managed::KERNEL_INSTALL_OFF
        || path == managed::KERNELSTUB
        || path == managed::U_BOOT_DEFAULTS
        || managed::LIMINE_SETTINGS.contains(&path)
        || path == managed::LIMINE_OFF_ENTRY
        || path.contains("/limine-entry-tool.d/")
        || path.contains("/u-boot-menu/conf.d/")
        || managed::has_entries(path)
        || path == managed::NIXOS_MODULE
        || path == managed::BOOT_ORDER
        || managed::boot_number(path).is_some()
}

/// The parameters that the running command line must hold after a reboot, because of us.
pub(crate) fn effective_parameters(facts: &HostFacts) -> Vec<String> {
    let mut words = of(facts, &mut Vec::new()).effective_parameters();
    words.extend(settings::recorded(facts));
    words
}
