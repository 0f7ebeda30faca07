//! What can be said of guests.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use passthru_model::PciAddress;

use super::{AccelChoice, Agreement, FirmwareChoice};

/// The system of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OsChoice {
    /// Linux
    Linux,
    /// Windows 10
    #[value(name = "windows-10")]
    Windows10,
    /// Windows 11
    #[value(name = "windows-11")]
    Windows11,
    /// Anything else
    Other,
}

/// What a guest's network card is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NetworkChoice {
    /// There is no card
    None,
    /// QEMU's own network, by which the guest reaches out and is not reached
    User,
}

/// What shows a picture of a guest besides its own graphics card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DisplayChoice {
    /// Nothing
    None,
    /// VNC, on a socket that only its owner can open
    Vnc,
    /// SPICE, on such a socket; sound can go the same way
    Spice,
}

/// The commands about guests.
#[derive(Debug, Subcommand)]
pub enum GuestCommand {
    /// Write a new guest specification
    #[command(
        after_help = "Example:\n  passthru guest new demo --device 06:00.0 --memory 8G --cpus 4 --disk /srv/demo.qcow2"
    )]
    New(GuestNewArguments),

    /// List guests and whether they run
    #[command(after_help = "Example:\n  passthru guest list")]
    List,

    /// Show a guest: its specification, its QEMU arguments, and where it runs its devices
    #[command(after_help = "Example:\n  passthru guest show demo\n  passthru guest show demo --explain")]
    Show(GuestShowArguments),

    /// Check that a guest can run on this host, what is wrong with a domain of libvirt or a script that starts QEMU, or that an install image boots under UEFI
    #[command(
        after_help = "Example:\n  passthru guest check demo\n  passthru guest check /etc/libvirt/qemu/win10.xml -o win10.patch\n  passthru guest check ./start-win10.sh\n  passthru guest check ./debian-13-amd64-netinst.iso"
    )]
    Check(GuestCheckArguments),

    /// Write a guest down as libvirt or QEMU has it: domain XML, or a script that starts QEMU
    #[command(
        after_help = "Example:\n  passthru guest export demo --format libvirt -o demo.xml\n  virsh define --validate demo.xml\n  passthru guest export demo --format qemu"
    )]
    Export(GuestExportArguments),

    /// Make a specification of domain XML, of a command or script that starts QEMU, or of a quickemu file
    ///
    /// Nothing in the file is run. What a specification cannot say is said, line by line.
    #[command(
        after_help = "Example:\n  passthru guest import /etc/libvirt/qemu/win10.xml\n  passthru guest import ./start.sh --name win10 -o -"
    )]
    Import(GuestImportArguments),

    /// Edit a guest's specification with $VISUAL or $EDITOR; it is kept only if it can be read
    #[command(after_help = "Example:\n  passthru guest edit demo")]
    Edit(GuestName),

    /// After the installation: take the virtual display away and give the guest the devices that are isolated
    ///
    /// The virtual display, its tablet, and VNC or SPICE go; the GPU and whatever else `passthru isolate` keeps for guests come. It is
    /// refused where the host would be left without a keyboard or a mouse.
    #[command(after_help = "Example:\n  passthru isolate 06:00.0\n  passthru guest promote demo")]
    Promote(GuestName),

    /// Have libvirt call passthru around each guest, so that the host is changed for those that libvirt starts too
    ///
    /// A script beside the user's own hooks, for guests that root has a specification of: before libvirt starts one, the functions
    /// that its domain has with managed='no' go to vfio-pci and the host is tuned as its specification asks, and after its end all is put back.
    #[command(
        after_help = "Example:\n  passthru guest hook\n  passthru guest hook --dry-run\n  passthru guest hook --remove"
    )]
    Hook(GuestHookArguments),

    /// Start a guest under QEMU
    #[command(after_help = "Example:\n  passthru guest start demo")]
    Start(GuestStartArguments),

    /// Ask a guest to shut down, and wait
    #[command(
        after_help = "Example:\n  passthru guest stop demo --timeout 60\n  passthru guest stop demo --force"
    )]
    Stop(GuestStopArguments),
}

