//! What the firmware says of its IOMMUs: the ACPI tables DMAR (Intel VT-d) and IVRS (AMD-Vi), read to the end.

use crate::address::PciAddress;

/// A table with what makes it believable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<T> {
    /// Who made it: the OEM's id and its id for the table, such as `ALASKA A M I`.
    pub maker: String,
    /// The revision of the table's form.
    pub revision: u8,
    /// Whether all its bytes add up to zero, as they must. The kernel refuses an IVRS that does not.
    pub sums_up: bool,
    /// What it says.
    pub body: T,
    /// Parts of a type that is not known, each with its offset and its type.
    pub others: Vec<(usize, u16)>,
}

/// The DMAR table (Intel Virtualization Technology for Directed I/O, chapter 8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dmar {
    /// Bits of the addresses that devices may be given: the host address width.
    pub address_bits: u8,
    /// `INTR_REMAP`: the platform can remap interrupts.
    pub interrupt_remapping: bool,
    /// `X2APIC_OPT_OUT`: the firmware asks not to switch x2APIC on.
    pub x2apic_opt_out: bool,
    /// `DMA_CTRL_PLATFORM_OPT_IN_FLAG`: the firmware protects itself from devices, and asks the system to go on with it.
    pub platform_opt_in: bool,
    /// DRHD: the units.
    pub units: Vec<DmarUnit>,
    /// RMRR: memory that a device must go on reaching.
    pub reserved: Vec<DmarReserved>,
    /// ATSR: root ports below which devices may translate addresses themselves.
    pub ats: Vec<DmarAts>,
    /// RHSA: which unit is near which memory.
    pub affinity: Vec<DmarAffinity>,
    /// ANDD: devices that are no PCI devices.
    pub named: Vec<DmarNamed>,
    /// SATC: integrated devices that translate addresses themselves.
    pub integrated: Vec<DmarIntegrated>,
}

/// DRHD: one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarUnit {
    /// The PCI domain that it serves.
    pub domain: u16,
    /// `INCLUDE_PCI_ALL`: it serves every device of its domain that no other unit names.
    pub is_catch_all: bool,
    /// Where its registers are; `/sys/class/iommu/dmarN/intel-iommu/address` says the same.
    pub registers: u64,
    /// What it serves by name.
    pub scope: Vec<DeviceScope>,
}

/// RMRR: a range of memory that devices must find where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarReserved {
    /// The PCI domain of the devices.
    pub domain: u16,
    /// First address.
    pub start: u64,
    /// Last address, inclusive.
    pub end: u64,
    /// The devices.
    pub scope: Vec<DeviceScope>,
}

/// ATSR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarAts {
    /// The PCI domain of the ports.
    pub domain: u16,
    /// `ALL_PORTS`: every root port of the domain.
    pub is_all: bool,
    /// The ports.
    pub scope: Vec<DeviceScope>,
}

/// RHSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmarAffinity {
    /// The registers of the unit.
    pub registers: u64,
    /// The proximity domain (ACPI SRAT).
    pub proximity: u32,
}

/// ANDD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarNamed {
    /// The number by which scopes name the device.
    pub number: u8,
    /// Its path in the ACPI namespace.
    pub name: String,
}

/// SATC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarIntegrated {
    /// The PCI domain of the devices.
    pub domain: u16,
    /// `ATC_REQUIRED`: they do not work where they may not translate addresses themselves.
    pub is_required: bool,
    /// The devices.
    pub scope: Vec<DeviceScope>,
}

/// What kind of thing a scope names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKind {
    /// One PCI function.
    Endpoint,
    /// A bridge and everything below it.
    Bridge,
    /// An IO-APIC; it sends interrupts as this function.
    IoApic,
    /// A timer that sends interrupts as messages.
    Hpet,
    /// A device of the ACPI namespace.
    Named,
    /// Another kind, by its number.
    Other(u8),
}

