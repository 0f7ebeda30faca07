//! Boot entries that a person has written, or an installer once: of systemd-boot, rEFInd, Limine, Extlinux, and of GRUB as on
//! Fedora. Nothing makes them anew, so they are edited where they stand, one word at a time, and get one entry more without passthrough.

use passthru_formats::cmdline::{Change as WordChange, CommandLine};
use passthru_formats::error::Refused;
use passthru_formats::{bls, boot_entries, limine, loader_conf, refind, syslinux};
use passthru_model::HostFacts;
use passthru_model::boot::{Dialect, WrittenEntries};
use passthru_model::intent::Intent;
use passthru_model::plan::FileState;

use super::{BootLoader, Change, Passed, off_changes, passed_as_written, refused, text_of};
use crate::planner::iommu::Parameters;
use crate::planner::{Reason, settings, texts};

/// What menus call the entry without passthrough.
pub(super) const TITLE: &str = "Without PCI passthrough";
/// The same behind another title.
pub(super) const TITLE_AFTER: &str = "without PCI passthrough";
/// Its label where entries have one.
const LABEL: &str = "passthru-off";

/// The files with entries, each with its text.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    found: WrittenEntries,
    files: Vec<(String, String)>,
}

impl Entries {
    /// The entries as they stand.
    pub(super) fn of(facts: &HostFacts, found: &WrittenEntries, reasons: &mut Vec<Reason>) -> Self {
        let mut files = Vec::new();
        for path in &found.files {
            files.extend(text_of(facts, path, reasons).map(|text| (path.clone(), text.to_owned())));
        }
        Self { found: found.clone(), files }
    }

    /// The files that could be read, each with its path.
    pub(super) fn texts(&self) -> &[(String, String)] {
        &self.files
    }

    /// Whether a command line starts this system as usual: not another one, nor one without passthrough.
    fn is_usual(&self, line: &str) -> bool {
        let line = CommandLine::new(line);
        let root = self.found.root_parameter.as_deref();
        !line.is_passthru_off() && (root.is_none() || line.value("root") == root)
    }

    /// A file with one word changed in all usual entries.
    fn edited(&self, text: &str, change: &WordChange) -> Result<String, Refused> {
        let of = |line: Option<&str>| line.is_some_and(|line| self.is_usual(line));
        match self.found.dialect {
            Dialect::Bls | Dialect::GrubBls => bls::edit(text, change),
            Dialect::Refind => refind::edit_linux(text, change, |entry| of(Some(&entry.options))),
            Dialect::Limine => limine::edit(text, change, |entry| of(entry.cmdline.as_deref())),
            Dialect::Syslinux => syslinux::edit(text, change, |entry| of(entry.append.as_deref())),
        }
    }

    /// A file without the entry without passthrough. Those of systemd-boot have files of their own.
    fn without_off(&self, text: &str) -> String {
        let off = |line: Option<&str>| line.is_some_and(|line| CommandLine::new(line).is_passthru_off());
        match self.found.dialect {
            Dialect::Bls | Dialect::GrubBls => text.to_owned(),
            Dialect::Refind => refind::without_linux(text, |entry| off(Some(&entry.options))),
            Dialect::Limine => limine::without(text, |entry| off(entry.cmdline.as_deref())),
            Dialect::Syslinux => syslinux::without(text, |entry| off(entry.append.as_deref())),
        }
    }

    /// A file with an entry without passthrough at its end: a copy of its first usual one.
    fn with_off(&self, text: &str, off: &[WordChange]) -> Result<String, Refused> {
        let of = |line: Option<&str>| line.is_some_and(|line| self.is_usual(line));
        match self.found.dialect {
            Dialect::Bls | Dialect::GrubBls => Ok(text.to_owned()),
            Dialect::Refind => refind::copy_linux(text, |entry| of(Some(&entry.options)), TITLE, off),
            Dialect::Limine => limine::copy(text, |entry| of(entry.cmdline.as_deref()), TITLE, off),
            Dialect::Syslinux => {
                syslinux::copy(text, |entry| of(entry.append.as_deref()), (LABEL, TITLE), off)
            }
        }
    }

    /// A file as it is to stand, and beside an entry of systemd-boot the one without passthrough.
    fn wanted(
        &self,
        path: &str,
        text: &str,
        needed: &Parameters,
        off: &[WordChange],
    ) -> Result<Wanted, Refused> {
        let mut new = self.without_off(text);
        for change in needed.changes() {
            new = self.edited(&new, &change)?;
        }
        let beside = match self.found.dialect {
            Dialect::Bls | Dialect::GrubBls => {
                let copy = bls::copy(&new, &off_title(text), off)?;
                Some((self.found.off_entry(path), format!("{}{copy}", off_head())))
            }
            _ => None,
        };
        Ok(Wanted { text: self.with_off(&new, off)?, beside })
    }

    /// Why systemd-boot could start the entry without passthrough where nobody chooses one.
    fn default_is_not_ours(&self, facts: &HostFacts, path: &str) -> Option<Reason> {
        let conf = format!("{}/loader/loader.conf", self.found.root);
        let text = String::from_utf8_lossy(facts.files.get(&conf)?.content()?).into_owned();
        let off = self.found.off_entry(path);
        let name = off.rsplit('/').next().unwrap_or_default();
        match loader_conf::default_entry(&text)? {
            loader_conf::DefaultEntry::Saved => None,
            pattern if pattern.could_be(name) => Some(Reason::Settings {
                path: conf,
                problem: format!(
                    "its default is a pattern that the entry without passthrough, {name}, would match too; name the whole file \
                     there, such as {}",
                    path.rsplit('/').next().unwrap_or_default()
                ),
            }),
            loader_conf::DefaultEntry::Matching(_) => None,
        }
    }