/// The name of a guest.
#[derive(Debug, Args)]
pub struct GuestName {
    /// The guest's name
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Arguments of `guest show`.
#[derive(Debug, Args)]
pub struct GuestShowArguments {
    /// The guest's name
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Say what was chosen for it on this host, and why each
    #[arg(long)]
    pub explain: bool,
}

/// Arguments of `guest check`.
#[derive(Debug, Args)]
pub struct GuestCheckArguments {
    /// The guest's name, domain XML of libvirt, a script or command line that starts QEMU, or an install image; a file that is named like a guest is written ./FILE
    #[arg(value_name = "NAME|FILE")]
    pub what: PathBuf,

    /// Of domain XML or a script, also write the patch that mends what it can to this file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What a guest can be written down as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GuestFormat {
    /// Domain XML, for ‘virsh define’
    Libvirt,
    /// A shell script with QEMU's arguments
    Qemu,
}

/// Arguments of `guest export`.
#[derive(Debug, Args)]
pub struct GuestExportArguments {
    /// The guest's name
    #[arg(value_name = "NAME")]
    pub name: String,

    /// What to write
    #[arg(long)]
    pub format: GuestFormat,

    /// Write it to this new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `guest import`.
#[derive(Debug, Args)]
pub struct GuestImportArguments {
    /// Domain XML of libvirt, a script or log with QEMU's command line, or a quickemu file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The guest's name, instead of the one in the file
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Write the specification to this new file, or with - to standard output, instead of where guests are kept
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `guest new`.
#[derive(Debug, Args)]
pub struct GuestNewArguments {
    /// The guest's name: letters, digits, dot, dash and underscore
    #[arg(value_name = "NAME")]
    pub name: String,

    /// A function to pass; its siblings in the slot go with it (can be repeated)
    #[arg(long, value_name = "ADDRESS")]
    pub device: Vec<PciAddress>,

    /// The system that will be installed
    #[arg(long, default_value = "linux")]
    pub os: OsChoice,

    /// Memory, such as 8G
    #[arg(long, default_value = "4G")]
    pub memory: String,

    /// Virtual CPUs
    #[arg(long, default_value_t = 2)]
    pub cpus: u32,

    /// A disk image or block device (can be repeated)
    #[arg(long, value_name = "FILE")]
    pub disk: Vec<PathBuf>,

    /// An installation image, given as a CD-ROM (can be repeated)
    #[arg(long, value_name = "FILE")]
    pub media: Vec<PathBuf>,

    /// What the guest's network card is on
    #[arg(long, default_value = "none")]
    pub network: NetworkChoice,

    /// What shows a picture besides a card [default: VNC for a guest without a graphics card]
    #[arg(long)]
    pub display: Option<DisplayChoice>,

    /// Firmware
    #[arg(long, default_value = "uefi")]
    pub firmware: FirmwareChoice,

    /// What executes the guest
    #[arg(long, default_value = "auto")]
    pub accel: AccelChoice,
}

/// Arguments of `guest hook`.
#[derive(Debug, Args)]
pub struct GuestHookArguments {
    /// Have it call passthru no more
    #[arg(long)]
    pub remove: bool,

    /// How to agree
    #[command(flatten)]
    pub agreement: Agreement,
}

/// What libvirt tells its hooks.
#[derive(Debug, Args)]
pub struct LibvirtHookArguments {
    /// The process of libvirt's daemon, which called
    #[arg(long, value_name = "PROCESS")]
    pub daemon: i32,

    /// The guest's name
    #[arg(value_name = "NAME")]
    pub guest: String,

    /// What becomes of it
    #[arg(value_name = "OPERATION")]
    pub operation: String,

    /// Which part of that
    #[arg(value_name = "PART")]
    pub part: String,

    /// What libvirt says besides
    #[arg(value_name = "MORE")]
    pub more: Vec<String>,
}

/// Arguments of `guest start`.
#[derive(Debug, Args)]
pub struct GuestStartArguments {
    /// The guest's name
    #[arg(value_name = "NAME")]
    pub name: String,

    /// What executes the guest, instead of what its specification says
    #[arg(long)]
    pub accel: Option<AccelChoice>,
}

/// Arguments of `guest stop`.
#[derive(Debug, Args)]
pub struct GuestStopArguments {
    /// The guest's name
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Wait this many seconds for the guest to shut down
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,

    /// End it when the time is over, as pulling the plug would
    #[arg(long)]
    pub force: bool,
}