/// A device, told by the way to it: buses have numbers only once somebody gave them, so a device behind bridges is told by
/// the bridges' places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceScope {
    /// What it is.
    pub kind: ScopeKind,
    /// The number of the IO-APIC, the timer or the ACPI device.
    pub number: u8,
    /// The bus that the way begins on.
    pub bus: u8,
    /// Device and function of each step; the last one is the thing itself.
    pub path: Vec<(u8, u8)>,
}

impl DeviceScope {
    /// Its address, where the way has one step; behind bridges it depends on the numbers of buses.
    pub fn address(&self, domain: u16) -> Option<PciAddress> {
        match self.path.as_slice() {
            [(device, function)] => PciAddress::new(u32::from(domain), self.bus, *device, *function).ok(),
            _ => None,
        }
    }
}

/// The IVRS table (AMD I/O Virtualization Technology, chapter 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ivrs {
    /// `IVinfo`, as it stands there.
    pub info: u32,
    /// IVHD: the units. The same unit may stand there more than once, in forms of different age; see [`Ivrs::units`].
    pub blocks: Vec<IvrsUnit>,
    /// IVMD: memory that is mapped one to one, or left out.
    pub memory: Vec<IvrsMemory>,
}

/// IVHD: one unit, in one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IvrsUnit {
    /// The form: 0x10, 0x11 or 0x40. The kernel takes the highest that it knows and leaves the others.
    pub form: u8,
    /// Flags, as they stand there.
    pub flags: u8,
    /// The PCI domain that it serves.
    pub domain: u16,
    /// Bus, device and function of the unit itself.
    pub device: u16,
    /// Where its registers are.
    pub registers: u64,
    /// Its extended features (register `MMIO Offset 0030h`), from form 0x11 on.
    pub features: Option<u64>,
    /// What it serves.
    pub entries: Vec<IvrsEntry>,
}

/// What an entry of a unit says. Devices are told by bus, device and function in one number, bus in the upper byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IvrsEntry {
    /// A device or a range of them.
    Devices {
        /// The first.
        first: u16,
        /// The last, inclusive.
        last: u16,
        /// The device that these appear as.
        alias: Option<u16>,
        /// Flags, as they stand there.
        flags: u8,
    },
    /// An IO-APIC (1), a timer (2) or another special device, by its variety.
    Special {
        /// The variety.
        variety: u8,
        /// The number of the IO-APIC or the timer.
        number: u8,
        /// The device that it appears as.
        device: u16,
    },
    /// A device of the ACPI namespace.
    Named {
        /// The device that it appears as.
        device: u16,
        /// Its hardware id.
        id: String,
    },
    /// Another kind of entry, by its number.
    Other(u8),
}

/// IVMD: a range of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IvrsMemory {
    /// The first device that it holds for.
    pub first: u16,
    /// The last device that it holds for, inclusive.
    pub last: u16,
    /// The PCI domain.
    pub domain: u16,
    /// First address.
    pub start: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Mapped one to one.
    pub is_unity: bool,
    /// Left out of translation. The kernel maps it one to one as well.
    pub is_exclusion: bool,
}

impl Ivrs {
    /// The units in the form that the kernel takes: the highest of those that describe one unit.
    pub fn units(&self) -> impl Iterator<Item = &IvrsUnit> {
        let best = |unit: &IvrsUnit| {
            self.blocks
                .iter()
                .filter(|other| (other.domain, other.device) == (unit.domain, unit.device))
                .map(|other| other.form)
                .max()
        };
        self.blocks.iter().filter(move |unit| best(unit) == Some(unit.form))
    }
}

impl IvrsMemory {
    /// Whether the kernel keeps it mapped one to one for these devices, so that none of them can go to a guest.
    pub fn is_direct(&self) -> bool {
        self.is_unity || self.is_exclusion
    }

    /// Whether it holds for a device.
    pub fn covers(&self, address: PciAddress) -> bool {
        u32::from(self.domain) == address.domain() && (self.first..=self.last).contains(&requester(address))
    }
}

/// Bus, device and function in one number.
pub fn requester(address: PciAddress) -> u16 {
    u16::from(address.bus()) << 8 | u16::from(address.device()) << 3 | u16::from(address.function())
}
