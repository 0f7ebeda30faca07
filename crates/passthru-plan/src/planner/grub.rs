//! GRUB on Debian: the settings that `update-grub` reads, edited one word at a time, and the menu that it writes.

use passthru_formats::cmdline::{self, CommandLine};
use passthru_formats::grub_cfg::{self, MenuEntry};
use passthru_formats::shell::{ShellError, ShellFile, Variables};
use passthru_model::HostFacts;
use passthru_model::managed;
use passthru_model::plan::FileState;

use super::Reason;
use super::iommu::{Parameters, off_words};

/// The variables whose words come to the kernel. `GRUB_CMDLINE_LINUX_DEFAULT` is not given to recovery entries.
pub(crate) const VARIABLES: [&str; 2] = ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"];

/// The id of the menu entry without passthrough.
pub(crate) const OFF_ID: &str = "passthru-off";

/// The settings files in the order in which `grub-mkconfig` sources them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    files: Vec<(String, String)>,
}

/// What the generated menu says of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Menu {
    /// It cannot be read here.
    Unknown,
    /// No entry passes it.
    Lacks,
    /// An entry passes it that is made from the settings.
    GeneratedHas,
    /// Only entries pass it that come from elsewhere.
    OtherHas,
}

impl Settings {
    /// The settings as they stand.
    pub(crate) fn of(facts: &HostFacts, reasons: &mut Vec<Reason>) -> Self {
        let is_setting = |path: &str| {
            path == managed::GRUB_DEFAULTS
                || (path.starts_with("/etc/default/grub.d/") && path.rsplit('.').next() == Some("cfg"))
        };
        for (path, because) in facts.unreadable_files.iter().filter(|(path, _)| is_setting(path)) {
            reasons.push(super::select::unknown(facts, &format!("what {path} sets"), because));
        }
        let mut files = Vec::new();
        for (path, state) in facts.files.iter().filter(|(path, _)| is_setting(path)) {
            match state {
                FileState::File { content, .. } => match std::str::from_utf8(&content.0) {
                    Ok(text) => files.push((path.clone(), text.to_owned())),
                    Err(_) => reasons.push(Reason::Settings {
                        path: path.clone(),
                        problem: "it is not text in UTF-8".to_owned(),
                    }),
                },
                FileState::Link { target } => reasons.push(Reason::Settings {
                    path: path.clone(),
                    problem: format!("it is a symbolic link to {target}"),
                }),
                FileState::Absent => {}
            }
        }
        // The map is in order of path, and "/etc/default/grub" sorts ahead of "/etc/default/grub.d/".
        Self { files }
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }

