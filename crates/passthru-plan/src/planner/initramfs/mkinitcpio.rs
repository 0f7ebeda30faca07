//! mkinitcpio: a hook of ours that puts our files into the image, named at the end of `HOOKS` by a drop-in where these are read,
//! and in the main file otherwise; and a script that runs ahead of udev where the init in the image is not systemd.

use passthru_formats::mkinitcpio::{self, List, appending};
use passthru_formats::shell::Place;
use passthru_model::facts::{Bootloader, Mkinitcpio};
use passthru_model::intent::{Intent, Method};
use passthru_model::plan::FileState;
use passthru_model::program::Program;
use passthru_model::{HostFacts, managed};

use super::{Build, Generator};
use crate::planner::loader::{Change, States, text_of};
use crate::planner::{Reason, texts};

/// The name of our hook.
const HOOK: &str = "passthru";
/// The script that puts our files into the image.
const INSTALL: &str = include_str!("mkinitcpio-install.sh");
/// The script ahead of udev.
const RUN: &str = include_str!("mkinitcpio-hook.sh");

/// The generator of Arch Linux and its kin.
pub(super) struct Settings {
    found: Mkinitcpio,
    /// The main file and then the drop-ins that are not ours, as far as they are text, each with its path.
    files: Vec<(String, String)>,
    /// The command by which a person has all images rebuilt.
    by_hand: &'static str,
}

impl Settings {
    /// The settings as they stand.
    pub(super) fn of(facts: &HostFacts, found: &Mkinitcpio) -> Self {
        let directory = "/etc/mkinitcpio.conf.d/";
        let drop_ins = facts.files.keys().filter(|path| {
            let name = path.strip_prefix(directory);
            found.drop_ins && **path != managed::MKINITCPIO_DROP_IN && name.is_some_and(mkinitcpio::is_read)
        });
        let paths = std::iter::once(managed::MKINITCPIO_CONF).chain(drop_ins.map(String::as_str));
        // What is in the way of reading them is said where they are to be edited.
        let text =
            |path: &str| text_of(facts, path, &mut Vec::new()).map(|text| (path.to_owned(), text.to_owned()));
        let by_hand = match facts.bootloader.value() {
            Some(Bootloader::LimineEntries(_)) => "limine-mkinitcpio",
            _ => "mkinitcpio -P",
        };
        Self { found: found.clone(), files: paths.filter_map(text).collect(), by_hand }
    }

    fn texts(&self) -> Vec<&str> {
        self.files.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The line of our drop-in.
    fn line(&self) -> String {
        appending(&self.texts(), List::Hooks, HOOK).unwrap_or_else(|_| format!("HOOKS+=({HOOK})\n"))
    }

    /// Checks that our hook is among the hooks, whether our drop-in is read before the others or after them.
    fn check(&self, reasons: &mut Vec<Reason>) {
        let own = self.line();
        let (main, others) = match self.texts().split_first() {
            Some((main, others)) => (vec![*main], others.to_vec()),
            None => (Vec::new(), Vec::new()),
        };
        // They are joined as they are: our line would be a part of another's last one.
        for (path, text) in self.files.iter().filter(|(_, text)| !text.is_empty() && !text.ends_with('\n')) {
            let last = text.lines().count();
            reasons.push(Reason::Settings {
                path: path.clone(),
                problem: format!("line {last}: the line break at the end is missing, and mkinitcpio joins its files as they are"),
            });
        }
        for order in [[main.clone(), vec![own.as_str()], others.clone()], [main, others, vec![own.as_str()]]]
        {
            match mkinitcpio::list(&order.concat(), List::Hooks) {
                Ok(hooks) if hooks.iter().any(|hook| hook == HOOK) => {}
                Ok(_) => {
                    let sets = |(_, text): &&(String, String)| {
                        mkinitcpio::list(&[text.as_str()], List::Hooks).is_ok_and(|hooks| !hooks.is_empty())
                    };
                    let path = self.files.iter().rev().find(sets).map(|(path, _)| path.clone());
                    reasons.push(Reason::Settings {
                        path: path.unwrap_or_else(|| managed::MKINITCPIO_CONF.to_owned()),
                        problem: format!(
                            "it sets HOOKS anew, so that ‘{HOOK}’ would be lost; let it add to HOOKS with +="
                        ),
                    });
                    return;
                }
                Err((index, error)) => {
                    let path = self.files.get(index.min(self.files.len().saturating_sub(1)));
                    reasons.push(Reason::Settings {
                        path: path
                            .map_or_else(|| managed::MKINITCPIO_CONF.to_owned(), |(path, _)| path.clone()),
                        problem: error.to_string(),
                    });
                    return;
                }
            }
        }
    }

    /// The change of the main file that brings our hook into it, or takes it out.
    fn edit(&self, facts: &HostFacts, new: impl Fn(&str) -> Option<String>) -> Option<Change> {
        let path = managed::MKINITCPIO_CONF;
        let (_, old) = self.files.iter().find(|(found, _)| found == path)?;
        let before = facts.files.get(path)?;
        Change::to(path, before, new(old)?)
    }
}

impl Generator for Settings {
    fn own_files(&self, wanted: &Intent) -> States {
        let install = INSTALL.replace("@MODULES@", texts::modules(wanted.method));
        let mut files = States::from([(managed::MKINITCPIO_INSTALL, FileState::root_file(install, 0o755))]);
        if self.found.drop_ins {
            let by_hand = format!("remove this file, then `{}`.", self.by_hand());
            let text = format!("{}{}", texts::head(&by_hand), self.line());
            files.insert(managed::MKINITCPIO_DROP_IN, FileState::root_file(text, 0o644));
        }
        if wanted.method == Method::Override {
            files.insert(managed::MKINITCPIO_HOOK, FileState::root_file(RUN, 0o755));
        }
        files
    }

