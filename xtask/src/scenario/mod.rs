//! Scenarios: what is done to a machine and what must hold, read from `lab/scenarios`.

mod builtin;
pub mod captures;
mod judge;
mod manifest;
pub mod predicted;
mod rescue;
pub mod run;
mod steps;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::image::Variant;
use crate::paths;

/// One scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    /// What it shows, in one sentence.
    pub description: String,
    /// What kind of machine it needs.
    pub size: Size,
    /// Words to choose scenarios by; `smoke` is part of the test command.
    #[serde(default)]
    pub tags: Vec<String>,
    /// How the lab host boots.
    #[serde(default)]
    pub image: Variant,
    /// Files in `lab/machines`; the steps are run on each of them.
    pub machines: Vec<String>,
    /// The steps in order.
    pub step: Vec<Step>,
}

/// What kind of machine a scenario needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// A whole Debian, booted through OVMF and GRUB.
    Distribution,
    /// A kernel with a small initramfs.
    Fast,
}

/// One step: exactly one thing done or looked at, and what must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// A heading: begins a part of the scenario.
    pub say: Option<String>,
    /// Runs a program.
    pub run: Option<Vec<String>>,
    /// Boots again.
    pub reboot: Option<Reboot>,
    /// Drivers by PCI address, as sysfs shows them; `none` for no driver.
    pub driver: Option<BTreeMap<String, String>>,
    /// Words that must be on the kernel command line.
    pub cmdline_has: Option<Vec<String>>,
    /// Words that must not be.
    pub cmdline_lacks: Option<Vec<String>>,
    /// `save NAME` or `equals NAME`: every file of the system, its content, mode and owner.
    pub file_manifest: Option<String>,
    /// What the kernel's log must say.
    pub kernel_log: Option<KernelLog>,
    /// Writes a file.
    pub write_file: Option<WriteFile>,
    /// Captures the host, redacted, and keeps the archive under this name.
    pub capture: Option<String>,
    /// Beside `capture`: a directory that is taken for the root, as by `chroot`.
    pub root: Option<String>,
    /// Beside `capture`: an archive that is there, made by a guest in the machine, which is kept instead.
    pub file: Option<String>,
    /// A check in Rust, by itself or of what `run` printed.
    pub builtin: Option<String>,

    /// The exit status that `run` must have; 0 if absent.
    pub exit: Option<i32>,
    /// Pieces of text that standard output must contain.
    #[serde(default)]
    pub stdout_contains: Vec<String>,
    /// Pieces of text that standard output must not contain.
    #[serde(default)]
    pub stdout_lacks: Vec<String>,
    /// Pieces of text that standard error must contain.
    #[serde(default)]
    pub stderr_contains: Vec<String>,
    /// Pieces of text that standard error must not contain.
    #[serde(default)]
    pub stderr_lacks: Vec<String>,
    /// Values that must be in standard output, read as JSON.
    #[serde(default)]
    pub json: OneOrMany<JsonCheck>,
    /// Seconds that `run` may take; 120 if absent.
    pub limit: Option<u64>,
}

/// How to boot again.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reboot {
    /// The id or title of an entry of GRUB's menu, for this one boot.
    pub boot_entry: Option<String>,
    /// Another machine of `lab/machines`: for the same disk, or a fast machine from nothing.
    pub machine: Option<String>,
    /// A fast machine with a disk: it boots with the disk of this system, until the next reboot.
    pub rescue: Option<String>,
    /// Beside `machine`: more words for the kernel command line of a fast machine.
    #[serde(default)]
    pub kernel_args: Vec<String>,
}

/// What the kernel's log must say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelLog {
    /// Pieces of text that must appear in this order.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Pieces of text that must not appear.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// The first driver that ever probed a device.
    #[serde(default)]
    pub probed_first: BTreeMap<String, String>,
}

/// A file to be written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteFile {
    /// Its absolute path, in a directory that is there.
    pub path: String,
    /// Its content.
    pub text: String,
    /// Its permission bits in octal; 0644 if absent.
    pub mode: Option<String>,
    /// Adds to what is there instead of replacing it.
    #[serde(default)]
    pub append: bool,
}

/// A value that must be in a JSON document.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonCheck {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What must be there.
    pub equals: Option<toml::Value>,
    /// How many elements the array or object there must have.
    pub length: Option<usize>,
}

/// `key = { … }` or `key = [{ … }, { … }]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// Just one.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Scenario {
    /// Reads one scenario file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut scenario: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
        scenario.name = name;
        for (index, step) in scenario.step.iter().enumerate() {
            step.valid().with_context(|| format!("{}, step {}", path.display(), index + 1))?;
            let Some(reboot) = &step.reboot else { continue };
            let place = || format!("{}, step {}", path.display(), index + 1);
            match scenario.size {
                Size::Distribution => ensure!(
                    reboot.kernel_args.is_empty(),
                    "{}: a distribution takes its command line from its boot loader",
                    place()
                ),
                Size::Fast => ensure!(
                    reboot.machine.is_some() && reboot.boot_entry.is_none(),
                    "{}: a fast machine has nothing to reboot into, but for a machine of lab/machines",
                    place()
                ),
            }
        }
        Ok(scenario)
    }

    /// Reads all scenarios, sorted by name.
    pub fn all() -> Result<Vec<Self>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(paths::lab().join("scenarios"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                files.push(path);
            }
        }
        files.sort();
        files.iter().map(|path| Self::read(path)).collect()
    }

    /// The scenario of this name.
    pub fn named(name: &str) -> Result<Self> {
        let path = paths::lab().join("scenarios").join(format!("{name}.toml"));
        if !path.exists() {
            bail!("no scenario is called {name}; `cargo xtask lab list` shows them");
        }
        Self::read(&path)
    }
}

impl Step {
    fn valid(&self) -> Result<()> {
        let looks_at_cmdline = self.cmdline_has.is_some() || self.cmdline_lacks.is_some();
        let actions = [
            self.run.is_some(),
            self.reboot.is_some(),
            self.driver.is_some(),
            looks_at_cmdline,
            self.file_manifest.is_some(),
            self.kernel_log.is_some(),
            self.write_file.is_some(),
            self.capture.is_some(),
            self.builtin.is_some() && self.run.is_none(),
        ];
        match actions.iter().filter(|there| **there).count() {
            0 => bail!("nothing to do: a step has one of run, reboot, driver, cmdline_has, …"),
            1 => {}
            _ => bail!("more than one thing to do: make it several steps"),
        }
        let judges_output = self.exit.is_some()
            || self.limit.is_some()
            || !self.stdout_contains.is_empty()
            || !self.stdout_lacks.is_empty()
            || !self.stderr_contains.is_empty()
            || !self.stderr_lacks.is_empty()
            || !self.json.all().is_empty();
        ensure!(
            !judges_output || self.run.is_some(),
            "exit, limit, stdout_…, stderr_… and json belong to run"
        );
        if let Some(reboot) = &self.reboot {
            ensure!(
                [&reboot.boot_entry, &reboot.machine, &reboot.rescue].into_iter().flatten().count() < 2,
                "boot_entry, machine and rescue do not go together: make it two reboots"
            );
            ensure!(
                reboot.kernel_args.is_empty() || reboot.machine.is_some(),
                "kernel_args go with a machine"
            );
        }
        ensure!(
            (self.root.is_none() && self.file.is_none()) || self.capture.is_some(),
            "root and file belong to capture"
        );
        ensure!(self.root.is_none() || self.file.is_none(), "root and file do not go together");
        if let Some(name) = &self.builtin {
            builtin::find(name)?;
        }
        Ok(())
    }
}