    /// The words in the settings that turn the IOMMU off, each once; and of those on the running command line those that
    /// stand in the text of a value that cannot be told.
    pub(crate) fn off_words(&self, running: &[String]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (_, text) in &self.files {
            for name in VARIABLES {
                let words = match ShellFile::parse(text).and_then(|file| file.value(name)) {
                    Ok(value) => off_words(&value.unwrap_or_default()),
                    Err(_) => running.iter().filter(|word| text.contains(word.as_str())).cloned().collect(),
                };
                found.extend(words);
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|word| seen.insert(word.clone()));
        found
    }

    /// Whether our drop-in is there with this word.
    pub(crate) fn has_ours(&self, token: &str) -> bool {
        self.files.iter().any(|(path, text)| path == managed::GRUB_DROP_IN && sets(text, token))
    }

    /// Whether another file sets this word.
    pub(crate) fn has_elsewhere(&self, token: &str) -> bool {
        self.files.iter().any(|(path, text)| path != managed::GRUB_DROP_IN && sets(text, token))
    }

    /// The files that change for these words to go, with their new text.
    pub(crate) fn without(&self, words: &[String], reasons: &mut Vec<Reason>) -> Vec<(String, String)> {
        let mut changed = Vec::new();
        for (path, old) in self.files.iter().filter(|(path, _)| path != managed::GRUB_DROP_IN) {
            let mut text = old.clone();
            for word in words.iter().filter(|word| old.contains(word.as_str())) {
                let mut problem = None;
                let before = text.clone();
                for name in VARIABLES {
                    match taken_out(&text, name, word) {
                        Ok(new) => text = new,
                        Err(error) => problem = Some(error),
                    }
                }
                // Shell in one variable does not matter where the word was found in the other.
                if let (true, Some(error)) = (text == before, problem) {
                    reasons.push(settings(path, &error));
                }
            }
            if text != *old {
                changed.push((path.clone(), text));
            }
        }
        changed
    }

    /// Checks that no file that is read after our drop-in loses what it adds. What is read ahead of it does not matter: the
    /// drop-in keeps the old value, whatever that is made of.
    pub(crate) fn check(&self, needed: &Parameters, reasons: &mut Vec<Reason>) {
        let (Some(token), name) = (needed.add, VARIABLES[1]) else { return };
        for (path, text) in self.files.iter().filter(|(path, _)| path.as_str() > managed::GRUB_DROP_IN) {
            let mut variables = Variables::from([(name.to_owned(), Ok(token.to_owned()))]);
            match ShellFile::parse(text) {
                Ok(file) => file.evaluate(&mut variables),
                Err(error) => reasons.push(settings(path, &error)),
            }
            match variables.get(name) {
                Some(Ok(value)) if CommandLine::new(value).has_word(token) => {}
                Some(Err(error)) => reasons.push(settings(path, error)),
                _ => reasons.push(Reason::Overridden {
                    path: path.clone(),
                    name: name.to_owned(),
                    token: token.to_owned(),
                }),
            }
        }
    }
}

fn settings(path: &str, error: &ShellError) -> Reason {
    Reason::Settings { path: path.to_owned(), problem: error.to_string() }
}

fn sets(text: &str, token: &str) -> bool {
    let value = |name| ShellFile::parse(text).and_then(|file| file.value(name)).ok().flatten();
    VARIABLES.iter().any(|name| value(name).is_some_and(|value| CommandLine::new(&value).has_word(token)))
}

/// A settings file without a word, or without the item of its list that turns the IOMMU off.
fn taken_out(text: &str, name: &str, word: &str) -> Result<String, ShellError> {
    let file = ShellFile::parse(text)?;
    match cmdline::without_item(word, "off") {
        Some(shorter) => file.replace(name, word, &shorter),
        None => file.remove(name, word),
    }
}

/// The entries of the generated menu, where it can be read.
pub(crate) fn menu(facts: &HostFacts) -> Option<Vec<MenuEntry>> {
    let bytes = facts.files.get(managed::GRUB_CFG)?.content()?;
    Some(grub_cfg::entries(&String::from_utf8_lossy(bytes)))
}

fn is_generated(entry: &MenuEntry) -> bool {
    entry.id.as_deref().is_some_and(|id| id.starts_with("gnulinux-") || id == OFF_ID)
}

/// What the generated menu says of a word.
pub(crate) fn menu_with(facts: &HostFacts, word: &str) -> Menu {
    let Some(entries) = menu(facts) else { return Menu::Unknown };
    let mut has = entries.iter().filter(|entry| CommandLine::new(&entry.cmdline).has_word(word)).peekable();
    match (has.peek().is_some(), has.any(is_generated)) {
        (false, _) => Menu::Lacks,
        (true, true) => Menu::GeneratedHas,
        (true, false) => Menu::OtherHas,
    }
}

/// Whether the menu that stands is another than the settings would make: it lacks our entry or a word, or still has one.
pub(crate) fn is_stale(facts: &HostFacts, wanted: bool, needed: &Parameters) -> bool {
    let Some(entries) = menu(facts) else { return false };
    let off = entries.iter().any(|entry| entry.id.as_deref() == Some(OFF_ID));
    let normal = || entries.iter().filter(|entry| is_generated(entry) && !entry.is_recovery());
    let lacks = |token: &str| normal().any(|entry| !CommandLine::new(&entry.cmdline).has_word(token));
    let turned_off = || normal().any(|entry| !off_words(&entry.cmdline).is_empty());
    off != wanted || (wanted && (needed.add.is_some_and(lacks) || turned_off()))
}

/// The parameters that our own drop-in sets: what the running command line must hold after a reboot.
pub(crate) fn effective_parameters(facts: &HostFacts) -> Vec<String> {
    let bytes = facts.files.get(managed::GRUB_DROP_IN).and_then(FileState::content).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    let value = ShellFile::parse(&text).and_then(|file| file.value(VARIABLES[1])).ok().flatten();
    CommandLine::new(&value.unwrap_or_default()).parameters().map(|word| word.text().to_owned()).collect()
}
