//! The IOMMU: firmware's offer, the kernel's units, and the groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::PciAddress;
use crate::fact::Fact;

/// A firmware table by which the platform offers an IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FirmwareTable {
    /// Intel VT-d.
    Dmar,
    /// AMD-Vi.
    Ivrs,
    /// Arm SMMU.
    Iort,
    /// virtio-iommu.
    Viot,
}

impl FirmwareTable {
    /// The ACPI signature, which is also the file's name under `/sys/firmware/acpi/tables`.
    pub fn signature(self) -> &'static str {
        match self {
            Self::Dmar => "DMAR",
            Self::Ivrs => "IVRS",
            Self::Iort => "IORT",
            Self::Viot => "VIOT",
        }
    }
}

/// One range that the IOMMU keeps out of a guest's hands (`/sys/kernel/iommu_groups/N/reserved_regions`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedRegion {
    /// First address.
    pub start: u64,
    /// Last address, inclusive.
    pub end: u64,
    /// `direct`, `direct-relaxable`, `msi`, `reserved`.
    pub kind: String,
}

/// One IOMMU group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IommuGroup {
    /// Its number; numbers have gaps.
    pub id: u32,
    /// Its functions, in order of address. Members on other buses than PCI are left out.
    pub members: Vec<PciAddress>,
    /// `DMA`, `DMA-FQ`, `identity`, …; `None` before kernel 5.11 or where unreadable.
    pub kind: Option<String>,
    /// Its reserved regions.
    pub reserved: Vec<ReservedRegion>,
}

/// Everything known of the IOMMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IommuFacts {
    /// Tables that the firmware offers. Empty and known: the firmware offers none.
    pub tables: Fact<BTreeSet<FirmwareTable>>,
    /// Units that the kernel drives (`/sys/class/iommu`): `dmar0`, `ivhd0`, …
    pub units: Fact<BTreeSet<String>>,
    /// The groups.
    pub groups: Fact<BTreeMap<u32, IommuGroup>>,
    /// Whether interrupts are remapped, read from the chip names in `/proc/interrupts` (`IR-PCI-MSI…`).
    pub interrupt_remapping: Fact<bool>,
    /// `allow_unsafe_interrupts` of vfio_iommu_type1, where the module is loaded.
    pub unsafe_interrupts: Fact<bool>,
}
