//! What can be said to commands that change how the host boots, or take changes back.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use passthru_model::acs_override::AcsOverride;
use passthru_model::boot_settings::HugePagePool;
use passthru_model::host_settings::{KvmfrSize, ResetMethods, UserName, VirtualFunctions};
use passthru_model::{CpuSet, PciAddress};
use passthru_plan::Wish;

/// How a change is agreed to.
#[derive(Clone, Copy, Debug, Args)]
pub struct Agreement {
    /// Agree in advance; needed where there is no terminal to ask at
    #[arg(long, short = 'y')]
    pub yes: bool,

    /// Show the plan and stop
    #[arg(long, short = 'n', conflicts_with = "yes")]
    pub dry_run: bool,
}

/// What the user insists on. Each names one thing that is refused otherwise.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Insisting")]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag, given or not")]
pub struct Insist {
    /// Take the only display that the host has
    #[arg(long)]
    pub take_only_display: bool,

    /// Take a device that the host is using: storage, network
    #[arg(long)]
    pub take_in_use: bool,

    /// Take the controller of the last keyboard
    #[arg(long)]
    pub take_last_keyboard: bool,

    /// Take only the named functions, not their siblings in the slot
    #[arg(long)]
    pub only_named: bool,

    /// Accept that a guest can reach other devices past the IOMMU, as the ACS override of the intent lets it
    #[arg(long)]
    pub accept_acs_override: bool,
}

/// What the user insists on where the way in which the host boots is changed.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Insisting")]
pub struct BootChain {
    /// Change a boot chain not yet started in the laboratory: GRUB outside Debian, dracut, mkinitcpio, systemd-boot, kernelstub, rEFInd, Limine, Extlinux, U-Boot
    #[arg(long)]
    pub untried_boot_chain: bool,
}

/// How functions are bound at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MethodChoice {
    /// By address and identity; twins are told apart
    Override,
    /// By PCI ID with module options, as the wiki page has it; takes every device of that id
    Ids,
    /// By PCI ID with pci-stub, the page's way for kernels before 4.1; vfio-pci gets the devices when a guest starts
    PciStub,
}

/// What else the kernel is told at boot, while any function is isolated. Each is kept as it is when not given.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "At boot")]
pub struct BootWishes {
    /// Huge pages to set aside: 1G=16, by NUMA node 1G=0:8,1:8, or none
    #[arg(long, value_name = "SIZE=PAGES")]
    pub hugepages: Option<Wish<HugePagePool>>,

    /// CPUs that the host's scheduler leaves alone: 2-7,10, or none
    #[arg(long, value_name = "CPUS")]
    pub isolated_cpus: Option<Wish<CpuSet>>,

    /// Leave the IOMMU of Intel's integrated graphics off
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub igfx_off: Option<bool>,

    /// Leave idle devices powered, for those that do not come back from D3
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub disable_idle_d3: Option<bool>,

    /// What a patched kernel is to take for apart: downstream, multifunction, id:vvvv:dddd, or none
    #[arg(long, value_name = "WORDS")]
    pub acs_override: Option<Wish<AcsOverride>>,
}

/// What the host itself is set up for, while any function is isolated. Each is kept as it is when not given.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "On the host")]
pub struct HostWishes {
    /// The GPU that the host's desktop draws with: an address, or none
    #[arg(long, value_name = "ADDRESS")]
    pub host_gpu: Option<Wish<PciAddress>>,

    /// Who may start guests without being root: a user's name, or none
    #[arg(long, value_name = "USER")]
    pub guest_user: Option<Wish<UserName>>,

    /// Memory for Looking Glass through the module kvmfr: 64M, or none
    #[arg(long, value_name = "SIZE")]
    pub kvmfr: Option<Wish<KvmfrSize>>,

    /// Let the module vendor-reset reset the AMD GPUs that it knows
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub vendor_reset: Option<bool>,

    /// Never let idle devices lose all power, for those that do not come back from it
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub no_d3cold: Option<bool>,

    /// How the kernel resets a function, in order: 06:00.0=flr,bus, or 06:00.0=none for what it does by itself
    #[arg(long, value_name = "ADDRESS=METHODS", value_parser = reset_methods)]
    pub reset_methods: Vec<(PciAddress, Wish<ResetMethods>)>,

    /// Virtual functions (SR-IOV) to make for guests at each start of the host: 03:00.0=4, or 03:00.0=none
    #[arg(long, value_name = "ADDRESS=NUMBER", value_parser = virtual_functions)]
    pub virtual_functions: Vec<(PciAddress, Wish<VirtualFunctions>)>,
}

