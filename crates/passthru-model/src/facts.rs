//! Everything known of a host.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::PciAddress;
use crate::binding::{BindingFacts, ImageContents, ImageTimes};
use crate::boot::{
    BootFacts, FirmwareEntries, Grub, KernelInstall, Kernelstub, LimineEntries, WrittenEntries,
};
use crate::boot_record::Boots;
pub use crate::cpu::CpuFacts;
use crate::desktop::DesktopFacts;
use crate::device_state::DeviceStates;
use crate::fact::Fact;
use crate::firmware::FirmwareFacts;
use crate::graphics::Graphics;
use crate::hex::PciId;
use crate::holders::Holders;
use crate::io_memory::IoMemory;
use crate::iommu::IommuFacts;
use crate::kernel::{KernelDrivers, KernelFacts};
use crate::memory::MemoryFacts;
use crate::pci::PciFunction;
use crate::plan::FileState;
use crate::session::Session;
use crate::topology::Topology;
use crate::tuning::TuningFacts;
use crate::usb::Usb;
use crate::virtualisation::VirtualisationFacts;
use crate::ways_in::WaysIn;

/// What kind of thing the facts were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// The machine that passthru runs on.
    Live,
    /// A directory: a mounted root or an unpacked capture.
    Directory,
    /// A capture file.
    Capture,
}

/// What was found at `/dev/kvm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvmState {
    /// It opens for reading and writing.
    Usable,
    /// It is there, and this user may not open it.
    Denied,
    /// It is not there.
    Absent,
}

/// Who boots the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootloader {
    /// GRUB with a menu that is made from `/etc/default/grub`.
    Grub(Grub),
    /// systemd-boot with entries or unified images that kernel-install makes.
    KernelInstall(KernelInstall),
    /// systemd-boot with entries and copies that kernelstub makes.
    Kernelstub(Kernelstub),
    /// U-Boot or Extlinux with the menu that Debian's u-boot-update makes from settings.
    UBootMenu,
    /// Limine with the entries and images that limine-entry-tool makes.
    LimineEntries(LimineEntries),
    /// A loader with entries that nothing makes anew.
    Written(WrittenEntries),
    /// One whose entries NixOS makes of the system's configuration.
    NixOs,
    /// The firmware, which starts a kernel itself.
    Firmware(FirmwareEntries),
}

/// Who builds its initramfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitramfsGenerator {
    /// initramfs-tools (`update-initramfs`).
    InitramfsTools,
    /// dracut.
    Dracut,
    /// mkinitcpio.
    Mkinitcpio(Mkinitcpio),
    /// NixOS, which makes its image of the system's configuration.
    NixOs,
}

/// mkinitcpio as it is set up here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mkinitcpio {
    /// Whether its images are made with the files in `/etc/mkinitcpio.conf.d` too: it is version 36 or newer, and no preset
    /// names a main file.
    pub drop_ins: bool,
    /// What its presets make, in order of name.
    pub presets: Vec<ImagePreset>,
}

/// One preset of mkinitcpio: the images that are made together for one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePreset {
    /// Its name, as `mkinitcpio -p` takes it.
    pub name: String,
    /// The initramfs images that it makes, in order.
    pub images: Vec<String>,
}

/// A UEFI firmware for guests, from a QEMU firmware descriptor (`docs/interop/firmware.json`) of type flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestFirmware {
    /// The descriptor's file.
    pub descriptor: String,
    /// Its description.
    pub description: String,
    /// The read-only code image.
    pub code: String,
    /// The template of the variable store, copied for each guest.
    pub vars: String,
    /// `raw` or `qcow2`.
    pub format: String,
    /// Features such as `secure-boot`, `requires-smm`, `enrolled-keys`.
    pub features: BTreeSet<String>,
    /// Machine globs for x86_64, such as `pc-q35-*`.
    pub machines: Vec<String>,
    /// Whether code and variable store are both there.
    pub present: bool,
}

/// What a running host would lose with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostUse {
    /// Holds a mounted file system, or swap.
    Storage,
    /// Carries the default route, or the SSH session that this runs in.
    Network,
    /// Carries a keyboard.
    Keyboard,
    /// Drives a display: the boot VGA device, or one with a connected output.
    Display,
}

/// One use the host makes of a PCI function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InUse {
    /// The function.
    pub address: PciAddress,
    /// What for.
    pub kind: HostUse,
    /// In words, such as "/ is mounted from nvme0n1p2".
    pub what: String,
}

/// The surroundings that passthru itself runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// What kind of host this is.
    pub kind: HostKind,
    /// Whether the effective user is root (always false for captures).
    pub root: bool,
    /// The container it runs in, such as `docker`, where one can be told.
    pub container: Option<String>,
    /// The hypervisor it runs under, where the `hypervisor` CPU flag or DMI tells (a guest has no IOMMU of its own, most often).
    pub hypervisor: Option<String>,
    /// `PRETTY_NAME` of os-release.
    pub distribution: Option<String>,
}

