//! The command line: what can be said. The order here is the order of the help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use passthru_model::PciAddress;
use passthru_plan::predict::AcsOverride;

mod change;
mod guest;
mod machine;
mod rom;
mod run_time;

pub use change::{
    Agreement, ApplyArguments, BootChain, HistoryArguments, Insist, IsolateArguments, MethodChoice,
    MountedRoot, PlanArguments, ReleaseArguments, StatusArguments, UndoArguments, VerifyArguments,
};
pub use guest::{
    DisplayChoice, GuestCheckArguments, GuestCommand, GuestExportArguments, GuestFormat, GuestHookArguments,
    GuestImportArguments, GuestName, GuestNewArguments, GuestShowArguments, GuestStartArguments,
    GuestStopArguments, LibvirtHookArguments, NetworkChoice, OsChoice,
};
pub use machine::{PreferChoice, ThreadsChoice, TopologyArguments};
pub use rom::{RomCheckArguments, RomCommand, RomDumpArguments};
pub use run_time::{BindArguments, UnbindArguments};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a check failed, or the answer is no
  2  wrong use
  3  refused for safety; the message names the flag that would insist, if one exists
  4  the host changed since the plan was made; nothing was done
  5  a program that was run failed; what was done has been rolled back
  6  rolled back only in part; the message has the commands to finish";

/// Take PCI passthrough via OVMF from a plain host to a guest that has the device, and back
#[derive(Debug, Parser)]
#[command(name = "passthru", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(help_expected = true, disable_help_subcommand = true, propagate_version = true)]
pub struct Arguments {
    /// What to do; without one: status
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Look at this host instead: a capture file, an unpacked capture or a mounted root
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    pub host: Option<PathBuf>,

    /// Print JSON for programs instead of text for people
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,