fn reset_methods(text: &str) -> Result<(PciAddress, Wish<ResetMethods>), String> {
    of_function(text, "write ADDRESS=METHODS, such as 06:00.0=flr,bus")
}

fn virtual_functions(text: &str) -> Result<(PciAddress, Wish<VirtualFunctions>), String> {
    of_function(text, "write ADDRESS=NUMBER, such as 03:00.0=4")
}

/// A setting that a function has for itself.
fn of_function<T: FromStr<Err = String>>(text: &str, usage: &str) -> Result<(PciAddress, Wish<T>), String> {
    let (address, value) = text.split_once('=').ok_or(usage)?;
    let address = address.parse().map_err(|error| format!("{error}"))?;
    Ok((address, value.parse()?))
}

fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("write yes or no"),
    }
}

/// Arguments of `isolate`.
#[derive(Debug, Args)]
pub struct IsolateArguments {
    /// Functions to isolate, such as 0000:06:00.0 or 06:00.0
    #[arg(
        value_name = "ADDRESS",
        required_unless_present_any = ["adopt", "all_but_boot_gpu", "method", "hugepages", "isolated_cpus", "igfx_off", "disable_idle_d3", "acs_override",
            "host_gpu", "guest_user", "kvmfr", "vendor_reset", "no_d3cold", "reset_methods", "virtual_functions"]
    )]
    pub addresses: Vec<PciAddress>,

    /// Isolate every GPU but the one that the firmware draws on, each with the functions of its card
    #[arg(long, conflicts_with = "addresses")]
    pub all_but_boot_gpu: bool,

    /// Take over what other tools or hands set up for guests: out of their files, into the intent; without ADDRESS, all of it
    #[arg(long)]
    pub adopt: bool,

    /// How the functions are bound at boot; kept as it is when not given
    #[arg(long, value_name = "METHOD")]
    pub method: Option<MethodChoice>,

    /// What else the kernel is told
    #[command(flatten)]
    pub wishes: BootWishes,

    /// What the host itself is set up for
    #[command(flatten)]
    pub host_wishes: HostWishes,

    /// How to agree
    #[command(flatten)]
    pub agreement: Agreement,

    /// What to insist on
    #[command(flatten)]
    pub insist: Insist,

    /// Which boot chains to change
    #[command(flatten)]
    pub boot: BootChain,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
pub struct ReleaseArguments {
    /// Functions to release
    #[arg(value_name = "ADDRESS", required_unless_present = "all")]
    pub addresses: Vec<PciAddress>,

    /// Release every isolated function
    #[arg(long, conflicts_with = "addresses")]
    pub all: bool,

    /// How to agree
    #[command(flatten)]
    pub agreement: Agreement,

    /// Which boot chains to change
    #[command(flatten)]
    pub boot: BootChain,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Save the plan here, for `apply FILE`
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// What to insist on
    #[command(flatten)]
    pub insist: Insist,

    /// Which boot chains to change
    #[command(flatten)]
    pub boot: BootChain,
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArguments {
    /// A plan saved by `plan -o`; none: the plan as `plan` shows it now
    #[arg(value_name = "FILE", conflicts_with = "resume")]
    pub file: Option<PathBuf>,

    /// Finish a change that was interrupted
    #[arg(long)]
    pub resume: bool,

    /// How to agree
    #[command(flatten)]
    pub agreement: Agreement,

    /// What to insist on
    #[command(flatten)]
    pub insist: Insist,

    /// Which boot chains to change
    #[command(flatten)]
    pub boot: BootChain,
}

/// Arguments of `undo`.
#[derive(Debug, Args)]
pub struct UndoArguments {
    /// The change to take back, as `history` names it; none: the newest
    #[arg(value_name = "CHANGE")]
    pub change: Option<String>,

    /// Which system
    #[command(flatten)]
    pub system: MountedRoot,

    /// How to agree
    #[command(flatten)]
    pub agreement: Agreement,
}

/// Which system is repaired.
#[derive(Debug, Default, Args)]
pub struct MountedRoot {
    /// The system mounted here, from a rescue system, instead of the running one
    #[arg(long, value_name = "DIR", conflicts_with = "host")]
    pub root: Option<PathBuf>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Keep the answer for `status`, as a unit does after each boot
    #[arg(long, conflicts_with = "root")]
    pub record: bool,

    /// Which system
    #[command(flatten)]
    pub system: MountedRoot,
}

/// Arguments of `status`.
#[derive(Debug, Default, Args)]
pub struct StatusArguments {
    /// Which system
    #[command(flatten)]
    pub system: MountedRoot,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// Which system
    #[command(flatten)]
    pub system: MountedRoot,
}