    /// The entries of a file that load an initramfs which nothing rebuilds here.
    fn strange_initramfs(&self, facts: &HostFacts, path: &str, text: &str) -> Option<Reason> {
        let images = images(facts);
        match self.found.dialect {
            // rEFInd finds the image that goes with a kernel by itself.
            Dialect::Refind => None,
            Dialect::Bls | Dialect::GrubBls => {
                let root = &self.found.root;
                // GRUB reads /boot also where it is no file system of its own.
                let is_whole = |file: &str| {
                    self.found.dialect == Dialect::GrubBls && file.starts_with(&format!("{root}/"))
                };
                let host = |file: String| if is_whole(&file) { file } else { format!("{root}{file}") };
                let loaded: Vec<String> = bls::files(text).into_iter().map(host).collect();
                strange_images(facts, path, &loaded)
            }
            Dialect::Limine | Dialect::Syslinux => {
                let names = images.iter().filter_map(|image| image.rsplit('/').next());
                let known = names.into_iter().any(|name| text.contains(name));
                (!known).then(|| strange(path, "its entries load other images", &images))
            }
        }
    }
}

/// The initramfs images that are rebuilt here.
fn images(facts: &HostFacts) -> Vec<&str> {
    let kernels = facts.kernel.installed.value().into_iter().flatten();
    kernels.filter_map(|kernel| kernel.initramfs.as_deref()).collect()
}

/// Why an entry that loads these files loads no initramfs that is rebuilt here; `None`: it does.
pub(super) fn strange_images(facts: &HostFacts, path: &str, loaded: &[String]) -> Option<Reason> {
    let images = images(facts);
    let known = loaded.iter().any(|file| images.contains(&file.as_str()));
    (!known).then(|| strange(path, &format!("it loads {}", loaded.join(", ")), &images))
}

fn strange(path: &str, problem: &str, images: &[&str]) -> Reason {
    Reason::Settings {
        path: path.to_owned(),
        problem: format!(
            "{problem}, and the initramfs images that are rebuilt here are {}: what the entry loads would stay without passthrough",
            if images.is_empty() { "none".to_owned() } else { images.join(", ") }
        ),
    }
}

/// How an entry without passthrough that has a file of its own begins.
pub(super) fn off_head() -> String {
    texts::head("remove this file.")
}

/// What menus call the entry without passthrough beside another.
pub(super) fn off_title(beside: &str) -> String {
    let title = bls::read(beside).title;
    title.map_or_else(|| TITLE.to_owned(), |title| format!("{title}, {TITLE_AFTER}"))
}

/// What is to stand.
struct Wanted {
    text: String,
    /// A file of ours and its text.
    beside: Option<(String, String)>,
}

impl BootLoader for Entries {
    fn paths(&self) -> Vec<String> {
        self.found.files.clone()
    }

    /// Of the entries that start this system as usual.
    fn lines(&self) -> Vec<String> {
        let lines = self.files.iter().flat_map(|(path, text)| {
            boot_entries::written(self.found.dialect, path, text.as_bytes())
                .into_iter()
                .map(|entry| entry.cmdline)
        });
        lines.filter(|line| self.is_usual(line)).collect()
    }

    fn passed(&self, _: &HostFacts, word: &str) -> Passed {
        passed_as_written(&self.lines(), word)
    }

    fn elsewhere(&self, _: Passed) -> String {
        "a boot entry in another file, or what was typed at the boot menu".to_owned()
    }

    fn edits(
        &self,
        facts: &HostFacts,
        wanted: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        let off = off_changes(wanted.method, needed);
        let mut changes = Vec::new();
        for (path, text) in &self.files {
            reasons.extend(self.strange_initramfs(facts, path, text));
            if self.found.dialect == Dialect::Bls {
                reasons.extend(self.default_is_not_ours(facts, path));
            }
            let wanted = match self.wanted(path, text, needed, &off) {
                Ok(wanted) => wanted,
                Err(error) => {
                    reasons.push(refused(path, error));
                    continue;
                }
            };
            // The way back stands first.
            for (path, text) in wanted.beside.into_iter().chain([(path.clone(), wanted.text)]) {
                let before = facts.files.get(&path).unwrap_or(&FileState::Absent);
                changes.extend(Change::to(&path, before, text));
            }
        }
        changes
    }

    fn withdrawals(&self, facts: &HostFacts) -> Vec<Change> {
        let gone = settings::withdrawn(facts);
        let mut changes = Vec::new();
        for (path, text) in &self.files {
            let mut new = self.without_off(text);
            for change in gone.changes() {
                // What cannot be edited any more was edited by others since, and is theirs.
                new = self.edited(&new, &change).unwrap_or(new);
            }
            changes.extend(facts.files.get(path).and_then(|before| Change::to(path, before, new)));
        }
        changes
    }

    fn untried(&self) -> Option<&'static str> {
        Some(match self.found.dialect {
            Dialect::Bls => "systemd-boot with entries written by hand",
            Dialect::GrubBls => "GRUB with its entries in /boot/loader/entries",
            Dialect::Refind => "rEFInd",
            Dialect::Limine => "Limine",
            Dialect::Syslinux => "Extlinux",
        })
    }
}
