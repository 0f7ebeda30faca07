//! A guest as a file of libvirt describes it.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::PciAddress;

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
    /// vCPUs that are there when it starts, where that is said apart (`<vcpu current='…'>`).
    pub vcpus_now: Option<usize>,
    /// vCPUs that are not there when it starts, by number (`<vcpu id='…' enabled='no'/>`).
    pub vcpus_off: BTreeSet<usize>,
    /// The model of processor: `host-passthrough`, `custom`, …
    pub cpu_mode: Option<String>,
    /// Features of the processor that are asked for by name, and how: `topoext` `require`.
    pub cpu_features: BTreeMap<String, String>,
    /// The topology that the guest is shown.
    pub topology: Option<DomainTopology>,
    /// Host CPUs by vCPU, as they are written (`2-3,^5`), and where.
    pub vcpu_pins: BTreeMap<usize, (String, Place)>,
    /// Host CPUs of the emulator, as they are written.
    pub emulator_pin: Option<String>,
    /// Host CPUs of I/O threads by number, as they are written, and where.
    pub iothread_pins: BTreeMap<usize, (String, Place)>,
    /// Whether memory comes from hugepages, and the sizes in bytes that are named.
    pub hugepages: Option<BTreeSet<u64>>,
    /// Enlightenments for Windows by name, and whether each is on; `vendor_id` is none.
    pub hyperv: BTreeMap<String, bool>,
    /// Whether `<hyperv>` leaves it to QEMU which are on (`mode='passthrough'`, `mode='host-model'`).
    pub hyperv_by_mode: bool,
    /// Timers by name: whether each is there, where that is said, and where it is named.
    pub timers: BTreeMap<String, (Option<bool>, Place)>,
    /// The id that Hyper-V is made to show.
    pub vendor_id: Option<String>,
    /// Whether KVM is hidden.
    pub kvm_hidden: bool,
    /// The model of `<memballoon>`; without one libvirt adds `virtio`.
    pub balloon: Option<String>,
    /// PCI functions of the host.
    pub pci: Vec<DomainPci>,
    /// USB devices of the host: `vendor:product` or `bus.device`, as far as they are written.
    pub usb: Vec<String>,
    /// Files of `<input type='evdev'>`, and where each is named.
    pub evdev: Vec<(String, Place)>,
    /// Mediated devices: parts of a card that the host shares out.
    pub mediated: usize,
    /// Channels and redirected devices that only a SPICE client uses.
    pub spice_only: Vec<Place>,
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
    /// Its disks and CD-ROMs that are made of files or block devices of the host.
    pub disks: Vec<DomainDisk>,
    /// Networks of libvirt that it hangs on, and where each is named.
    pub networks: Vec<(String, Place)>,
    /// `<qemu:arg>`s, in order, and where each is named.
    pub qemu_arguments: Vec<(String, Place)>,
    /// `<qemu:env>`s by name: the value, and where it is named.
    pub qemu_environment: BTreeMap<String, (String, Place)>,
    /// The operating system inside, as libosinfo names it.
    pub os: Option<String>,
    /// Line and column of what is no XML and was read all the same: a comment that holds two dashes.
    pub bad_comment: Option<(usize, usize)>,
}

impl Domain {
    /// Whether all enlightenments are turned off, as an old advice for NVIDIA has it.
    pub fn is_hyperv_off(&self) -> bool {
        !self.hyperv.is_empty() && self.hyperv.values().all(|on| !on)
    }

    /// Whether it has a device of the host by VFIO, whole or in part.
    pub fn has_vfio(&self) -> bool {
        !self.pci.is_empty() || self.mediated > 0
    }

    /// Whether a vCPU is there when it starts.
    pub fn starts_with(&self, vcpu: usize) -> bool {
        let most = if self.vcpus_off.is_empty() { self.vcpus_now.or(self.vcpus) } else { self.vcpus };
        most.is_none_or(|most| vcpu < most) && !self.vcpus_off.contains(&vcpu)
    }

    /// How many vCPUs are there when it starts.
    pub fn vcpus_at_start(&self) -> Option<usize> {
        let vcpus = self.vcpus?;
        if self.vcpus_off.is_empty() {
            return Some(self.vcpus_now.unwrap_or(vcpus));
        }
        Some(vcpus.saturating_sub(self.vcpus_off.iter().filter(|vcpu| **vcpu < vcpus).count()))
    }

    /// Whether Windows is inside, as far as the file says: by libosinfo's name, or by its own.
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
    /// Where it is in the guest.
    pub guest: Option<GuestFunction>,
    /// Whether QEMU is to open it through iommufd (`<driver iommufd='yes'/>`, libvirt 12.1).
    pub iommufd: bool,
    /// Where it is named.
    pub place: Place,
}

/// Where a function is in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuestFunction {
    /// The bus; 0 is the root complex.
    pub bus: u8,
    /// The slot.
    pub slot: u8,
    /// The function.
    pub function: u8,
    /// Whether the slot is said to have more functions; libvirt sees for itself where nothing is said.
    pub multifunction: Option<bool>,
}

/// A disk that is made of a file or block device of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainDisk {
    /// The file.
    pub path: String,
    /// Whether it is a CD-ROM.
    pub is_cdrom: bool,
    /// Where it is named.
    pub place: Place,
}

/// Where something stands in a domain's file: names of elements from below the root, each with its number among its like
/// where that is not 1, as XPath has it: `devices/hostdev[2]/rom`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(String);

impl Place {
    /// A place by its path.
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The element of this name within.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self::new(name) } else { Self(format!("{}/{name}", self.0)) }
    }

    /// Names and numbers from below the root; the numbers begin at 1.
    pub fn steps(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.split('/').filter(|step| !step.is_empty()).map(|step| {
            let numbered = step.strip_suffix(']').and_then(|step| step.split_once('['));
            numbered.and_then(|(name, number)| Some((name, number.parse().ok()?))).unwrap_or((step, 1))
        })
    }
}

/// A change of a domain's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainEdit {
    /// Takes an element out.
    Remove(Place),
    /// Sets an attribute of an element that is there.
    Set {
        /// The element.
        element: Place,
        /// The attribute.
        attribute: &'static str,
        /// Its value, before escaping.
        value: String,
    },
    /// Adds an element as the last of another.
    Add {
        /// The element that it is added to; it is made where it is not there.
        parent: Place,
        /// What is added.
        element: DomainElement,
    },
}

impl DomainEdit {
    /// Sets an attribute.
    pub fn set(element: Place, attribute: &'static str, value: impl Into<String>) -> Self {
        Self::Set { element, attribute, value: value.into() }
    }

    /// Adds an element without children.
    pub fn add(parent: &str, name: &'static str, attributes: &[(&'static str, &str)]) -> Self {
        Self::Add { parent: Place::new(parent), element: DomainElement::new(name, attributes) }
    }
}

/// An element of a domain that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainElement {
    /// Its name.
    pub name: String,
    /// Its attributes, before escaping.
    pub attributes: Vec<(&'static str, String)>,
    /// What it says in the place of elements, before escaping.
    pub text: Option<String>,
    /// What it holds.
    pub children: Vec<DomainElement>,
}

impl DomainElement {
    /// One without children.
    pub fn new(name: impl Into<String>, attributes: &[(&'static str, &str)]) -> Self {
        Self {
            name: name.into(),
            attributes: attributes.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            text: None,
            children: Vec::new(),
        }
    }

    /// It, holding these.
    #[must_use]
    pub fn with(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// It, saying this.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }
}