    /// When to use colour (NO_COLOR is honoured too)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    pub color: ColorWhen,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Even where the output is no terminal
    Always,
    /// Not at all
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show on one screen what is ready, what blocks, and the next step
    #[command(
        after_help = "With --root, of a system that is mounted from a rescue system: what passthru has set up in it, and how to take it back.\n\n\
                      Example:\n  passthru status\n  passthru --host machine.tar.gz status\n  passthru status --root /mnt"
    )]
    Status(StatusArguments),

    /// Run every check, or the named ones, with evidence and remedy
    #[command(
        after_help = "Example:\n  passthru doctor\n  passthru doctor iommu-enabled ovmf\n  passthru doctor --list"
    )]
    Doctor(DoctorArguments),

    /// Show the IOMMU groups: what can be passed, what must go with it, and why
    #[command(
        after_help = "Without an option, the groups are the kernel’s own. --predict works them out from configuration space by\n\
                      the kernel’s rules, also where the IOMMU is off, and explains every difference from the real ones.\n\
                      It needs root: without, the kernel shows 64 bytes of configuration space, and much stays uncertain.\n\n\
                      Example:\n  passthru groups\n  passthru groups 06:00.0\n  passthru groups --json\n  \
                      passthru groups --why 06:00.0\n  passthru groups --predict\n  \
                      passthru groups --predict --acs-override=downstream,multifunction"
    )]
    Groups(GroupsArguments),

    /// Show which USB ports and devices hang on which controller and IOMMU group, and which has the keyboard
    #[command(after_help = "A whole controller goes to a guest; what is plugged into it goes with it.\n\n\
                      Example:\n  passthru usb\n  passthru usb --json")]
    Usb,

    /// Show how the processors are built, where devices hang, and which CPUs a guest would be pinned to
    #[command(
        after_help = "Guests get whole cores, in one L3 domain where it fits, near the device; the host keeps CPU 0’s core.\n\n\
                      Example:\n  passthru topology\n  passthru topology --vcpus 8 --device 06:00.0\n  \
                      passthru topology --vcpus 4 --threads one-per-core"
    )]
    Topology(TopologyArguments),

    /// Look into option ROMs, and read them
    #[command(subcommand, after_help = "Example:\n  passthru rom check card.rom --device 06:00.0")]
    Rom(RomCommand),

    /// Isolate functions at boot, so that a guest can have them
    #[command(
        after_help = "The whole card goes: sibling functions in the same slot are added, and the plan says so.\n\
                      The plan is shown first, with every difference. Nothing is written before you agree.\n\n\
                      What was set up for guests by ids, pci-stub, lists of modules, driverctl or a script is named; --adopt takes it over,\n\
                      and `passthru undo` brings it back as it was.\n\n\
                      Example:\n  passthru isolate 06:00.0\n  passthru isolate 06:00.0 --dry-run\n  passthru isolate --adopt\n  \
                      passthru isolate 06:00.0 --hugepages 1G=16 --isolated-cpus 2-7,10-15"
    )]
    Isolate(IsolateArguments),

    /// Give isolated functions back to their own drivers at boot
    #[command(after_help = "Example:\n  passthru release 06:00.0\n  passthru release --all")]
    Release(ReleaseArguments),

    /// Give functions to vfio-pci now, until the next boot, so that a guest can have them
    #[command(
        after_help = "Nothing is written to a file but the journal: a reboot takes it back by itself, and `passthru undo` at once.\n\
                      The whole card goes. What the host uses is refused, and so is what a program has open: its driver could\n\
                      not let go. A driver that hangs all the same is left alone after a minute, and only a reboot frees it.\n\n\
                      Example:\n  passthru bind 06:00.0\n  passthru bind 06:00.0 --dry-run\n  \
                      passthru bind 81:00.2 --driver mlx5_vfio_pci"
    )]
    Bind(BindArguments),

    /// Give functions back from vfio-pci to the host’s own drivers now
    #[command(
        after_help = "Refused while a guest has one of them.\n\nExample:\n  passthru unbind 06:00.0\n  passthru unbind 06:00.0 --yes"
    )]
    Unbind(UnbindArguments),

    /// Show the steps that would bring this host to the intent in /etc/passthru/passthru.toml
    #[command(
        after_help = "Writes nothing but the file named by --output.\n\nExample:\n  passthru plan\n  passthru plan -o plan.json"
    )]
    Plan(PlanArguments),

    /// Carry out a plan as one transaction: the present one, or one saved by `plan -o`
    #[command(
        after_help = "Example:\n  passthru apply\n  passthru apply plan.json\n  passthru apply --resume"
    )]
    Apply(ApplyArguments),

    /// Take the last change back, or a named one
    #[command(after_help = "What you edited since then is kept.\n\n\
                      With --root, a system that does not come up any more is repaired from a rescue system: mount it with all its parts,\n\
                      its /boot among them. Files go back inside it; what was rebuilt since is built again by its own programs,\n\
                      run inside it (chroot) with /dev, /proc, /sys and /run of the rescue system, which nobody else sees there.\n\n\
                      Example:\n  passthru undo\n  passthru undo 20261122T201500Z-1\n  passthru undo --root /mnt")]
    Undo(UndoArguments),

    /// List the changes made on this host
    #[command(after_help = "Example:\n  passthru history\n  passthru history --root /mnt")]
    History(HistoryArguments),

    /// Check after a reboot that the host is as intended
    #[command(
        after_help = "With --record, which the unit passthru-record.service runs after each boot, the answer is kept in\n\
                      /var/lib/passthru/boots, and `passthru status` says when the last boot went otherwise than intended.\n\
                      With --root, what the files of a mounted system tell: passthru’s own, and what each initramfs holds of them.\n\n\
                      Example:\n  passthru verify\n  sudo passthru verify --record\n  passthru verify --root /mnt"
    )]
    Verify(VerifyArguments),

    /// Boot a tiny UEFI guest with the device and report what the guest saw
    #[command(
        after_help = "The device must be isolated. The guest is this host's own kernel and this program, nothing else;\n\
                      no disk is touched.\n\n\
                      Example:\n  passthru try 06:00.0\n  passthru try 06:00.0 --firmware seabios\n  passthru try --rehearse"
    )]
    Try(TryArguments),

    /// Make, check, start and stop guests
    #[command(
        subcommand,
        after_help = "Example:\n  passthru guest new win11 --os windows-11 --device 06:00.0 --memory 16G --cpus 8"
    )]
    Guest(GuestCommand),

    /// Save the files that the facts come from as one archive, to be read elsewhere with --host
    #[command(
        after_help = "Serial numbers, MAC addresses, UUIDs, host and user names are replaced unless --no-redact.\n\n\
                      Example:\n  passthru capture -o machine.tar.gz\n  passthru --host machine.tar.gz groups"
    )]
    Capture(CaptureArguments),

    /// What libvirt calls around each guest, where `passthru guest hook` has told it to
    #[command(hide = true)]
    LibvirtHook(LibvirtHookArguments),

    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  passthru completions bash > /etc/bash_completion.d/passthru")]
    Completions(CompletionsArguments),
}

