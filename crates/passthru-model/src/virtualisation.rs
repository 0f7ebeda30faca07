//! The programs that run guests, what they are told, and the guests that are defined.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::PciAddress;
use crate::binding::Said;
use crate::fact::Fact;

mod domain;

pub use domain::{
    Domain, DomainDisk, DomainEdit, DomainElement, DomainFirmware, DomainPci, DomainTopology, GuestFunction,
    Place,
};

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

/// The packages that QEMU for x86_64 comes in.
const QEMU_PACKAGES: [&str; 3] = ["qemu-system-x86", "qemu-base", "qemu-desktop"];

/// The package of QEMU and its version, as the package manager has them.
pub fn qemu_package(packages: &BTreeMap<String, String>) -> Option<(&String, &String)> {
    QEMU_PACKAGES.iter().find_map(|name| packages.get_key_value(*name))
}

/// The version of QEMU that is installed, where that can be read: `1:10.0.2+ds-2` is 10.0.
pub fn qemu_version(packages: &BTreeMap<String, String>) -> Option<(u32, u32)> {
    let text = qemu_package(packages)?.1;
    let text = text.split_once(':').map_or(text.as_str(), |(_, rest)| rest);
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl VirtualisationFacts {
    /// The version of QEMU that is installed, where that is known.
    pub fn qemu_version(&self) -> Option<(u32, u32)> {
        qemu_version(self.packages.value()?)
    }
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
    /// Files that guests name, that are there, and that only somebody else than the user of QEMU can read; and why.
    pub closed_files: BTreeMap<String, String>,
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
            closed_files: BTreeMap::new(),
            guest_interrupts: Fact::unknown(because),
        }
    }

    /// The domains of libvirt; none where they are unknown or libvirt is not there.
    pub fn domains(&self) -> &[Domain] {
        let libvirt = self.libvirt.value().and_then(Option::as_ref);
        libvirt.and_then(|libvirt| libvirt.domains.value()).map(Vec::as_slice).unwrap_or_default()
    }
}
