//! GRUB on Debian: the settings that `update-grub` reads, edited one word at a time, and the menu that it writes.

use passthru_formats::cmdline::{self, CommandLine};
use passthru_formats::grub_cfg::{self, MenuEntry};
use passthru_formats::shell::{ShellError, ShellFile, Variables};
use passthru_model::fact::DENIED;
use passthru_model::intent::{Intent, Method};
use passthru_model::plan::{Action, Effect, Expectation, FileState, Step};
use passthru_model::program::Program;
use passthru_model::{HostFacts, managed};

use super::{BootLoader, Change, Passed, States, words_of};
use crate::planner::Reason;
use crate::planner::iommu::{Parameters, off_words};
use crate::planner::{select, texts};

/// The variables whose words come to the kernel. `GRUB_CMDLINE_LINUX_DEFAULT` is not given to recovery entries.
const VARIABLES: [&str; 2] = ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"];

/// The id of the menu entry without passthrough.
const OFF_ID: &str = "passthru-off";

/// The settings files in the order in which `grub-mkconfig` sources them.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    files: Vec<(String, String)>,
}

impl Settings {
    /// The settings as they stand.
    pub(super) fn of(facts: &HostFacts, reasons: &mut Vec<Reason>) -> Self {
        let is_setting = |path: &str| {
            path == managed::GRUB_DEFAULTS
                || (path.starts_with("/etc/default/grub.d/") && path.rsplit('.').next() == Some("cfg"))
        };
        for (path, because) in facts.unreadable_files.iter().filter(|(path, _)| is_setting(path)) {
            reasons.push(select::unreadable(facts, &format!("what {path} sets"), because));
        }
        // A menu that only root may read is read when it is made anew; one that cannot be read at all could not be made.
        if let Some(because) =
            facts.unreadable_files.get(managed::GRUB_CFG).filter(|why| !why.ends_with(DENIED))
        {
            reasons.push(select::unreadable(facts, "what GRUB's menu says", because));
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
}

impl BootLoader for Settings {
    fn paths(&self) -> Vec<String> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Of a value that cannot be told, the words on the running command line that stand in its text.
    fn off_words(&self, running: &[String]) -> Vec<String> {
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

    fn has_ours(&self, token: &str) -> bool {
        self.files.iter().any(|(path, text)| path == managed::GRUB_DROP_IN && sets(text, token))
    }

    fn words_elsewhere(&self) -> Vec<String> {
        let others = self.files.iter().filter(|(path, _)| path != managed::GRUB_DROP_IN);
        others.flat_map(|(_, text)| values(text)).flat_map(|value| words_of(&value)).collect()
    }

    fn has_elsewhere(&self, token: &str) -> bool {
        self.files.iter().any(|(path, text)| path != managed::GRUB_DROP_IN && sets(text, token))
    }

    fn edits(
        &self,
        facts: &HostFacts,
        _: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        let mut changed = Vec::new();
        for (path, old) in self.files.iter().filter(|(path, _)| path != managed::GRUB_DROP_IN) {
            let mut text = old.clone();
            for word in needed.remove.iter().filter(|word| old.contains(word.as_str())) {
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
            for word in needed.words.iter().filter(|word| sets(old, word)) {
                for name in VARIABLES {
                    // Where one variable cannot be told, the word was found in the other.
                    if let Ok(new) = ShellFile::parse(&text).and_then(|file| file.remove(name, word)) {
                        text = new;
                    }
                }
            }
            if let (true, Some(before @ FileState::File { .. })) = (text != *old, facts.files.get(path)) {
                let after = before.with_content(text);
                changed.push(Change { path: path.clone(), before: before.clone(), after });
            }
        }
        changed
    }

    /// No file that is read after our drop-in may lose what it adds. What is read ahead of it does not matter: the drop-in
    /// keeps the old value, whatever that is made of.
    fn check(&self, needed: &Parameters, reasons: &mut Vec<Reason>) {
        let added: Vec<&str> = needed.added().collect();
        if added.is_empty() {
            return;
        }
        let name = VARIABLES[1];
        for (path, text) in self.files.iter().filter(|(path, _)| path.as_str() > managed::GRUB_DROP_IN) {
            let mut variables = Variables::from([(name.to_owned(), Ok(added.join(" ")))]);
            match ShellFile::parse(text) {
                Ok(file) => file.evaluate(&mut variables),
                Err(error) => reasons.push(settings(path, &error)),
            }
            match variables.get(name) {
                Some(Ok(value)) if added.iter().all(|word| CommandLine::new(value).has_word(word)) => {}
                Some(Err(error)) => reasons.push(settings(path, error)),
                _ => reasons.push(Reason::Overridden {
                    path: path.clone(),
                    name: name.to_owned(),
                    token: added.join(" "),
                }),
            }
        }
    }

    fn passed(&self, facts: &HostFacts, word: &str) -> Passed {
        let Some(entries) = menu(facts) else { return Passed::Unknown };
        let mut has =
            entries.iter().filter(|entry| CommandLine::new(&entry.cmdline).has_word(word)).peekable();
        match (has.peek().is_some(), has.any(is_generated)) {
            (false, _) => Passed::Never,
            (true, true) => Passed::BySettings,
            (true, false) => Passed::ByOthers,
        }
    }

    fn elsewhere(&self, passed: Passed) -> &'static str {
        match passed {
            Passed::ByOthers => {
                "an entry of /boot/grub/grub.cfg that update-grub does not make (/etc/grub.d/40_custom, /boot/grub/custom.cfg)"
            }
            _ => "/boot/grub/grub.cfg, /etc/grub.d/40_custom, or what was typed at the boot menu",
        }
    }

    fn effective_parameters(&self) -> Vec<String> {
        let text = self.files.iter().find(|(path, _)| path == managed::GRUB_DROP_IN);
        let value = |text| ShellFile::parse(text).and_then(|file| file.value(VARIABLES[1])).ok().flatten();
        let value = text.and_then(|(_, text)| value(text)).unwrap_or_default();
        CommandLine::new(&value).parameters().map(|word| word.text().to_owned()).collect()
    }

    fn own_files(&self, wanted: &Intent, needed: &Parameters) -> States {
        let mut files = States::new();
        if needed.added().next().is_some() {
            files.insert(managed::GRUB_DROP_IN, FileState::root_file(drop_in(needed), 0o644));
        }
        let off = off_entry(wanted.method, &needed.set);
        files.insert(managed::GRUB_OFF_ENTRY, FileState::root_file(off, 0o755));
        files
    }

    /// The menu that stands may be another than the settings would make: it lacks our entry or a word, or still has one.
    fn is_stale(&self, facts: &HostFacts, isolating: bool, needed: &Parameters) -> bool {
        let Some(entries) = menu(facts) else { return false };
        let off = entries.iter().any(|entry| entry.id.as_deref() == Some(OFF_ID));
        let normal = || entries.iter().filter(|entry| is_generated(entry) && !entry.is_recovery());
        let lacks = |token: &str| normal().any(|entry| !CommandLine::new(&entry.cmdline).has_word(token));
        let turned_off = || normal().any(|entry| !off_words(&entry.cmdline).is_empty());
        off != isolating || (isolating && (needed.added().any(lacks) || turned_off()))
    }

    fn regenerate(&self, _: &HostFacts, isolating: bool, needed: &Parameters) -> Vec<Step> {
        let path = managed::GRUB_CFG.to_owned();
        let entry = format!("'{OFF_ID}'");
        let mut expect = Vec::new();
        let mut lacks: Vec<String> = needed.remove.iter().chain(&needed.words).cloned().collect();
        if isolating {
            let mut needles = vec![entry, "passthru.off".to_owned()];
            needles.extend(needed.added().map(str::to_owned));
            expect.push(Expectation::Contains { path: path.clone(), needles });
        } else {
            lacks.push(entry);
        }
        if !lacks.is_empty() {
            expect.push(Expectation::Lacks { path: path.clone(), needles: lacks });
        }
        vec![Step {
            id: "grub-menu".to_owned(),
            action: Action::Run {
                program: Program::UpdateGrub,
                arguments: Vec::new(),
                rewrites: vec![path],
                expect,
            },
            what: "make GRUB's menu anew".to_owned(),
            why: "GRUB reads the menu, not the settings it is made from".to_owned(),
            effect: Effect::Reboot,
        }]
    }
}

fn settings(path: &str, error: &ShellError) -> Reason {
    Reason::Settings { path: path.to_owned(), problem: error.to_string() }
}

/// The values of both variables, as far as they can be told.
fn values(text: &str) -> impl Iterator<Item = String> {
    VARIABLES
        .iter()
        .filter_map(|name| ShellFile::parse(text).and_then(|file| file.value(name)).ok().flatten())
}

fn sets(text: &str, token: &str) -> bool {
    values(text).any(|value| CommandLine::new(&value).has_word(token))
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
fn menu(facts: &HostFacts) -> Option<Vec<MenuEntry>> {
    let bytes = facts.files.get(managed::GRUB_CFG)?.content()?;
    Some(grub_cfg::entries(&String::from_utf8_lossy(bytes)))
}

fn is_generated(entry: &MenuEntry) -> bool {
    entry.id.as_deref().is_some_and(|id| id.starts_with("gnulinux-") || id == OFF_ID)
}

/// The drop-in with kernel parameters.
fn drop_in(needed: &Parameters) -> String {
    let words: Vec<&str> = needed.added().collect();
    format!(
        "{}GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT {}\"\n",
        texts::head("remove this file, then `update-grub`."),
        words.join(" ")
    )
}

/// The script that makes the entry without passthrough, and without the words that the drop-in has beside the IOMMU's.
fn off_entry(method: Method, set: &[String]) -> String {
    let without = if set.is_empty() {
        String::new()
    } else {
        include_str!("grub-off-settings.sh").replace("@WORDS@", &set.join(" "))
    };
    include_str!("grub-off.sh")
        .replace("@SETTINGS@\n", &without)
        .replace("@PARAMETERS@", &texts::off_parameters(method))
}
