//! systemd-boot with what kernel-install(8) makes for it: boot entries and copies of the images, or unified kernel images.
//! Both take the kernel command line from `/etc/kernel/cmdline`, edited one word at a time.

use std::fmt::Write as _;

use passthru_model::boot::{BootEntry, KernelInstall, Layout, MadeEntry};
use passthru_model::intent::Intent;
use passthru_model::plan::{Action, Effect, Expectation, FileState, Step};
use passthru_model::program::Program;
use passthru_model::{HostFacts, managed};

use super::kernel_cmdline::KernelCmdline;
use super::{BootLoader, Change, Passed, States, expected, is_stale, passed, record};
use crate::planner::iommu::Parameters;
use crate::planner::{Reason, texts};

/// kernel-install's settings, and what it has made of them.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    found: KernelInstall,
    cmdline: KernelCmdline,
}

impl Settings {
    /// The settings as they stand.
    pub(super) fn of(facts: &HostFacts, found: &KernelInstall, reasons: &mut Vec<Reason>) -> Self {
        let cmdline = KernelCmdline::of(facts, reasons);
        if found.layout == Layout::Unified && facts.firmware.secure_boot.value() == Some(&Some(true)) {
            reasons.push(Reason::SecureBootImage);
        }
        Self { found: found.clone(), cmdline }
    }

    /// Whether kernel-install made an entry, other than those that leave passthrough out.
    fn is_made(&self, entry: &BootEntry) -> bool {
        self.found.kernels.iter().any(|kernel| kernel.path == entry.path)
    }

    /// Everything that making the entry of a kernel anew rewrites. Besides the copies that it names now these may be the ones
    /// of a generator that was not there before: dracut's plugin makes `initrd`, Debian's copies the image by its own name.
    fn rewritten(&self, kernel: &MadeEntry) -> Vec<String> {
        let release = &kernel.release;
        let mut paths = vec![kernel.path.clone(), self.found.off_entry(release)];
        paths.extend(kernel.parts.iter().cloned());
        if self.found.layout == Layout::Entries {
            let directory = format!("{}/{}/{release}", self.found.root, self.found.token);
            for name in ["initrd".to_owned(), format!("initrd.img-{release}")] {
                let path = format!("{directory}/{name}");
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        paths
    }
}

impl BootLoader for Settings {
    fn paths(&self) -> Vec<String> {
        vec![managed::KERNEL_CMDLINE.to_owned()]
    }

    fn lines(&self) -> Vec<String> {
        vec![self.cmdline.line()]
    }

    fn passed(&self, facts: &HostFacts, word: &str) -> Passed {
        passed(facts, word, |entry| self.is_made(entry))
    }

    fn elsewhere(&self, _: Passed) -> String {
        "a boot entry that kernel-install does not make, or what was typed at the boot menu".to_owned()
    }

    fn effective_parameters(&self) -> Vec<String> {
        self.cmdline.effective_parameters()
    }

    fn edits(
        &self,
        facts: &HostFacts,
        _: &Intent,
        needed: &Parameters,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        self.cmdline.edits(facts, needed, reasons).into_iter().collect()
    }

    fn withdrawals(&self, facts: &HostFacts) -> Vec<Change> {
        self.cmdline.withdrawals(facts).into_iter().collect()
    }

    fn own_files(&self, wanted: &Intent, needed: &Parameters) -> States {
        let text = include_str!("kernel-install-off.sh")
            .replace("@SETTINGS@", &without(&needed.set))
            .replace("@PARAMETERS@", &texts::off_parameters(wanted.method));
        let plugin = (managed::KERNEL_INSTALL_OFF, FileState::root_file(text, 0o755));
        std::iter::once(plugin).chain(record(needed)).collect()
    }

    fn is_stale(&self, facts: &HostFacts, isolating: bool, needed: &Parameters) -> bool {
        let off = |kernel: &MadeEntry| facts.files.contains_key(&self.found.off_entry(&kernel.release));
        if isolating && !self.found.kernels.iter().all(off) {
            return true;
        }
        let mut entries = facts.boot.entries.value().into_iter().flatten();
        isolating && entries.any(|entry| self.is_made(entry) && is_stale(entry, needed))
    }

    fn regenerate(&self, _: &HostFacts, isolating: bool, needed: &Parameters) -> Vec<Step> {
        let made = |kernel: &MadeEntry| {
            let mut expect = Vec::new();
            if isolating {
                let needles = vec!["passthru.off".to_owned()];
                expect.push(Expectation::Contains { path: self.found.off_entry(&kernel.release), needles });
                expect.extend(expected(&kernel.path, needed));
            }
            let release = &kernel.release;
            Step {
                id: format!("boot-entry-{release}"),
                action: Action::Run {
                    program: Program::KernelInstall,
                    arguments: ["add", release, &kernel.image].map(str::to_owned).to_vec(),
                    rewrites: self.rewritten(kernel),
                    expect,
                },
                what: match self.found.layout {
                    Layout::Entries => format!("make the boot entry of kernel {release} anew"),
                    Layout::Unified => format!("make the unified image of kernel {release} anew"),
                },
                why: "systemd-boot starts the copies on its own partition, not what they are made from"
                    .to_owned(),
                effect: Effect::Reboot,
            }
        };
        self.found.kernels.iter().map(made).collect()
    }

    fn is_unified(&self) -> bool {
        self.found.layout == Layout::Unified
    }

    fn copies(&self, release: &str) -> Option<super::Copies> {
        let kernel = self.found.kernels.iter().find(|kernel| kernel.release == release)?;
        let images = match self.found.layout {
            Layout::Unified => vec![kernel.path.clone()],
            Layout::Entries => {
                let is_initrd =
                    |path: &&String| path.rsplit('/').next().is_some_and(|name| name.starts_with("initrd"));
                kernel.parts.iter().filter(is_initrd).cloned().collect()
            }
        };
        Some(super::Copies { images, rewritten: self.rewritten(kernel) })
    }
}

/// What the plugin puts behind what makes an entry, so that words are not on its command line.
pub(super) fn without(words: &[String]) -> String {
    if words.is_empty() {
        return String::new();
    }
    let mut text = " | sed".to_owned();
    for word in words {
        let word = word.replace('.', "\\.");
        let _ = write!(text, " \\\n    -e '/^options/s/ {word} / /' -e '/^options/s/ {word}$//'");
    }
    text
}