/// Everything known of a host.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// Where we are.
    pub surroundings: Surroundings,
    /// All PCI functions. Unknown where `/sys/bus/pci` cannot be looked at.
    pub pci: Fact<BTreeMap<PciAddress, PciFunction>>,
    /// Power, links and more of the functions that are no bridges, and of the ports above displays.
    pub device_states: Fact<DeviceStates>,
    /// Cards of DRM, framebuffers, consoles. Known and empty: nothing draws.
    pub graphics: Fact<Graphics>,
    /// Who has which physical addresses. Unknown without root.
    pub io_memory: Fact<IoMemory>,
    /// The drivers that each installed kernel has for the functions.
    pub possible_drivers: Fact<Vec<KernelDrivers>>,
    /// Which processes have devices open; looked at only where it is asked for.
    pub holders: Fact<Holders>,
    /// The IOMMU.
    pub iommu: IommuFacts,
    /// Kernels.
    pub kernel: KernelFacts,
    /// Processor.
    pub cpu: CpuFacts,
    /// How the processors are built.
    pub topology: Fact<Topology>,
    /// The host's own firmware.
    pub firmware: FirmwareFacts,
    /// Memory.
    pub memory: MemoryFacts,
    /// Settings that make a guest faster or slower.
    pub tuning: TuningFacts,
    /// USB buses and devices. Known and empty: the kernel has USB and no controller.
    pub usb: Fact<Usb>,
    /// Who is logged in. Unknown where systemd-logind does not keep sessions.
    pub sessions: Fact<Vec<Session>>,
    /// KVM.
    pub kvm: Fact<KvmState>,
    /// Bootloader.
    pub bootloader: Fact<Bootloader>,
    /// Initramfs generator.
    pub initramfs: Fact<InitramfsGenerator>,
    /// What boots the host, as far as files say.
    pub boot: BootFacts,
    /// What files say about drivers at boot.
    pub binding: BindingFacts,
    /// What the initramfs of each installed kernel holds. Looked at only where something is to be bound at boot.
    pub images: Fact<Vec<ImageContents>>,
    /// When these images and their settings were changed last; in seconds since 1970, or in a redacted capture since the first.
    pub image_times: Fact<ImageTimes>,
    /// The same where passthru's own files are to be in them. Looked at only where it is asked for, for it takes a moment.
    pub own_images: Fact<Vec<ImageContents>>,
    /// The records of boots.
    pub boots: Fact<Boots>,
    /// The programs that run guests, and the guests that are defined.
    pub virtualisation: VirtualisationFacts,
    /// What the desktop is told about graphics cards.
    pub desktop: DesktopFacts,
    /// Firmware for guests, in the order in which QEMU's rules choose.
    pub guest_firmware: Fact<Vec<GuestFirmware>>,
    /// Path of `qemu-system-x86_64`; known and `None`: not installed.
    pub qemu: Fact<Option<String>>,
    /// What the host uses of its devices, as far as it could be seen; see `in_use_gaps`. Unknown where no device is known.
    pub in_use: Fact<Vec<InUse>>,
    /// The uses that could not be looked for, or not to the end, and why. Where one is in here, that `in_use` names no
    /// device for it says nothing: a plan that takes a device which might serve it must ask.
    pub in_use_gaps: BTreeMap<HostUse, String>,
    /// How the host is reached that shows nothing on a screen.
    pub ways_in: Fact<WaysIn>,
    /// The files that a plan may touch or must look at, by absolute path, as they stand now. A path that is not in
    /// the map was not looked at; a path that could not be read is in `unreadable_files`.
    pub files: BTreeMap<String, FileState>,
    /// Files of the same set that could not be read, and why.
    pub unreadable_files: BTreeMap<String, String>,
    /// Names of devices from `pci.ids`: vendor and device, for what is in this host.
    pub names: BTreeMap<PciId, String>,
}

impl HostFacts {
    /// Why a fact is unknown that no command asked for.
    pub const NOT_ASKED: &str = "it was not looked at for this command";

    /// A host of which nothing is known, for one reason: what a host made by hand is filled up with.
    pub fn unknown(because: &str) -> Self {
        Self {
            surroundings: Surroundings {
                kind: HostKind::Directory,
                root: false,
                container: None,
                hypervisor: None,
                distribution: None,
            },
            pci: Fact::unknown(because),
            device_states: Fact::unknown(because),
            graphics: Fact::unknown(because),
            io_memory: Fact::unknown(because),
            holders: Fact::unknown(because),
            possible_drivers: Fact::unknown(because),
            iommu: IommuFacts::unknown(because),
            kernel: KernelFacts::unknown(because),
            cpu: CpuFacts::unknown(because),
            topology: Fact::unknown(because),
            firmware: FirmwareFacts::unknown(because),
            memory: MemoryFacts::unknown(because),
            tuning: TuningFacts::unknown(because),
            usb: Fact::unknown(because),
            sessions: Fact::unknown(because),
            kvm: Fact::unknown(because),
            bootloader: Fact::unknown(because),
            initramfs: Fact::unknown(because),
            boot: BootFacts::unknown(because),
            binding: BindingFacts::unknown(because),
            images: Fact::unknown(because),
            image_times: Fact::unknown(because),
            own_images: Fact::unknown(because),
            boots: Fact::unknown(because),
            virtualisation: VirtualisationFacts::unknown(because),
            desktop: DesktopFacts::unknown(because),
            guest_firmware: Fact::unknown(because),
            qemu: Fact::unknown(because),
            in_use: Fact::unknown(because),
            in_use_gaps: BTreeMap::new(),
            ways_in: Fact::unknown(because),
            files: BTreeMap::new(),
            unreadable_files: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }

    /// One function by address.
    pub fn function(&self, address: PciAddress) -> Option<&PciFunction> {
        self.pci.value().and_then(|functions| functions.get(&address))
    }

    /// All functions in order of address; none where they are unknown.
    pub fn functions(&self) -> impl Iterator<Item = &PciFunction> {
        self.pci.value().into_iter().flat_map(BTreeMap::values)
    }

    /// The name to show for a function: from `pci.ids` where known, else its class and id.
    pub fn name_of(&self, function: &PciFunction) -> String {
        self.names
            .get(&function.id)
            .cloned()
            .unwrap_or_else(|| format!("{} {}", function.class.name(), function.id))
    }
}