impl Default for Command {
    fn default() -> Self {
        Self::Status(StatusArguments::default())
    }
}

impl Command {
    /// The mounted system that it is about, where it is about one.
    pub fn root(&self) -> Option<&std::path::Path> {
        let (Self::Status(StatusArguments { system })
        | Self::History(HistoryArguments { system })
        | Self::Undo(UndoArguments { system, .. })
        | Self::Verify(VerifyArguments { system, .. })) = self
        else {
            return None;
        };
        system.root.as_deref()
    }
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Checks to run; none: all of them
    #[arg(value_name = "CHECK")]
    pub checks: Vec<String>,

    /// List the checks, what each looks at and why
    #[arg(long, conflicts_with = "checks")]
    pub list: bool,
}

/// Arguments of `groups`.
#[derive(Debug, Args)]
pub struct GroupsArguments {
    /// Show only the groups of these functions
    #[arg(value_name = "ADDRESS")]
    pub addresses: Vec<PciAddress>,

    /// Explain a function’s group: what keeps devices apart at each hop to the root complex, and a better slot
    #[arg(long, value_name = "ADDRESS", conflicts_with = "addresses")]
    pub why: Option<PciAddress>,

    /// Foretell the groups from configuration space alone, and compare them with the real ones where there are any
    #[arg(long)]
    pub predict: bool,

    /// Foretell them for a kernel with the ACS override patch: downstream, multifunction, id:vvvv:dddd
    #[arg(long, value_name = "WORDS", requires = "predict")]
    pub acs_override: Option<AcsOverride>,
}

/// Which firmware a guest boots with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FirmwareChoice {
    /// UEFI (OVMF), found through the firmware descriptors
    Uefi,
    /// SeaBIOS; starts sooner, and a card without a UEFI ROM works too
    Seabios,
}

/// What executes a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccelChoice {
    /// KVM where it is usable, else emulation
    Auto,
    /// KVM, or fail
    Kvm,
    /// Emulation (TCG): slow, works everywhere
    Tcg,
}

/// Arguments of `try`.
#[derive(Debug, Args)]
pub struct TryArguments {
    /// Functions to try; the other functions of each slot go with them
    #[arg(value_name = "ADDRESS", required_unless_present = "rehearse")]
    pub addresses: Vec<PciAddress>,

    /// Rehearse with an emulated card: shows that QEMU, firmware and kernel work, and takes no device
    #[arg(long, conflicts_with = "addresses")]
    pub rehearse: bool,

    /// Firmware of the tiny guest
    #[arg(long, default_value = "uefi")]
    pub firmware: FirmwareChoice,

    /// What executes the tiny guest
    #[arg(long, default_value = "auto")]
    pub accel: AccelChoice,

    /// The kernel that the guest boots; none: the image of the running kernel
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,

    /// Give up after this many seconds [default: 300 with KVM, 900 without]
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// Arguments of `capture`.
#[derive(Debug, Args)]
pub struct CaptureArguments {
    /// Where to write the archive (tar.gz); must not exist yet
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: PathBuf,

    /// Keep serial numbers, addresses and names
    #[arg(long)]
    pub no_redact: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    pub shell: clap_complete::Shell,
}
