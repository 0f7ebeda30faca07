//! What holds of every guest, said by what is wrong where it does not.

use std::fmt;
use std::path::PathBuf;

use passthru_model::usb::{UsbId, UsbPort};
use passthru_model::{PciAddress, PciId, PciSlot};
use passthru_plan::pinning::{GuestTopology, HandRefusal, PinningRefusal};

use crate::placement::MOST_PORTS;
use crate::size::MemorySize;
use crate::spec::Os;

/// One thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The host's devices could not be looked at at all.
    #[error("the devices of this host are unknown: {0}")]
    DevicesUnknown(String),
    /// libvirt's daemon decides for all of its guests.
    #[error(
        "run-as is for QEMU that passthru starts; libvirt's has the user that /etc/libvirt/qemu.conf names (user = \"…\")"
    )]
    RunAsUnderLibvirt,
    /// A device is not in this host.
    #[error("{address}: there is no such device in this host (the guest wants {id} there)")]
    DeviceMissing {
        /// Where it was.
        address: PciAddress,
        /// What it was.
        id: PciId,
    },
    /// Another device is at the address.
    #[error("{address}: the guest wants {wanted}, and this host has {found} there")]
    IdentityChanged {
        /// Where.
        address: PciAddress,
        /// What was chosen, with its subsystem and class.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// A bridge belongs to the host.
    #[error("{0}: a bridge cannot be given to a guest")]
    Bridge(PciAddress),
    /// A device is listed twice.
    #[error("{0}: the device is listed twice")]
    Twice(PciAddress),
    /// Its DMA is not translated.
    #[error("{0}: the device is in no IOMMU group, so it cannot be passed; see: passthru doctor")]
    NoGroup(PciAddress),
    /// Function 0 of a card is left out though it goes with the rest.
    #[error(
        "{slot}: function 0 of the card is in the same group and is not given to the guest; add {slot}.0"
    )]
    FunctionZeroMissing {
        /// The card.
        slot: PciSlot,
    },
    /// Something in the group stays with a driver of the host.
    #[error(
        "{address}: its group {group} also holds {member}, which {driver} drives; give it to the guest too, or isolate it"
    )]
    GroupNotViable {
        /// The device of the guest.
        address: PciAddress,
        /// The group.
        group: u32,
        /// The other member.
        member: PciAddress,
        /// Its driver.
        driver: String,
    },
    /// More root ports than the root bus has room for.
    #[error("the guest needs {0} root ports, and the root bus has room for {MOST_PORTS}")]
    TooManySlots(usize),
    /// More SATA drives than ports.
    #[error("the guest has {0} SATA drives, and the controller has six ports")]
    TooManyDrives(usize),
    /// No UEFI firmware.
    #[error(
        "no UEFI firmware for the guest: {0}; install OVMF (Debian: ovmf), or say firmware = \"seabios\""
    )]
    FirmwareMissing(String),
    /// The legacy BIOS has no Secure Boot.
    #[error("secure-boot = true needs firmware = \"uefi\": the legacy BIOS checks no signatures")]
    SecureBootWithoutUefi,
    /// No UEFI firmware with Secure Boot.
    #[error(
        "{}no UEFI firmware with it is there: {why}; install OVMF with Microsoft's keys (Debian: ovmf), or say secure-boot = false",
        wanted(*asked, "Secure Boot")
    )]
    SecureBootMissing {
        /// The system that wants it, where the specification does not ask by itself.
        asked: Option<Os>,
        /// Why none fits.
        why: String,
    },
    /// Nothing emulates a TPM.
    #[error(
        "{}swtpm, which emulates one, is not installed; install it (Debian, Ubuntu and Fedora: swtpm, swtpm-tools; Arch: swtpm), or say tpm = false",
        wanted(*asked, "a TPM 2.0")
    )]
    TpmMissing {
        /// The system that wants it, where the specification does not ask by itself.
        asked: Option<Os>,
    },
    /// The host's USB devices could not be looked at at all.
    #[error("the USB devices of this host are unknown: {0}")]
    UsbUnknown(String),
    /// A USB device is not plugged in.
    #[error(
        "usb {0}: no such device is plugged in; plug it in, or say optional = true, and the guest gets it when it comes (see: passthru usb)"
    )]
    UsbMissing(String),
    /// Something else is plugged in there.
    #[error("usb {port}: the guest wants {wanted} there, and {found} is plugged in")]
    UsbOther {
        /// Where.
        port: UsbPort,
        /// What was chosen.
        wanted: UsbId,
        /// What is there.
        found: String,
    },
    /// Several have the id.
    #[error("usb {id}: {} devices have this id; say which by its port, which is one of {}", ports.len(), list(ports))]
    UsbAmbiguous {
        /// The id.
        id: UsbId,
        /// Where they are.
        ports: Vec<UsbPort>,
    },
    /// A hub has no function of its own.
    #[error("usb {0}: this is a hub; give the guest the devices that hang on it")]
    UsbHub(UsbPort),
    /// A device is listed twice.
    #[error("usb {0}: the device is listed twice")]
    UsbTwice(String),
    /// Its controller is passed.
    #[error(
        "usb {port}: its controller {controller} is given to the guest, and the device goes with it; take this entry away"
    )]
    UsbComesAlong {
        /// Where it is.
        port: UsbPort,
        /// The controller.
        controller: PciAddress,
    },
    /// More USB devices than ports.
    #[error("the guest has {0} USB devices, and its controller has room for 14 beside the tablet")]
    TooManyUsb(usize),
    /// A path that is no input device.
    #[error(
        "{}: this is no input device; take the keyboard's or mouse's of /dev/input/by-id, which ends in -event-kbd or -event-mouse", .0.display()
    )]
    NotInput(PathBuf),
    /// An input device twice.
    #[error("{}: the input device is listed twice", .0.display())]
    InputTwice(PathBuf),
    /// Sound by SPICE without a SPICE display.
    #[error(
        "audio: backend = \"spice\" needs display = \"spice\", for the viewer plays the sound; another backend is pulseaudio, pipewire or jack"
    )]
    SpiceAudio,
    /// Several people could hear it.
    #[error("audio: sound servers of several users run; say whose by runtime-directory, which is one of {}", list(&.0.iter().map(|path| path.display()).collect::<Vec<_>>()))]
    SeveralSoundServers(Vec<PathBuf>),
    /// A QEMU that does not know PipeWire.
    #[error(
        "audio: backend = \"pipewire\" came with QEMU 8.1, and this is QEMU {}.{}; say backend = \"pulseaudio\", which PipeWire answers too where pipewire-pulse runs", have.0, have.1
    )]
    PipewireTooNew {
        /// The version that is installed.
        have: (u32, u32),
    },
    /// No device of kvmfr.
    #[error(
        "/dev/kvmfr0 is not there: load the module kvmfr with static_size_mb={mib} at least, or leave out memory, which makes it a file"
    )]
    KvmfrAbsent {
        /// What the guest needs.
        mib: u64,
    },
    /// A file in the device's place.
    #[error(
        "/dev/kvmfr0 is a plain file, for a guest was started before the module was there; delete it, and load kvmfr with static_size_mb={mib} at least"
    )]
    KvmfrPlainFile {
        /// What the guest needs.
        mib: u64,
    },
    /// A card without queues.
    #[error("network: queues = 0: a card has at least one pair of queues")]
    NoQueues,
    /// Several queues where there can be one.
    #[error(
        "network: queues = {queues} needs model = \"virtio\" on a tap interface, such as {{ tap = \"tap0\", model = \"virtio\", queues = {queues} }}: QEMU's own network and its helper for bridges have one queue"
    )]
    QueuesUnusable {
        /// As specified.
        queues: u8,
    },
    /// Disks without queues, or queues without virtio.
    #[error("[storage] queues = {queues}: {why}")]
    DiskQueues {
        /// As specified.
        queues: u16,
        /// Why that cannot be.
        why: &'static str,
    },
    /// A ROM for a function that is not given.
    #[error(
        "[rom] {0}: the guest is not given this function; take the line away, or add the function to its devices"
    )]
    RomOfNothing(PciAddress),
    /// A ROM that is no file.
    #[error("{}: a ROM is a plain file; see: passthru rom dump", .0.display())]
    NotARom(PathBuf),
    /// A disk that the host uses.
    #[error("{}: the host uses this disk ({on}), and a file system with two masters is destroyed", path.display())]
    DiskInUse {
        /// The disk.
        path: PathBuf,
        /// What for.
        on: String,
    },
    /// KVM was asked for.
    #[error("accel = \"kvm\", and KVM cannot be used: {0}")]
    KvmUnusable(String),
    /// No CPUs.
    #[error("cpus = 0: a guest has at least one")]
    NoCpus,
    /// More than the host has.
    #[error("cpus = {wanted}, and this host has {host}")]
    TooManyCpus {
        /// As specified.
        wanted: u32,
        /// Logical CPUs of the host.
        host: usize,
    },
    /// How the host's processors are built is not known, and vCPUs are to be pinned.
    #[error("processor: vCPUs are to be pinned, and the processors of this host are unknown: {0}")]
    TopologyUnknown(String),
    /// vCPUs are to be pinned as planned, and there is no room.
    #[error("processor: vCPUs cannot be pinned: {0}")]
    Pinning(PinningRefusal),
    /// Pins by hand that cannot be.
    #[error("processor: vCPUs cannot be pinned like this: {0}")]
    Pins(HandRefusal),
    /// More or fewer pins than vCPUs.
    #[error("processor.pins: there {} for cpus = {cpus}; each vCPU needs one", if *pins == 1 { "is 1 pin".to_owned() } else { format!("are {pins} pins") })]
    PinCount {
        /// As specified.
        cpus: u32,
        /// Pins there are.
        pins: usize,
    },
    /// Two keys of which one takes the other's meaning away.
    #[error("processor.{other} means nothing beside {one}; leave one of them out")]
    Contradiction {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A topology with another number of vCPUs.
    #[error("processor.topology: {} × {} × {} × {} (sockets, dies, cores, threads) is not cpus = {cpus}", shown.sockets, shown.dies, shown.cores, shown.threads)]
    TopologyProduct {
        /// As specified.
        shown: GuestTopology,
        /// As specified.
        cpus: u32,
    },
    /// A key that only KVM heeds.
    #[error("{0} is only for guests under KVM, and this one is emulated")]
    NeedsKvm(&'static str),
    /// Extended topology for a processor that has none.
    #[error("processor.topoext: only AMD's processors have it, and this host's is another")]
    TopoextNotAmd,
    /// A width that no guest on this host can have.
    #[error("processor.address-bits = {bits}: a guest on this host can have from {least} to {most}")]
    AddressBits {
        /// As specified.
        bits: u8,
        /// The least.
        least: u8,
        /// The most.
        most: u8,
    },
    /// A name that Hyper-V cannot have.
    #[error("hyper-v.vendor-id: ‘{}’ is not one to twelve letters, digits or signs without a comma", .0.escape_debug())]
    VendorId(String),
    /// An enlightenment without one that it needs.
    #[error("hyper-v.enlightenments: {one} needs {needed}; add it")]
    Enlightenment {
        /// The one.
        one: &'static str,
        /// What it needs.
        needed: &'static str,
    },
    /// A NUMA node that is not there.
    #[error("memory-backing.node: this host has no NUMA node {0}")]
    NodeMissing(u32),
    /// A NUMA node with less memory than the guest.
    #[error("memory-backing.node: NUMA node {node} has {mib} MiB in all, and the guest wants {wanted}")]
    NodeTooSmall {
        /// The node.
        node: u32,
        /// As specified.
        wanted: MemorySize,
        /// Of the node.
        mib: u64,
    },
    /// Memory that is no whole number of pages.
    #[error("memory = \"{memory}\" is no whole number of pages of {page} (memory-backing.pages)")]
    PagesUneven {
        /// As specified.
        memory: MemorySize,
        /// The size of a page.
        page: &'static str,
    },
    /// Pages that this kernel or processor does not have.
    #[error("memory-backing.pages: this host has no huge pages of {0}")]
    NoSuchPages(&'static str),
    /// Static huge pages that are to come one by one.
    #[error(
        "memory-backing.prealloc = false does not go with static huge pages, which are taken before the guest starts"
    )]
    PreallocHuge,
    /// A window for a firmware that has none.
    #[error("mmio-window is for OVMF, and firmware = \"seabios\"")]
    WindowNeedsUefi,
    /// A window that OVMF does not take.
    #[error("mmio-window = \"{0}\": OVMF takes a power of two, such as 64G")]
    WindowUneven(MemorySize),
    /// A window that leaves no room for memory.
    #[error(
        "a window of {window} for large BARs does not fit: the guest has {bits} bits of physical address, and half of that is for memory"
    )]
    WindowTooLarge {
        /// As specified, or as the devices need it.
        window: MemorySize,
        /// Bits of a physical address.
        bits: u8,
    },
    /// Too little memory to start firmware in.
    #[error("memory = \"{wanted}\": the firmware needs at least {least}")]
    MemoryTooSmall {
        /// As specified.
        wanted: MemorySize,
        /// The least that works.
        least: MemorySize,
    },
    /// As much as the host has, or more.
    #[error("memory = \"{wanted}\", and this host has {host_mib} MiB in all")]
    MemoryAboveHost {
        /// As specified.
        wanted: MemorySize,
        /// Of the host.
        host_mib: u64,
    },
    /// A path that would depend on where passthru is started.
    #[error("{}: write the whole path, from /", .0.display())]
    PathRelative(PathBuf),
    /// A path that neither XML nor a terminal takes as it is. It is shown escaped.
    #[error("‘{}’: a path with control characters cannot be given to a guest; give the file another name", .0.to_string_lossy().escape_debug())]
    PathControl(PathBuf),
    /// A disk or disc that is not there.
    #[error("{}: the file is not there", .0.display())]
    FileMissing(PathBuf),
    /// A path that cannot be a disk.
    #[error("{}: this is neither a file nor a block device", .0.display())]
    NotADisk(PathBuf),
    /// A path that could not be looked at.
    #[error("{}: cannot be looked at: {why}", path.display())]
    FileUnreadable {
        /// The path.
        path: PathBuf,
        /// The kernel's words.
        why: String,
    },
    /// One image twice.
    #[error("{}: two drives of the guest use the same image", .0.display())]
    ImageTwice(PathBuf),
}

/// Things in a row.
fn list(things: &[impl fmt::Display]) -> String {
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Who wants something, as the beginning of a sentence.
fn wanted(by: Option<Os>, what: &str) -> String {
    match by {
        Some(os) => format!("os = \"{}\" wants {what}, and ", os.word()),
        None => format!("the guest is to have {what}, and "),
    }
}

/// Everything that does not hold, in the order of the specification; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildErrors(Vec<BuildError>);

impl BuildErrors {
    /// Never called with none.
    pub(super) fn of(list: Vec<BuildError>) -> Self {
        Self(list)
    }

    /// The errors.
    pub fn list(&self) -> &[BuildError] {
        &self.0
    }
}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildErrors {}
