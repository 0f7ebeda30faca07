//! The programs that run guests, what they are told, and the guests that are defined.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::PciAddress;
use crate::binding::Said;
use crate::fact::Fact;

/// A guest as libvirt keeps it (`/etc/libvirt/qemu/NAME.xml`), as far as checks ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// The file.
    pub path: String,
    /// Its name.
    pub name: String,
    /// `kvm`, `qemu`, …
    pub kind: String,
    /// The program that runs it, where the file names one.
    pub emulator: Option<String>,
    /// The machine, such as `pc-q35-9.2`.
    pub machine: Option<String>,
    /// Its firmware.
    pub firmware: DomainFirmware,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// vCPUs at most.
    pub vcpus: Option<usize>,
    /// The model of processor: `host-passthrough`, `custom`, …
    pub cpu_mode: Option<String>,
    /// Features of the processor that are asked for by name, and how: `topoext` `require`.
    pub cpu_features: BTreeMap<String, String>,
    /// The topology that the guest is shown.
    pub topology: Option<DomainTopology>,
    /// Host CPUs by vCPU, as they are written (`2-3,^5`).
    pub vcpu_pins: BTreeMap<usize, String>,
    /// Host CPUs of the emulator, as they are written.
    pub emulator_pin: Option<String>,
    /// Whether memory comes from hugepages, and the sizes in bytes that are named.
    pub hugepages: Option<BTreeSet<u64>>,
    /// Whether Hyper-V's features are all turned off, as an old advice for NVIDIA has it.
    pub hyperv_off: bool,
    /// The id that Hyper-V is made to show.
    pub vendor_id: Option<String>,
    /// Whether KVM is hidden.
    pub kvm_hidden: bool,
    /// PCI functions of the host.
    pub pci: Vec<DomainPci>,
    /// USB devices of the host: `vendor:product` or `bus.device`, as far as they are written.
    pub usb: Vec<String>,
    /// Files of `<input type='evdev'>`.
    pub evdev: Vec<String>,
    /// `<shmem>` names with sizes in bytes, where they are written.
    pub shared_memory: BTreeMap<String, Option<u64>>,
    /// Kinds of `<graphics>`, such as `spice`.
    pub graphics: Vec<String>,
    /// Models of `<video>`, such as `qxl`.
    pub video: Vec<String>,
    /// Models of `<sound>`.
    pub sound: Vec<String>,
    /// Kinds of `<audio>` backends, such as `pipewire`.
    pub audio: Vec<String>,
    /// Models of `<tpm>`, with the type of backend: `tpm-crb` `emulator`.
    pub tpm: Vec<(String, String)>,
    /// `<filesystem>`s that need virtiofsd.
    pub virtiofs: bool,
    /// Files that its disks and CD-ROMs are made of, and whether it is a CD-ROM.
    pub disks: Vec<(String, bool)>,
    /// Networks of libvirt that it hangs on.
    pub networks: Vec<String>,
    /// `<qemu:arg>`s, in order.
    pub qemu_arguments: Vec<String>,
    /// `<qemu:env>`s.
    pub qemu_environment: BTreeMap<String, String>,
    /// The operating system inside, as libosinfo names it.
    pub os: Option<String>,
}

impl Domain {
    /// Whether Windows is inside, as far as the file says: by libosinfo's name, or by Hyper-V's clock.
    pub fn is_windows(&self) -> bool {
        self.os.as_ref().is_some_and(|os| os.contains("microsoft.com"))
            || self.name.to_ascii_lowercase().starts_with("win")
    }
}

/// The firmware of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DomainFirmware {
    /// SeaBIOS: nothing is said.
    #[default]
    Bios,
    /// `<os firmware='efi'>`: libvirt chooses by descriptors.
    Automatic,
    /// A file is named.
    File {
        /// The code image.
        code: String,
        /// Its type: `pflash`, or the `rom` that forgets all variables.
        kind: String,
        /// The variable store, where one is named.
        vars: Option<String>,
        /// The template it was made of, where one is named.
        template: Option<String>,
    },
}

/// What a guest is shown of its processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainTopology {
    /// Packages.
    pub sockets: usize,
    /// Dies in a package.
    pub dies: usize,
    /// Clusters in a die.
    pub clusters: usize,
    /// Cores in a cluster.
    pub cores: usize,
    /// Threads in a core.
    pub threads: usize,
}

impl DomainTopology {
    /// All threads together.
    pub fn product(self) -> usize {
        [self.dies, self.clusters, self.cores, self.threads]
            .iter()
            .fold(self.sockets, |all, one| all.saturating_mul(*one))
    }
}

/// A PCI function of the host that a domain names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainPci {
    /// Its address on the host.
    pub address: PciAddress,
    /// Whether libvirt takes it from its driver and gives it back.
    pub managed: bool,
    /// A file that stands for its ROM.
    pub rom_file: Option<String>,
    /// Where it is in the guest: bus, slot and function.
    pub guest: Option<(u8, u8, u8)>,
}

