//! Limine with the entries and images that limine-entry-tool makes from shell settings, which are edited one word at a time. A script of
//! ours, which the tool runs whenever it has made the menu, adds the entry without passthrough.

use passthru_formats::cmdline::{Change as WordChange, CommandLine};
use passthru_formats::error::Refused;
use passthru_formats::{limine, limine_defaults};
use passthru_model::boot::{BootEntry, LimineEntries};
use passthru_model::facts::InitramfsGenerator;
use passthru_model::intent::Intent;
use passthru_model::plan::{Action, Effect, Expectation, FileState, Step};
use passthru_model::program::Program;
use passthru_model::{HostFacts, managed};

use super::sourced::Sourced;
use super::written::TITLE;
use super::{BootLoader, Change, Copies, Passed, States, is_stale, passed, record, refused};
use crate::planner::iommu::{INTEL_ON, Parameters};
use crate::planner::{Reason, settings, texts};

/// The directories of drop-ins: of packages, and of the user.
const DROP_INS: [&str; 2] = ["/usr/share/limine-entry-tool.d/", "/etc/limine-entry-tool.d/"];
/// The kernel whose command line all those have that are given none of their own.
const DEFAULT: &str = "default";

/// The settings of limine-entry-tool, and what it makes of them.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    found: LimineEntries,
    files: Sourced,
    /// The last file that gives words.
    last: String,
    /// The words of all entries, as one line.
    line: String,
}

impl Settings {
    /// The settings as they stand.
    pub(super) fn of(facts: &HostFacts, found: &LimineEntries, reasons: &mut Vec<Reason>) -> Self {
        let [main, template] = managed::LIMINE_SETTINGS;
        let files = Sourced::of(facts, &[DROP_INS[0], template, DROP_INS[1], main], |_| false, reasons);
        let told = reasons.len();
        let line = files.value(&limine_defaults::variable(DEFAULT), reasons);
        let is_known = reasons.len() == told;
        let sets = |text: &str| !matches!(limine_defaults::read(text, DEFAULT), Ok(None));
        let last = files.last(sets).unwrap_or(main).to_owned();
        let found = Self { found: found.clone(), files, last, line };
        found.judge(facts, is_known, reasons);
        found
    }

    /// Adds what is in the way of changing these settings. `is_known`: the words are.
    fn judge(&self, facts: &HostFacts, is_known: bool, reasons: &mut Vec<Reason>) {
        let main = managed::LIMINE_SETTINGS[0];
        if !matches!(facts.initramfs.value(), Some(InitramfsGenerator::Mkinitcpio(_)) | None) {
            reasons.push(Reason::Initramfs(
                "limine-mkinitcpio makes the images that Limine starts, and another generator is in use here"
                    .to_owned(),
            ));
        }
        // Without words of its own the tool takes the running command line, and with any it takes these alone.
        let running = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
        let root = CommandLine::new(running).value("root");
        let has_root = !self.line.is_empty() && CommandLine::new(&self.line).value("root") == root;
        if is_known && !has_root {
            let error = Refused::whole(
                format!(
                    "KERNEL_CMDLINE[default] does not hold root={} as the running command line does, and entries made from it would not \
                     start this system",
                    root.unwrap_or_default()
                ),
                "write all words there that the system is started with (`cat /proc/cmdline`)",
            );
            reasons.push(refused(&self.last, error));
        }
        for (path, text) in self.files.files() {
            let kernels = limine_defaults::kernels(text).unwrap_or_default();
            for (kernel, line) in kernels.into_iter().filter(|(kernel, _)| kernel != DEFAULT) {
                let error = Refused {
                    line: Some(line),
                    reason: format!("‘{kernel}’ is given a command line of its own"),
                    cure: "take the line out, so that it is started with that of all kernels".to_owned(),
                };
                reasons.push(refused(path, error));
            }
        }
        for (name, what) in [
            (
                "ENABLE_UKI",
                "has the tool make unified kernel images, which passthru does not know yet how to change",
            ),
            (
                "ENABLE_ENROLL_LIMINE_CONFIG",
                "has a checksum of the menu written into Limine, which would not be written back by an undo",
            ),
        ] {
            if self.files.value(name, reasons) == "yes" {
                let error = Refused::whole(format!("{name} {what}"), "set it to no, and run `limine-update`");
                reasons.push(refused(main, error));
            }
        }
        if self.last.starts_with(DROP_INS[0]) {
            let error = Refused::whole(
                "it belongs to a package, and gives the command line",
                format!("set KERNEL_CMDLINE[default] in {main}"),
            );
            reasons.push(refused(&self.last, error));
        }
    }

