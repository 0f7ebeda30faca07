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

/// What a unit says of itself in `/sys/class/iommu`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitRegisters {
    /// Intel's (`Documentation/ABI/testing/sysfs-class-iommu-intel-iommu`).
    Intel {
        /// Major and minor version of the architecture, such as `1:0`.
        version: String,
        /// Where its registers are, by which the table DMAR names it.
        registers: u64,
        /// The capability register (VT-d specification, §11.4.2).
        capability: u64,
        /// The extended capability register (§11.4.3).
        extended: u64,
    },
    /// AMD's (`Documentation/ABI/testing/sysfs-class-iommu-amd-iommu`).
    Amd {
        /// The header of its PCI capability.
        capability: u64,
        /// The extended feature register.
        features: u64,
    },
}

impl UnitRegisters {
    /// Bits of the addresses that a guest's device may use.
    ///
    /// Intel: `MGAW` of the capability register, bits 21:16, holds one less. AMD: `HATS` of the feature register, bits 11:10,
    /// tells the levels of the page tables, of which four reach 48 bits, five 57, and six all 64.
    pub fn address_bits(&self) -> u8 {
        match self {
            Self::Intel { capability, .. } => {
                u8::try_from((capability >> 16) & 0x3f).map_or(64, |width| width + 1)
            }
            Self::Amd { features, .. } => match (features >> 10) & 0b11 {
                0b00 => 48,
                0b01 => 57,
                _ => 64,
            },
        }
    }

    /// Whether it can remap interrupts. Intel: `IR` of the extended capability register, bit 3. All of AMD's can.
    pub fn remaps_interrupts(&self) -> bool {
        match self {
            Self::Intel { extended, .. } => extended & (1 << 3) != 0,
            Self::Amd { .. } => true,
        }
    }

    /// Whether it can hand an interrupt to a guest that runs without the host's help. Intel: `PI` of the capability
    /// register, bit 59. AMD: `GAMSup` of the feature register, bits 23:21, says 1.
    pub fn posts_interrupts(&self) -> bool {
        match self {
            Self::Intel { capability, .. } => capability & (1 << 59) != 0,
            Self::Amd { features, .. } => (features >> 21) & 0b111 == 1,
        }
    }
}

/// Everything known of the IOMMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IommuFacts {
    /// Tables that the firmware offers. Empty and known: the firmware offers none.
    pub tables: Fact<BTreeSet<FirmwareTable>>,
    /// Units that the kernel drives (`/sys/class/iommu`): `dmar0`, `ivhd0`, …
    pub units: Fact<BTreeSet<String>>,
    /// What these say of themselves; a unit of another maker says nothing.
    pub registers: Fact<BTreeMap<String, UnitRegisters>>,
    /// The groups.
    pub groups: Fact<BTreeMap<u32, IommuGroup>>,
    /// Whether interrupts are remapped, read from the chip names in `/proc/interrupts` (`IR-PCI-MSI…`).
    pub interrupt_remapping: Fact<bool>,
    /// `allow_unsafe_interrupts` of vfio_iommu_type1, where the module is loaded.
    pub unsafe_interrupts: Fact<bool>,
    /// The same of iommufd, the newer way to the IOMMU, where its module is there.
    pub iommufd_unsafe_interrupts: Fact<bool>,
}

impl IommuFacts {
    /// Bits of the addresses that a device of a guest may use, whichever unit it is behind; `None` where no unit says it.
    pub fn address_bits(&self) -> Option<u8> {
        self.registers.value()?.values().map(UnitRegisters::address_bits).min()
    }

    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            tables: Fact::unknown(because),
            units: Fact::unknown(because),
            registers: Fact::unknown(because),
            groups: Fact::unknown(because),
            interrupt_remapping: Fact::unknown(because),
            unsafe_interrupts: Fact::unknown(because),
            iommufd_unsafe_interrupts: Fact::unknown(because),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::UnitRegisters;

    #[test]
    fn registers_of_real_machines_say_their_width() {
        let intel = |capability, extended| UnitRegisters::Intel {
            version: "1:0".to_owned(),
            registers: 0xfed9_1000,
            capability,
            extended,
        };
        // As the kernels of an i7-8700 and of a Core Ultra 265K printed them, which gave 39 and 42 bits for the host.
        let (desktop, new) =
            (intel(0x00d2_008c_4066_0462, 0x00f0_50da), intel(0xe9de_008c_ee69_0462, 0x001a_ca9a_00f0_efde));
        assert_eq!([desktop.address_bits(), new.address_bits()], [39, 42]);
        assert!(desktop.remaps_interrupts() && new.remaps_interrupts());
        assert!(!desktop.posts_interrupts() && new.posts_interrupts());
        // And that of a Ryzen 7950X.
        let amd = UnitRegisters::Amd { capability: 0, features: 0x2465_77ef_a225_4afa };
        assert_eq!((amd.address_bits(), amd.posts_interrupts()), (64, true));
    }
}