    fn edits(&self, facts: &HostFacts, reasons: &mut Vec<Reason>) -> Vec<Change> {
        let path = managed::MKINITCPIO_CONF;
        let Some(text) = text_of(facts, path, reasons) else {
            if !facts.unreadable_files.contains_key(path) && facts.files.get(path) == Some(&FileState::Absent)
            {
                reasons.push(Reason::Settings {
                    path: path.to_owned(),
                    problem: "it is not there, and mkinitcpio makes no image without it".to_owned(),
                });
            }
            return Vec::new();
        };
        for (path, because) in &facts.unreadable_files {
            if self.found.drop_ins && path.starts_with("/etc/mkinitcpio.conf.d") {
                reasons.push(super::super::select::unreadable(facts, &format!("what {path} sets"), because));
            }
        }
        if self.found.drop_ins {
            self.check(reasons);
            return Vec::new();
        }
        match mkinitcpio::add(text, List::Hooks, HOOK, Place::Last) {
            Ok(new) => self.edit(facts, |_| Some(new.clone())).into_iter().collect(),
            Err(error) => {
                reasons.push(Reason::EditRefused { path: path.to_owned(), error });
                Vec::new()
            }
        }
    }

    fn withdrawals(&self, facts: &HostFacts) -> Vec<Change> {
        self.edit(facts, |old| mkinitcpio::remove(old, List::Hooks, HOOK).ok()).into_iter().collect()
    }

    fn in_image(&self) -> &'static [(&'static str, &'static str)] {
        &[
            (managed::DEVICES, "etc/passthru/devices"),
            (managed::EARLY, "etc/passthru/early"),
            (managed::MKINITCPIO_HOOK, "hooks/passthru"),
            (managed::UDEV_RULE, "rules.d/10-passthru.rules"),
            (managed::EARLY_UNIT, "etc/systemd/system/passthru-early.service"),
            (managed::EARLY_WANT, "sysinit.target.wants/passthru-early.service"),
            (managed::MODPROBE, "etc/modprobe.d/passthru.conf"),
        ]
    }

    fn by_hand(&self) -> &'static str {
        self.by_hand
    }

    /// By the preset that makes the image, all images of it; an image that no preset makes by itself.
    fn build(&self, release: &str, image: &str) -> Option<Build> {
        let makes = |images: &[String]| images.iter().any(|one| one == image);
        let preset = self.found.presets.iter().find(|preset| makes(&preset.images));
        let mut images = vec![image.to_owned()];
        let arguments = match preset {
            Some(preset) => {
                images.extend(preset.images.iter().filter(|one| *one != image).cloned());
                vec!["-p".to_owned(), preset.name.clone()]
            }
            None => ["-k", release, "-g", image].map(str::to_owned).to_vec(),
        };
        Some(Build { program: Program::Mkinitcpio, arguments, images, rewrites: Vec::new() })
    }

    fn untried(&self, _unified: bool) -> Option<&'static str> {
        Some("mkinitcpio")
    }
}
