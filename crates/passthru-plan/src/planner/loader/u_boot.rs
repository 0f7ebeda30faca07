//! U-Boot with the menu that Debian's u-boot-update makes from shell settings, which are edited one word at a time. A file of ours
//! among them adds the entry without passthrough whenever the menu is made.

use passthru_formats::error::Refused;
use passthru_formats::{boot_entries, u_boot_menu};
use passthru_model::boot::BootEntry;
use passthru_model::intent::Intent;
use passthru_model::plan::{Action, Effect, Expectation, FileState, Step};
use passthru_model::program::Program;
use passthru_model::{HostFacts, managed};

use super::kernel_cmdline::KernelCmdline;
use super::sourced::Sourced;
use super::{BootLoader, Change, Passed, States, expected, is_stale, passed, record, refused};
use crate::planner::iommu::Parameters;
use crate::planner::{Reason, settings, texts};

/// The menu that it makes.
const MENU: &str = managed::SYSLINUX[1];
/// The directories of drop-ins, in the order in which they are read after the main file.
const DROP_INS: [&str; 2] = ["/usr/share/u-boot-menu/conf.d/", "/etc/u-boot-menu/conf.d/"];
/// Whether anything is made at all.
const UPDATE: &str = "U_BOOT_UPDATE";

/// Where the words come from.
#[derive(Clone, Debug)]
enum Source {
    /// The settings, of which the last file that sets them is this one.
    Settings(String),
    /// `/etc/kernel/cmdline`, which is read where the settings give none.
    KernelCmdline(KernelCmdline),
}

/// u-boot-update's settings.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    files: Sourced,
    source: Source,
    /// The words of all entries, as one line.
    line: String,
}

impl Settings {
    /// The settings as they stand.
    pub(super) fn of(facts: &HostFacts, reasons: &mut Vec<Reason>) -> Self {
        let paths = [managed::U_BOOT_DEFAULTS, DROP_INS[0], DROP_INS[1]];
        let files = Sourced::of(facts, &paths, |path| path == managed::U_BOOT_OFF_ENTRY, reasons);
        let set = files.value(u_boot_menu::PARAMETERS, reasons);
        let update = files.value(UPDATE, reasons);
        if !matches!(update.as_str(), "" | "true") {
            let error = Refused::whole(
                format!("{UPDATE} has u-boot-update make no menu"),
                "set it to true, or take the line out",
            );
            reasons.push(refused(managed::U_BOOT_DEFAULTS, error));
        }
        let has_cmdline = matches!(facts.files.get(managed::KERNEL_CMDLINE), Some(FileState::File { .. }));
        if set.is_empty() && has_cmdline {
            let cmdline = KernelCmdline::of(facts, reasons);
            let line = cmdline.line();
            return Self { files, source: Source::KernelCmdline(cmdline), line };
        }
        let last = files.last(u_boot_menu::sets_parameters).unwrap_or(managed::U_BOOT_DEFAULTS).to_owned();
        if last.starts_with(DROP_INS[0]) {
            let error = Refused::whole(
                format!("it belongs to a package, and sets {}", u_boot_menu::PARAMETERS),
                format!("set that in a file in {}", DROP_INS[1]),
            );
            reasons.push(refused(&last, error));
        }
        let line = if set.is_empty() { u_boot_menu::BUILT_IN.to_owned() } else { set };
        Self { files, source: Source::Settings(last), line }
    }

    /// The entries of the menu.
    fn menu(facts: &HostFacts) -> Vec<BootEntry> {
        let bytes = facts.files.get(MENU).and_then(FileState::content).unwrap_or_default();
        boot_entries::syslinux(MENU, bytes)
    }
}

impl BootLoader for Settings {
    fn paths(&self) -> Vec<String> {
        match &self.source {
            Source::KernelCmdline(_) => vec![managed::KERNEL_CMDLINE.to_owned()],
            Source::Settings(_) => self.files.paths(),
        }
    }

    fn lines(&self) -> Vec<String> {
        vec![self.line.clone()]
    }

    fn passed(&self, facts: &HostFacts, word: &str) -> Passed {
        passed(facts, word, |entry| entry.path == MENU)
    }

    fn elsewhere(&self, _: Passed) -> String {
        "U_BOOT_ROOT in the same settings, the variables of U-Boot, or what was typed there".to_owned()
    }

    fn edits(
        &self,
        facts: &HostFacts,
        _: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        match &self.source {
            Source::KernelCmdline(cmdline) => cmdline.edits(facts, needed, reasons).into_iter().collect(),
            Source::Settings(last) => self.files.changes(facts, needed, last, u_boot_menu::edit, reasons),
        }
    }

    fn withdrawals(&self, facts: &HostFacts) -> Vec<Change> {
        let gone = settings::withdrawn(facts);
        match &self.source {
            Source::KernelCmdline(cmdline) => cmdline.withdrawals(facts).into_iter().collect(),
            // What cannot be edited any more was edited by others since, and is theirs.
            Source::Settings(last) => {
                self.files.changes(facts, &gone, last, u_boot_menu::edit, &mut Vec::new())
            }
        }
    }

    fn own_files(&self, wanted: &Intent, needed: &Parameters) -> States {
        let text = include_str!("u-boot-off.sh")
            .replace("@PARAMETERS@", &texts::off_parameters(wanted.method))
            .replace("@WORDS@", &needed.set.join(" "));
        let entry = (managed::U_BOOT_OFF_ENTRY, FileState::root_file(text, 0o644));
        std::iter::once(entry).chain(record(needed)).collect()
    }

    fn is_stale(&self, facts: &HostFacts, isolating: bool, needed: &Parameters) -> bool {
        let menu = Self::menu(facts);
        let off = menu.iter().any(|entry| entry.rescue);
        off != isolating
            || (isolating && menu.iter().filter(|entry| !entry.rescue).any(|entry| is_stale(entry, needed)))
    }

    fn regenerate(&self, _: &HostFacts, isolating: bool, needed: &Parameters) -> Vec<Step> {
        let entry = || vec!["label passthru-off".to_owned()];
        let mut expect = Vec::new();
        if isolating {
            expect.push(Expectation::Contains { path: MENU.to_owned(), needles: entry() });
            expect.extend(expected(MENU, needed));
        } else {
            expect.push(Expectation::Lacks { path: MENU.to_owned(), needles: entry() });
        }
        vec![Step {
            id: "u-boot-menu".to_owned(),
            action: Action::Run {
                program: Program::UBootUpdate,
                arguments: Vec::new(),
                rewrites: vec![MENU.to_owned()],
                expect,
            },
            what: "make the menu of U-Boot anew".to_owned(),
            why: "U-Boot reads the menu, not the settings it is made from".to_owned(),
            effect: Effect::Reboot,
        }]
    }

    fn untried(&self) -> Option<&'static str> {
        Some("U-Boot with the menu of u-boot-update")
    }

    fn about(&self, path: &str) -> Option<(&'static str, &'static str)> {
        self.files.paths().iter().any(|known| known == path).then_some((
            "change the words of u-boot-update's settings that come to the kernel",
            "u-boot-update makes the menu from them, now and at kernel updates",
        ))
    }
}
