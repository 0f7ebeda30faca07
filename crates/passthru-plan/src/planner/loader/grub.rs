//! GRUB with a menu that a program makes from settings. These are edited one word at a time: in a file of ours where one is read
//! after the user's, and in `/etc/default/grub` itself elsewhere.

pub(super) mod words;

use passthru_formats::cmdline::CommandLine;
use passthru_formats::grub_cfg::{self, MenuEntry};
use passthru_formats::shell::{ShellError, ShellFile, Variables};
use passthru_model::boot::Grub;
use passthru_model::fact::DENIED;
use passthru_model::intent::{Intent, Method};
use passthru_model::plan::{Action, Effect, Expectation, FileState, Step};
use passthru_model::{HostFacts, managed};

use super::{BootLoader, Change, Passed, States, record, words_of};
use crate::planner::iommu::{INTEL_ON, Parameters, off_words};
use crate::planner::{Reason, each_once, select, settings, texts};
use words::{DEFAULT, sets, values};

/// The id of the menu entry without passthrough.
const OFF_ID: &str = "passthru-off";

/// The settings files in the order in which `grub-mkconfig` sources them.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    grub: Grub,
    files: Vec<(String, String)>,
}

impl Settings {
    /// The settings as they stand.
    pub(super) fn of(facts: &HostFacts, grub: &Grub, reasons: &mut Vec<Reason>) -> Self {
        let is_setting = |path: &str| {
            path == managed::GRUB_DEFAULTS
                || (grub.drop_ins
                    && path.starts_with("/etc/default/grub.d/")
                    && path.rsplit('.').next() == Some("cfg"))
        };
        for (path, because) in facts.unreadable_files.iter().filter(|(path, _)| is_setting(path)) {
            reasons.push(select::unreadable(facts, &format!("what {path} sets"), because));
        }
        // A menu that only root may read is read when it is made anew; one that cannot be read at all could not be made.
        if let Some(because) = facts.unreadable_files.get(&grub.menu).filter(|why| !why.ends_with(DENIED)) {
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
        Self { grub: grub.clone(), files }
    }

    /// The files that are not ours.
    fn theirs(&self) -> impl Iterator<Item = &(String, String)> {
        self.files.iter().filter(|(path, _)| path != managed::GRUB_DROP_IN)
    }

    /// Whether a file that is not ours has our words.
    fn holds_ours(&self, path: &str) -> bool {
        !self.grub.drop_ins && path == managed::GRUB_DEFAULTS
    }

    /// A file that is not ours, with the needed words.
    fn edited(&self, path: &str, old: &str, needed: &Parameters) -> Result<String, ShellError> {
        if self.holds_ours(path) {
            return words::edited(old, needed);
        }
        let going = Parameters {
            remove: needed.remove.clone(),
            words: needed.words.clone(),
            ..Parameters::default()
        };
        words::edited(old, &going)
    }

    /// The entries of the generated menu, where it can be read.
    fn menu(&self, facts: &HostFacts) -> Option<Vec<MenuEntry>> {
        let bytes = facts.files.get(&self.grub.menu)?.content()?;
        Some(grub_cfg::entries(&String::from_utf8_lossy(bytes)))
    }

    /// The command that makes the menu, as a person would type it.
    fn by_hand(&self) -> String {
        let (program, arguments) = self.grub.making();
        program.command_line(&arguments)
    }
}

impl BootLoader for Settings {
    fn paths(&self) -> Vec<String> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }

    fn off_words(&self, running: &[String]) -> Vec<String> {
        each_once(self.files.iter().flat_map(|(_, text)| words::turned_off(text, running)))
    }

    fn has_ours(&self, token: &str) -> bool {
        self.files.iter().any(|(path, text)| path == managed::GRUB_DROP_IN && sets(text, token))
    }

    fn words_elsewhere(&self) -> Vec<String> {
        self.theirs().flat_map(|(_, text)| values(text)).flat_map(|value| words_of(&value)).collect()
    }

    fn has_elsewhere(&self, token: &str) -> bool {
        self.theirs().any(|(_, text)| sets(text, token))
    }

    fn edits(
        &self,
        facts: &HostFacts,
        _: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        let mut changed = Vec::new();
        for (path, old) in self.theirs() {
            let text = match self.edited(path, old, needed) {
                Ok(text) => text,
                Err(error) => {
                    reasons.push(settings_of(path, &error));
                    continue;
                }
            };
            changed.extend(facts.files.get(path).and_then(|before| Change::to(path, before, text)));
        }
        changed
    }

    fn withdrawals(&self, facts: &HostFacts) -> Vec<Change> {
        let gone = settings::withdrawn(facts);
        let mut changed = Vec::new();
        for (path, old) in self.files.iter().filter(|(path, _)| self.holds_ours(path)) {
            // What cannot be edited any more was edited by others since, and is theirs.
            if let (Ok(text), Some(before)) = (words::edited(old, &gone), facts.files.get(path)) {
                changed.extend(Change::to(path, before, text));
            }
        }
        changed
    }