/// A value of libvirt's own settings format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `"text"`.
    Text(String),
    /// A number.
    Number(i64),
    /// `[ "a", "b" ]`.
    List(Vec<String>),
}

/// A script that libvirt runs when guests start and stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its path.
    pub path: String,
    /// Whether somebody may run it; `None` where its mode could not be seen.
    pub executable: Option<bool>,
    /// What it says; `None` where it could not be read as text.
    pub text: Option<String>,
}

/// libvirt on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Libvirt {
    /// Its daemons that are installed: `libvirtd`, `virtqemud`.
    pub daemons: Fact<Vec<String>>,
    /// Units of them that start at boot, such as `libvirtd.socket`.
    pub enabled: BTreeSet<String>,
    /// Sockets that are there now, such as `/run/libvirt/libvirt-sock`.
    pub sockets: Vec<String>,
    /// `qemu.conf`, by name: the value and its line.
    pub qemu_conf: Fact<BTreeMap<String, (Setting, usize)>>,
    /// The guests that are defined.
    pub domains: Fact<Vec<Domain>>,
    /// Networks that are defined, and whether each starts at boot.
    pub networks: Fact<BTreeMap<String, bool>>,
    /// Scripts for guests.
    pub hooks: Fact<Vec<Hook>>,
}

/// What the user who asks may do. Known of a live host only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// The user's number.
    pub uid: u32,
    /// The groups that this process is in, by name or, where no name is known, by number.
    pub groups: BTreeSet<String>,
    /// Which groups of interest exist on the host: `kvm`, `libvirt`, `input`, `vfio`.
    pub known_groups: BTreeSet<String>,
    /// Nodes of `/dev` that matter, and whether this user may read and write each.
    pub nodes: BTreeMap<String, bool>,
}

/// How much memory a process may lock, in bytes; `None`: without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockLimit {
    /// What holds now.
    pub soft: Option<u64>,
    /// What the process may raise it to by itself.
    pub hard: Option<u64>,
}

/// Which of the two limits a setting sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockKind {
    /// The one that holds at first.
    Soft,
    /// The one up to which a program may raise the first.
    Hard,
    /// Both.
    Both,
}

/// What a line of settings says about how much memory may be locked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockSetting {
    /// Whom it is for: a user, `@group` or `*` as in limits.conf(5), or a unit of systemd such as `user@.service`.
    pub whom: String,
    /// Which limit.
    pub kind: LockKind,
    /// Bytes; `None`: without a limit.
    pub bytes: Option<u64>,
}

/// What stands at `/dev/kvmfr0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kvmfr {
    /// A character device, as it should be.
    Device,
    /// A plain file: a guest was started before the module was loaded.
    PlainFile,
    /// Nothing.
    Absent,
}

/// Everything known of the programs that run guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualisationFacts {
    /// Versions of packages that matter, by name, from the package manager's own files.
    pub packages: Fact<BTreeMap<String, String>>,
    /// Helpers that are installed: `swtpm`, `swtpm_setup`, `virtiofsd`, `looking-glass-client`; known and absent from the
    /// set: not installed.
    pub helpers: Fact<BTreeSet<String>>,
    /// libvirt; known and `None`: not installed.
    pub libvirt: Fact<Option<Libvirt>>,
    /// What this user may do.
    pub permissions: Fact<Permissions>,
    /// How much memory a program of this user may lock.
    pub lock_limit: Fact<LockLimit>,
    /// What settings say about it: limits.conf(5), and units of systemd. They hold from the next login or start on.
    pub lock_settings: Fact<Vec<Said<LockSetting>>>,
    /// Looking Glass's device.
    pub kvmfr: Fact<Kvmfr>,
    /// Sockets of sound servers that are there now.
    pub sound_sockets: Fact<Vec<String>>,
    /// Whether the files that guests name are there: firmware, ROMs, disks, input devices. One that could not be looked at is
    /// not in the map.
    pub named_files: BTreeMap<String, bool>,
    /// The interrupts that vfio-pci has for running guests: by function, whether one of them is the shared line (INTx).
    pub guest_interrupts: Fact<BTreeMap<PciAddress, bool>>,
}

impl VirtualisationFacts {
    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            packages: Fact::unknown(because),
            helpers: Fact::unknown(because),
            libvirt: Fact::unknown(because),
            permissions: Fact::unknown(because),
            lock_limit: Fact::unknown(because),
            lock_settings: Fact::unknown(because),
            kvmfr: Fact::unknown(because),
            sound_sockets: Fact::unknown(because),
            named_files: BTreeMap::new(),
            guest_interrupts: Fact::unknown(because),
        }
    }

    /// The domains of libvirt; none where they are unknown or libvirt is not there.
    pub fn domains(&self) -> &[Domain] {
        let libvirt = self.libvirt.value().and_then(Option::as_ref);
        libvirt.and_then(|libvirt| libvirt.domains.value()).map(Vec::as_slice).unwrap_or_default()
    }
}
