//! NixOS, where entries, images, rules and units are all made of the system's configuration. What is ours is one module, which the
//! user imports there: nothing of the configuration is edited, and nothing is run.

use passthru_formats::cmdline::CommandLine;
use passthru_formats::nixos::{self, Module};
use passthru_model::intent::{Intent, Method};
use passthru_model::plan::FileState;
use passthru_model::{HostFacts, managed};

use super::{BootLoader, Change, Passed, States, passed, text_of, words_of};
use crate::planner::iommu::Parameters;
use crate::planner::{Reason, texts};

/// The command by which a person makes the system of its configuration.
pub(in crate::planner) const REBUILD: &str = "nixos-rebuild boot";
/// The entry without passthrough: NixOS makes one of every specialisation.
const OFF_ENTRY: &str = "without-passthrough";

/// The system as it runs, and our module.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    running: Vec<String>,
    /// The words that our module has.
    ours: Vec<String>,
}

impl Settings {
    /// As they stand.
    pub(super) fn of(facts: &HostFacts, reasons: &mut Vec<Reason>) -> Self {
        let text = text_of(facts, managed::NIXOS_MODULE, reasons).unwrap_or_default();
        let running = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
        Self { running: words_of(running), ours: nixos::kernel_params(text) }
    }
}

/// The lines of a file of ours that are no comments.
fn said(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The module.
fn module(facts: &HostFacts, wanted: &Intent, needed: &Parameters) -> String {
    let mut module = Module {
        kernel_params: needed.added().map(str::to_owned).collect(),
        initrd_kernel_modules: texts::modules(wanted.method).split(' ').map(str::to_owned).collect(),
        specialisation: Some((
            OFF_ENTRY,
            texts::off_parameters(wanted.method).split(' ').map(str::to_owned).collect(),
        )),
        ..Module::default()
    };
    if wanted.method == Method::Override {
        module.udev_lines = said(&texts::udev_rule(wanted, REBUILD));
        module.initrd_udev_lines.clone_from(&module.udev_lines);
    } else {
        module.modprobe_lines = said(&texts::modprobe(facts, wanted, REBUILD));
    }
    let mark = format!("{} {}", texts::MARK, texts::UNDO);
    module.render(&[
        &mark,
        &format!("By hand: remove this file, then `{REBUILD}`."),
        "",
        "configuration.nix imports it by these words behind its list, imports = [ … ]",
        &format!("  {IMPORT}"),
        "which do nothing once this file is gone. A flake reads no file beside itself: copy this one there, and import the copy.",
        "",
        "A driver in boot.initrd.kernelModules is loaded before all rules: take that of the devices below out there.",
    ])
}

/// What a configuration has behind the list of its imports, for it to import the module while it is there.
const IMPORT: &str =
    "++ lib.optional (builtins.pathExists /etc/passthru/passthru.nix) /etc/passthru/passthru.nix";

impl BootLoader for Settings {
    fn paths(&self) -> Vec<String> {
        vec![managed::NIXOS_MODULE.to_owned()]
    }

    fn has_ours(&self, token: &str) -> bool {
        self.ours.iter().any(|word| word == token)
    }

    /// Of the running system, for its configuration is a program that only Nix can run.
    fn words_elsewhere(&self) -> Vec<String> {
        self.running.iter().filter(|word| !self.ours.contains(word)).cloned().collect()
    }

    fn has_elsewhere(&self, token: &str) -> bool {
        CommandLine::new(&self.words_elsewhere().join(" ")).has_word(token)
    }

    fn passed(&self, facts: &HostFacts, word: &str) -> Passed {
        passed(facts, word, |_| false)
    }

    fn elsewhere(&self, _: Passed) -> String {
        "boot.kernelParams of the system's configuration, or a module that it imports".to_owned()
    }

    fn effective_parameters(&self) -> Vec<String> {
        self.ours.clone()
    }

    fn edits(&self, _: &HostFacts, _: &Intent, _: &Parameters, _: &mut Vec<Reason>) -> Vec<Change> {
        Vec::new()
    }

    fn whole_system(&self, facts: &HostFacts, wanted: &Intent, needed: &Parameters) -> Option<States> {
        let text = module(facts, wanted, needed);
        Some(States::from([(managed::NIXOS_MODULE, FileState::root_file(text, 0o644))]))
    }

    fn left_to_do(&self, isolating: bool) -> Option<String> {
        Some(if isolating {
            format!(
                "behind the list of imports in configuration.nix write, unless it is there, `{IMPORT}`; then run `{REBUILD}`, which this plan does not do"
            )
        } else {
            format!(
                "run `{REBUILD}` then, which this plan does not do; the words that import the module do nothing without it"
            )
        })
    }

    fn untried(&self) -> Option<&'static str> {
        Some("NixOS")
    }

    fn builds_images(&self) -> bool {
        true
    }
}