    /// No file that is read after our drop-in may lose what it adds. What is read ahead of it does not matter: the drop-in
    /// keeps the old value, whatever that is made of.
    fn check(&self, needed: &Parameters, reasons: &mut Vec<Reason>) {
        let added: Vec<&str> = needed.added().collect();
        if added.is_empty() || !self.grub.drop_ins {
            return;
        }
        for (path, text) in self.files.iter().filter(|(path, _)| path.as_str() > managed::GRUB_DROP_IN) {
            let mut variables = Variables::from([(DEFAULT.to_owned(), Ok(added.join(" ")))]);
            match ShellFile::parse(text) {
                Ok(file) => file.evaluate(&mut variables),
                Err(error) => reasons.push(settings_of(path, &error)),
            }
            match variables.get(DEFAULT) {
                Some(Ok(value)) if added.iter().all(|word| CommandLine::new(value).has_word(word)) => {}
                Some(Err(error)) => reasons.push(settings_of(path, error)),
                _ => reasons.push(Reason::Overridden {
                    path: path.clone(),
                    name: DEFAULT.to_owned(),
                    token: added.join(" "),
                }),
            }
        }
    }

    fn passed(&self, facts: &HostFacts, word: &str) -> Passed {
        let Some(entries) = self.menu(facts) else { return Passed::Unknown };
        let mut has =
            entries.iter().filter(|entry| CommandLine::new(&entry.cmdline).has_word(word)).peekable();
        match (has.peek().is_some(), has.any(is_generated)) {
            (false, _) => Passed::Never,
            (true, true) => Passed::BySettings,
            (true, false) => Passed::ByOthers,
        }
    }

    fn elsewhere(&self, passed: Passed) -> String {
        let menu = &self.grub.menu;
        let program = self.grub.making().0.file_name();
        match passed {
            Passed::ByOthers => {
                format!(
                    "an entry of {menu} that {program} does not make (/etc/grub.d/40_custom, {})",
                    menu.replace("grub.cfg", "custom.cfg")
                )
            }
            _ => format!("{menu}, /etc/grub.d/40_custom, or what was typed at the boot menu"),
        }
    }

    fn effective_parameters(&self) -> Vec<String> {
        if !self.grub.drop_ins {
            return self.has_elsewhere(INTEL_ON).then(|| INTEL_ON.to_owned()).into_iter().collect();
        }
        let text = self.files.iter().find(|(path, _)| path == managed::GRUB_DROP_IN);
        let value = |text| ShellFile::parse(text).and_then(|file| file.value(DEFAULT)).ok().flatten();
        words_of(&text.and_then(|(_, text)| value(text)).unwrap_or_default())
    }

    fn own_files(&self, wanted: &Intent, needed: &Parameters) -> States {
        let mut files = States::new();
        if !self.grub.drop_ins {
            files.extend(record(needed));
        } else if needed.added().next().is_some() {
            files.insert(managed::GRUB_DROP_IN, FileState::root_file(drop_in(needed), 0o644));
        }
        let off = off_entry(wanted.method, &needed.set, &self.by_hand());
        files.insert(managed::GRUB_OFF_ENTRY, FileState::root_file(off, 0o755));
        files
    }

    /// The menu that stands may be another than the settings would make: it lacks our entry or a word, or still has one.
    fn is_stale(&self, facts: &HostFacts, isolating: bool, needed: &Parameters) -> bool {
        let Some(entries) = self.menu(facts) else { return false };
        let off = entries.iter().any(|entry| entry.id.as_deref() == Some(OFF_ID));
        let normal = || entries.iter().filter(|entry| is_generated(entry) && !entry.is_recovery());
        let lacks = |token: &str| normal().any(|entry| !CommandLine::new(&entry.cmdline).has_word(token));
        let turned_off = || normal().any(|entry| !off_words(&entry.cmdline).is_empty());
        off != isolating || (isolating && (needed.added().any(lacks) || turned_off()))
    }

    fn regenerate(&self, _: &HostFacts, isolating: bool, needed: &Parameters) -> Vec<Step> {
        let path = &self.grub.menu;
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
        let (program, arguments) = self.grub.making();
        vec![Step {
            id: "grub-menu".to_owned(),
            action: Action::Run { program, arguments, rewrites: vec![path.clone()], expect },
            what: "make GRUB's menu anew".to_owned(),
            why: "GRUB reads the menu, not the settings it is made from".to_owned(),
            effect: Effect::Reboot,
        }]
    }

    fn untried(&self) -> Option<&'static str> {
        (!self.grub.drop_ins).then_some("GRUB with all its settings in /etc/default/grub")
    }

    fn about(&self, path: &str) -> Option<(&'static str, &'static str)> {
        self.holds_ours(path).then_some((
            "change the words of GRUB's settings that come to the kernel",
            "the kernel reads them only when it starts, and no file of ours beside these is read here",
        ))
    }
}

fn settings_of(path: &str, error: &ShellError) -> Reason {
    Reason::Settings { path: path.to_owned(), problem: error.to_string() }
}

fn is_generated(entry: &MenuEntry) -> bool {
    entry.id.as_deref().is_some_and(|id| id.starts_with("gnulinux-") || id == OFF_ID)
}

/// The drop-in with kernel parameters.
fn drop_in(needed: &Parameters) -> String {
    let words: Vec<&str> = needed.added().collect();
    format!(
        "{}{DEFAULT}=\"${DEFAULT} {}\"\n",
        texts::head("remove this file, then `update-grub`."),
        words.join(" ")
    )
}

/// The script that makes the entry without passthrough, and without the words that are set beside the IOMMU's.
fn off_entry(method: Method, set: &[String], by_hand: &str) -> String {
    let without = if set.is_empty() {
        String::new()
    } else {
        include_str!("grub/off-settings.sh").replace("@WORDS@", &set.join(" "))
    };
    include_str!("grub/off.sh")
        .replace("@SETTINGS@\n", &without)
        .replace("@PARAMETERS@", &texts::off_parameters(method))
        .replace("@MENU@", by_hand)
}
