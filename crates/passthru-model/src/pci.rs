//! One PCI function as the host shows it.

use std::collections::BTreeMap;

use crate::address::PciAddress;
use crate::hex::{ClassCode, Hex16, PciId};

/// One address range of a function, a line of its `resource` file (`Documentation/PCI/sysfs-pci.rst`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Position in the file: 0 to 5 are BARs, 6 is the ROM, higher ones are windows of a bridge or SR-IOV BARs.
    pub index: u8,
    /// First address.
    pub start: u64,
    /// Last address, inclusive.
    pub end: u64,
    /// The kernel's `IORESOURCE_*` bits (`include/linux/ioport.h`).
    pub flags: u64,
}

impl Resource {
    /// Bytes covered; 0 for an unset range.
    pub fn size(&self) -> u64 {
        if self.end == 0 || self.end < self.start { 0 } else { self.end - self.start + 1 }
    }

    /// Whether it is memory (`IORESOURCE_MEM`), rather than I/O ports.
    pub fn is_memory(&self) -> bool {
        self.flags & 0x200 != 0
    }
}

/// One PCI function, as `/sys/bus/pci/devices/ADDRESS` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciFunction {
    /// Where it sits.
    pub address: PciAddress,
    /// Vendor and device.
    pub id: PciId,
    /// The board maker's vendor and device ids; bridges have zeros.
    pub subsystem: PciId,
    /// What kind of function it is.
    pub class: ClassCode,
    /// The chip's revision.
    pub revision: u8,
    /// The driver bound now; `None`: unbound.
    pub driver: Option<String>,
    /// `driver_override`, where one is set.
    pub driver_override: Option<String>,
    /// Its IOMMU group; `None`: its DMA is not translated, so it cannot be passed.
    pub group: Option<u32>,
    /// Reset methods in the order the kernel tries them; empty where the kernel has none (or is older than 5.15, see
    /// `gaps`).
    pub reset_methods: Vec<String>,
    /// For VGA-class functions: whether the firmware drew on it. `None` where the kernel has no such file.
    pub boot_vga: Option<bool>,
    /// The alias that modules are matched against: `pci:v…d…sv…sd…bc…sc…i…`.
    pub modalias: String,
    /// NUMA node; `None`: unknown (-1) or not NUMA.
    pub numa_node: Option<u32>,
    /// Address ranges with a non-zero line.
    pub resources: Vec<Resource>,
    /// Whether the kernel offers a `rom` file.
    pub has_rom: bool,
    /// Whether the following were read at all: revision, `driver_override`, NUMA node, resources, ROM, physical function.
    /// Where not, as for a command that shows none of them, they hold nothing.
    pub has_details: bool,
    /// Configuration space as far as it could be read: 64, 256 or 4096 bytes; empty if not at all.
    pub config: Vec<u8>,
    /// Bridges above it, from the root down; the last is its direct parent. Empty on a root bus.
    pub parents: Vec<PciAddress>,
    /// The physical function, where this is an SR-IOV virtual function.
    pub physical_function: Option<PciAddress>,
    /// Attributes that could not be read, and why.
    pub gaps: BTreeMap<String, String>,
}

impl PciFunction {
    /// The path of an attribute file, for evidence.
    pub fn attribute(&self, name: &str) -> String {
        format!("/sys/bus/pci/devices/{}/{name}", self.address)
    }

    /// Its subsystem's vendor.
    pub fn subsystem_vendor(&self) -> Hex16 {
        self.subsystem.vendor
    }

    /// Its subsystem's device.
    pub fn subsystem_device(&self) -> Hex16 {
        self.subsystem.device
    }

    /// Whether this function is a bridge, by its class or by its header type (`PCI_HEADER_TYPE`, offset 0x0e).
    ///
    /// vfio-pci refuses every header that is not of type 0. A function that does not answer reads as type 7f, which says
    /// nothing.
    pub fn is_bridge(&self) -> bool {
        const SILENT: u8 = 0x7f;
        self.class.is_bridge() || self.config.get(0x0e).is_some_and(|kind| !matches!(kind & 0x7f, 0 | SILENT))
    }

    /// Whether another function is of the same card, and can be passed with this one.
    ///
    /// On a root bus the functions of a slot need not be one card: there the group tells. A virtual function is a card of its own,
    /// wherever its number puts it, and its physical function stays with the host's driver, which makes it (`pci_enable_sriov`,
    /// `drivers/pci/iov.c`).
    pub fn is_of_one_card_with(&self, other: &Self) -> bool {
        let real = self.physical_function.is_none() && other.physical_function.is_none();
        real && self.address.is_sibling_of(other.address)
            && !other.is_bridge()
            && (self.group == other.group || !self.parents.is_empty())
    }

    /// Whether vfio-pci or one of its variants has it, so that a guest can be given it.
    pub fn is_on_vfio(&self) -> bool {
        self.driver.as_deref().is_some_and(is_vfio_driver)
    }

    /// Whether its driver does no more than keep it for guests: one of VFIO, or pci-stub.
    pub fn is_set_aside(&self) -> bool {
        self.is_on_vfio() || self.driver.as_deref() == Some("pci-stub")
    }
}

/// Whether a driver name is vfio-pci or one of its variant drivers, which end in `_vfio_pci` (`drivers/vfio/pci/*/`).
pub fn is_vfio_driver(name: &str) -> bool {
    name == "vfio-pci" || name.ends_with("_vfio_pci") || name.ends_with("-vfio-pci")
}