    fn is_made(&self, entry: &BootEntry) -> bool {
        let kernel = entry.kernel.as_deref().and_then(limine::beside_menu);
        entry.path == self.found.menu
            && !entry.rescue
            && kernel.is_some_and(|kernel| LimineEntries::is_made(&self.found.machine_id, kernel))
    }
}

impl BootLoader for Settings {
    fn paths(&self) -> Vec<String> {
        self.files.paths()
    }

    fn lines(&self) -> Vec<String> {
        vec![self.line.clone()]
    }

    fn passed(&self, facts: &HostFacts, word: &str) -> Passed {
        // Snapshots keep the words that they were made with.
        let entries = facts.boot.entries.value().into_iter().flatten();
        let mut others = entries.filter(|entry| {
            !entry.kernel.as_deref().is_some_and(|kernel| kernel.contains("/limine_history/"))
        });
        match passed(facts, word, |entry| self.is_made(entry)) {
            Passed::ByOthers if !others.any(|entry| CommandLine::new(&entry.cmdline).has_word(word)) => {
                Passed::Never
            }
            passed => passed,
        }
    }

    fn elsewhere(&self, _: Passed) -> String {
        "an entry of the menu that limine-entry-tool does not make, or what was typed at the menu".to_owned()
    }

    fn edits(
        &self,
        facts: &HostFacts,
        _: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        self.files.changes(facts, needed, &self.last, edit, reasons)
    }

    fn withdrawals(&self, facts: &HostFacts) -> Vec<Change> {
        let gone = settings::withdrawn(facts);
        // What cannot be edited any more was edited by others since, and is theirs.
        self.files.changes(facts, &gone, &self.last, edit, &mut Vec::new())
    }

    fn own_files(&self, wanted: &Intent, needed: &Parameters) -> States {
        // It holds none of what is added, so that what is seen in the menu afterwards is the tool's.
        let words: Vec<&str> =
            std::iter::once(INTEL_ON).chain(needed.set.iter().map(String::as_str)).collect();
        let text = include_str!("limine-off.sh")
            .replace("@TITLE@", TITLE)
            .replace("@MENU@", &self.found.menu)
            .replace("@MACHINE@", &self.found.machine_id)
            .replace("@PARAMETERS@", &texts::off_parameters(wanted.method))
            .replace("@WORDS@", &words.join(" "));
        let entry = (managed::LIMINE_OFF_ENTRY, FileState::root_file(text, 0o755));
        std::iter::once(entry).chain(record(needed)).collect()
    }

    fn is_stale(&self, facts: &HostFacts, isolating: bool, needed: &Parameters) -> bool {
        let entries = || facts.boot.entries.value().into_iter().flatten();
        let mut off = entries().filter(|entry| entry.path == self.found.menu && entry.rescue);
        isolating
            && (off.next().is_none() || entries().any(|entry| self.is_made(entry) && is_stale(entry, needed)))
    }

    fn regenerate(&self, _: &HostFacts, isolating: bool, needed: &Parameters) -> Vec<Step> {
        // What goes may still stand in entries of snapshots, which keep what they were made with.
        let path = self.found.menu.clone();
        let mut needles = vec![format!("/{TITLE}")];
        let expect = if isolating {
            needles.extend(needed.added().map(str::to_owned));
            Expectation::Contains { path, needles }
        } else {
            Expectation::Lacks { path, needles }
        };
        vec![Step {
            id: "limine-entries".to_owned(),
            action: Action::Run {
                program: Program::LimineMkinitcpio,
                arguments: Vec::new(),
                rewrites: self.found.rewritten(),
                expect: vec![expect],
            },
            what: "rebuild the initramfs of each kernel beside Limine's menu, and make their entries anew"
                .to_owned(),
            why: "Limine starts what stands there, and checks it against hashes in the menu".to_owned(),
            effect: Effect::Reboot,
        }]
    }

    fn untried(&self) -> Option<&'static str> {
        Some("Limine with limine-entry-tool")
    }

    fn builds_images(&self) -> bool {
        true
    }

    fn copies(&self, _: &str) -> Option<Copies> {
        Some(Copies { images: self.found.images.clone(), rewritten: self.found.rewritten() })
    }

    fn about(&self, path: &str) -> Option<(&'static str, &'static str)> {
        self.files.paths().iter().any(|known| known == path).then_some((
            "change the words of limine-entry-tool's settings that come to the kernel",
            "it makes Limine's entries from them, now and at kernel updates",
        ))
    }
}

/// Changes one word of the command line of all kernels.
fn edit(text: &str, change: &WordChange) -> Result<String, Refused> {
    limine_defaults::edit(text, DEFAULT, change)
}
