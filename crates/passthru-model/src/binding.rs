//! What the files of a host say about which driver gets which device at boot: modprobe.d(5), lists of modules, settings of
//! initramfs generators, and what the images hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::PciAddress;
use crate::fact::Fact;

/// One command of modprobe.d(5), with dashes of module names made underscores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModprobeCommand {
    /// `options MODULE TEXT…`: the parameters that a module is loaded with.
    Options {
        /// The module.
        module: String,
        /// Its parameters, as they are written.
        parameters: Vec<String>,
    },
    /// `install MODULE COMMAND…`: run instead of loading the module.
    Install {
        /// The module.
        module: String,
        /// The shell command.
        command: String,
    },
    /// `softdep MODULE pre: … post: …`: loaded before and after the module where they can be.
    Softdep {
        /// The module.
        module: String,
        /// What is loaded first.
        pre: Vec<String>,
        /// What is loaded afterwards.
        post: Vec<String>,
    },
    /// `blacklist MODULE`: its own aliases load it no more.
    Blacklist {
        /// The module.
        module: String,
    },
    /// `alias`, `remove`, `weakdep`: read, and of no matter to passthrough.
    Other,
}

impl ModprobeCommand {
    /// The module that it is about; none for the rest.
    pub fn module(&self) -> Option<&str> {
        match self {
            Self::Options { module, .. }
            | Self::Install { module, .. }
            | Self::Softdep { module, .. }
            | Self::Blacklist { module } => Some(module),
            Self::Other => None,
        }
    }
}

impl ModprobeCommand {
    /// Whether it is about a module, or has it loaded before or after another.
    pub fn names(&self, wanted: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|module| module == wanted);
        self.module() == Some(wanted)
            || matches!(self, Self::Softdep { pre, post, .. } if listed(pre) || listed(post))
    }
}

/// One thing said in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said<T> {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What it says.
    pub what: T,
}

impl<T> Said<T> {
    /// The place as people write it: `FILE:LINE`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.path, self.line)
    }
}

/// The settings of modprobe, as modprobe itself reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModprobeSettings {
    /// The commands in the order in which they count; of a parameter that is set twice, the last one holds.
    pub commands: Vec<Said<ModprobeCommand>>,
    /// Lines that are commented out and would otherwise be about vfio-pci.
    pub commented: Vec<Said<String>>,
    /// Lines that modprobe does not understand and passes over.
    pub misunderstood: Vec<Said<String>>,
    /// Files that another of the same name, in a directory that counts more, stands for: the hidden one, and who hides it.
    pub hidden: BTreeMap<String, String>,
    /// Files in these directories that modprobe does not read for their names do not end in `.conf`.
    pub passed_over: Vec<String>,
    /// The files that name vfio-pci, with what they say, for comparing with copies in an initramfs.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl ModprobeSettings {
    /// All commands about a module.
    pub fn about<'a>(&'a self, module: &'a str) -> impl Iterator<Item = &'a Said<ModprobeCommand>> {
        self.commands.iter().filter(move |said| said.what.module() == Some(module))
    }
}

/// A module that a list names.
pub type Listed = Said<String>;

/// A program that makes an initramfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generator {
    /// initramfs-tools of Debian and Ubuntu.
    InitramfsTools,
    /// mkinitcpio of Arch.
    Mkinitcpio,
    /// dracut of Fedora, SUSE and others.
    Dracut,
    /// booster.
    Booster,
}

impl Generator {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::InitramfsTools => "initramfs-tools",
            Self::Mkinitcpio => "mkinitcpio",
            Self::Dracut => "dracut",
            Self::Booster => "booster",
        }
    }

    /// The command that makes all images anew.
    pub fn rebuild(self) -> &'static str {
        match self {
            Self::InitramfsTools => "update-initramfs -u -k all",
            Self::Mkinitcpio => "mkinitcpio -P",
            Self::Dracut => "dracut -f --regenerate-all",
            Self::Booster => "/usr/lib/booster/regenerate_images",
        }
    }
}

/// What a generator of initramfs images is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitramfsSettings {
    /// Whose settings these are.
    pub generator: Generator,
    /// Whether its program is installed (settings stay behind when a package goes).
    pub installed: bool,
    /// The modules to put in, in order.
    pub modules: Vec<Listed>,
    /// mkinitcpio's `HOOKS`, in order; `None` for the others, and where they could not be told.
    pub hooks: Option<Vec<String>>,
    /// Files to put in: mkinitcpio's `FILES`, dracut's `install_items`.
    pub files: Vec<Listed>,
    /// What could not be told from the files without running them, a line each.
    pub problems: Vec<String>,
}

/// What the initramfs of one kernel holds, as far as passthrough cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageContents {
    /// The release of the kernel that it belongs to.
    pub release: String,
    /// The image.
    pub path: String,
    /// The modules in it, with underscores.
    pub modules: BTreeSet<String>,
    /// The files of modprobe.d in it, by file name.
    pub modprobe: BTreeMap<String, Vec<u8>>,
    /// Files of passthru's own in it, by path without a leading slash.
    pub own: BTreeSet<String>,
    /// How many files there are.
    pub entries: usize,
}

/// When images and the settings that they hold were changed last, in seconds since 1970, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageTimes {
    /// The initramfs images of the installed kernels.
    pub images: BTreeMap<String, i64>,
    /// Files of settings that go into them or say what does.
    pub settings: BTreeMap<String, i64>,
}

/// A script that marks devices for vfio-pci, as the page has one for identical cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideScript {
    /// Its path.
    pub path: String,
    /// The line of modprobe.d that runs it.
    pub run_by: String,
    /// What it says; `None`: it is not there.
    pub text: Option<String>,
    /// Whether somebody may run it; `None` where its mode could not be seen.
    pub executable: Option<bool>,
}

/// Everything known of binding at boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingFacts {
    /// modprobe.d.
    pub modprobe: Fact<ModprobeSettings>,
    /// modules-load.d(5) and `/etc/modules`: loaded by name once the root is there.
    pub modules_load: Fact<Vec<Listed>>,
    /// The settings of every generator that has some.
    pub initramfs: Fact<Vec<InitramfsSettings>>,
    /// The scripts that `install vfio-pci …` rules run.
    pub scripts: Fact<Vec<OverrideScript>>,
    /// driverctl's own files: the driver that each function is given, by address.
    pub driverctl: Fact<BTreeMap<PciAddress, String>>,
}

impl BindingFacts {
    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            modprobe: Fact::unknown(because),
            modules_load: Fact::unknown(because),
            initramfs: Fact::unknown(because),
            scripts: Fact::unknown(because),
            driverctl: Fact::unknown(because),
        }
    }
}
