//! PCI configuration space: the header and the lists of capabilities (PCI Express Base Specification, chapter 7;
//! `include/uapi/linux/pci_regs.h` of Linux for the numbers).
//!
//! What the kernel shows is 64 bytes without root, 256 of a conventional function, 4096 of PCI Express. What lies beyond
//! is not absent but unseen, and each answer here tells these apart.

mod base_addresses;
mod errors;
mod express;
mod interrupts;
mod power;
mod resizable;
#[cfg(test)]
mod tests;
mod translation;
mod virtual_functions;

pub use base_addresses::{MemoryBar, memory_bars};
pub use errors::{Containment, ErrorReporting, Trigger, containment, error_reporting};
pub use express::{Express, Link, LinkSpeed, Slot, express};
pub use interrupts::{Msi, MsiX, msi, msix};
pub use power::{
    L1Substates, LatencyTolerance, PowerManagement, l1_substates, latency_tolerance, power_management,
};
pub use resizable::{ResizableBar, resizable_bars, virtual_resizable_bars};
pub use translation::{
    AddressSpaces, AddressTranslation, PageRequests, address_spaces, address_translation, page_requests,
};
pub use virtual_functions::{VirtualFunctions, virtual_functions};

use crate::bytes::{le16, le32};

/// Bytes of the header, which everyone may read.
pub const HEADER: usize = 64;
/// Bytes of conventional configuration space.
pub const CONVENTIONAL: usize = 256;
/// Bytes of extended configuration space.
pub const EXTENDED: usize = 4096;

/// Capability ids of the standard list.
pub mod id {
    /// Power Management.
    pub const POWER_MANAGEMENT: u8 = 0x01;
    /// Message Signalled Interrupts.
    pub const MSI: u8 = 0x05;
    /// PCI Express.
    pub const EXPRESS: u8 = 0x10;
    /// MSI-X.
    pub const MSIX: u8 = 0x11;
    /// Advanced Features, which bring a reset to conventional functions.
    pub const ADVANCED_FEATURES: u8 = 0x13;
}

/// Capability ids of the extended list.
pub mod extended_id {
    /// Advanced Error Reporting.
    pub const ERROR_REPORTING: u16 = 0x0001;
    /// Device Serial Number.
    pub const SERIAL_NUMBER: u16 = 0x0003;
    /// Access Control Services.
    pub const ACS: u16 = 0x000d;
    /// Alternative Routing-ID Interpretation: functions are numbered through, 8 and more included.
    pub const ARI: u16 = 0x000e;
    /// Address Translation Services.
    pub const ADDRESS_TRANSLATION: u16 = 0x000f;
    /// Single Root I/O Virtualization.
    pub const SR_IOV: u16 = 0x0010;
    /// Page Request Interface.
    pub const PAGE_REQUEST: u16 = 0x0013;
    /// Resizable BARs.
    pub const RESIZABLE_BAR: u16 = 0x0015;
    /// Latency Tolerance Reporting.
    pub const LATENCY_TOLERANCE: u16 = 0x0018;
    /// Process Address Space ids.
    pub const PASID: u16 = 0x001b;
    /// Downstream Port Containment.
    pub const CONTAINMENT: u16 = 0x001d;
    /// L1 PM Substates.
    pub const L1_SUBSTATES: u16 = 0x001e;
    /// Resizable BARs of virtual functions.
    pub const VF_RESIZABLE_BAR: u16 = 0x0024;
}

/// Something that can be looked up only as far as configuration space could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It is there.
    There(T),
    /// It is not there.
    Absent,
    /// It lies where configuration space could not be read, or the function answered nothing at all.
    Unseen,
}

impl<T> Seen<T> {
    /// The thing, where it is there.
    pub fn there(self) -> Option<T> {
        match self {
            Self::There(value) => Some(value),
            Self::Absent | Self::Unseen => None,
        }
    }

    /// What becomes of it where it is there.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::There(value) => Seen::There(change(value)),
            Self::Absent => Seen::Absent,
            Self::Unseen => Seen::Unseen,
        }
    }
}

/// A capability of the standard list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its id; see [`id`].
    pub id: u8,
    /// Where it begins, 0x40 to 0xfc.
    pub offset: u8,
}

/// A capability of the extended list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedCapability {
    /// Its id; see [`extended_id`].
    pub id: u16,
    /// Its version.
    pub version: u8,
    /// Where it begins, 0x100 to 0xffc.
    pub offset: u16,
}

/// The PCI Express device or port type (Express Capabilities Register, bits 7:4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortType {
    /// An endpoint.
    Endpoint,
    /// A legacy endpoint.
    LegacyEndpoint,
    /// A root port.
    RootPort,
    /// A switch's port towards the root.
    Upstream,
    /// A switch's port away from the root.
    Downstream,
    /// A bridge to conventional PCI.
    ToPci,
    /// A bridge from conventional PCI.
    FromPci,
    /// An endpoint that is a part of the root complex.
    RootComplexEndpoint,
    /// A root complex event collector.
    EventCollector,
    /// A number without a meaning yet.
    Other(u8),
}

/// Access Control Services: what a function can do and what it is told to do (bits: 0 source validation, 1 translation
/// blocking, 2 request redirect, 3 completion redirect, 4 upstream forwarding, 5 egress control, 6 direct translated).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acs {
    /// The capability register.
    pub capability: u16,
    /// The control register.
    pub control: u16,
}

fn byte(config: &[u8], offset: usize) -> Option<u8> {
    config.get(offset).copied()
}

/// Whether the function answered: one that has no power, or is gone, reads as all ones.
pub fn answers(config: &[u8]) -> bool {
    le16(config, 0x00).is_some_and(|vendor| vendor != 0xffff)
}

/// The header's type: 0 a function, 1 a bridge to another bus, 2 a CardBus bridge; `None` where nothing was read.
pub fn header_type(config: &[u8]) -> Option<u8> {
    byte(config, 0x0e).filter(|_| answers(config)).map(|kind| kind & 0x7f)
}

/// Whether its slot has more functions than one.
pub fn is_multifunction(config: &[u8]) -> Option<bool> {
    byte(config, 0x0e).filter(|_| answers(config)).map(|kind| kind & 0x80 != 0)
}

/// The standard list of capabilities in its order; `Unseen` where only the header could be read.
///
/// A list that runs in a circle ends where it would come to a place for the second time.
pub fn standard(config: &[u8]) -> Seen<Vec<Capability>> {
    const STATUS: usize = 0x06;
    const HAS_LIST: u16 = 0x10;
    let Some(status) = le16(config, STATUS).filter(|_| answers(config)) else { return Seen::Unseen };
    if status & HAS_LIST == 0 {
        return Seen::Absent;
    }
    if config.len() < CONVENTIONAL {
        return Seen::Unseen;
    }
    // In the header of a CardBus bridge, the pointer is elsewhere (`PCI_CB_CAPABILITY_LIST`).
    let pointer = if header_type(config) == Some(2) { 0x14 } else { 0x34 };
    let mut found: Vec<Capability> = Vec::new();
    let mut next = byte(config, pointer).unwrap_or(0) & 0xfc;
    while usize::from(next) >= HEADER && !found.iter().any(|known| known.offset == next) {
        let offset = next;
        match (byte(config, usize::from(offset)), byte(config, usize::from(offset) + 1)) {
            (Some(0xff) | None, _) | (_, None) => break,
            (Some(id), Some(link)) => {
                found.push(Capability { id, offset });
                next = link & 0xfc;
            }
        }
    }
    Seen::There(found)
}

/// The extended list of capabilities in its order; empty where extended space could not be read or has none.
///
/// A list that runs in a circle ends where it would come to a place for the second time.
pub fn extended(config: &[u8]) -> Vec<ExtendedCapability> {
    let mut found: Vec<ExtendedCapability> = Vec::new();
    let mut next = CONVENTIONAL;
    while (CONVENTIONAL..EXTENDED).contains(&next) {
        let Some(header) = le32(config, next).filter(|header| ![0, u32::MAX].contains(header)) else {
            break;
        };
        let [id_low, id_high, rest, link] = header.to_le_bytes();
        let Ok(offset) = u16::try_from(next) else { break };
        if found.iter().any(|known| known.offset == offset) {
            break;
        }
        found.push(ExtendedCapability {
            id: u16::from_le_bytes([id_low, id_high]),
            version: rest & 0xf,
            offset,
        });
        next = usize::from(u16::from_le_bytes([rest, link]) >> 4) & !3;
    }
    found
}

/// A capability of the standard list.
pub fn find(config: &[u8], id: u8) -> Seen<Capability> {
    match standard(config) {
        Seen::There(list) => {
            list.into_iter().find(|capability| capability.id == id).map_or(Seen::Absent, Seen::There)
        }
        Seen::Absent => Seen::Absent,
        Seen::Unseen => Seen::Unseen,
    }
}

/// A capability of the extended list. `Absent` on a function without PCI Express, which has no such list.
pub fn find_extended(config: &[u8], id: u16) -> Seen<ExtendedCapability> {
    match find(config, self::id::EXPRESS) {
        Seen::Unseen => return Seen::Unseen,
        Seen::Absent => return Seen::Absent,
        Seen::There(_) if config.len() < EXTENDED => return Seen::Unseen,
        Seen::There(_) => {}
    }
    extended(config).into_iter().find(|capability| capability.id == id).map_or(Seen::Absent, Seen::There)
}

/// What kind of PCI Express function it is.
pub fn port_type(config: &[u8]) -> Seen<PortType> {
    find(config, id::EXPRESS)
        .map(|capability| kind_of(le16(config, usize::from(capability.offset) + 2).unwrap_or(0)))
}

/// The kind in the Express Capabilities Register, bits 7:4.
fn kind_of(flags: u16) -> PortType {
    match (flags >> 4).to_le_bytes()[0] & 0xf {
        0x0 => PortType::Endpoint,
        0x1 => PortType::LegacyEndpoint,
        0x4 => PortType::RootPort,
        0x5 => PortType::Upstream,
        0x6 => PortType::Downstream,
        0x7 => PortType::ToPci,
        0x8 => PortType::FromPci,
        0x9 => PortType::RootComplexEndpoint,
        0xa => PortType::EventCollector,
        other => PortType::Other(other),
    }
}

/// What is decoded of a capability that begins here; unseen where it goes on beyond what was read.
fn inside<T>(at: Seen<usize>, decode: impl FnOnce(usize) -> Option<T>) -> Seen<T> {
    match at {
        Seen::There(at) => decode(at).map_or(Seen::Unseen, Seen::There),
        Seen::Absent => Seen::Absent,
        Seen::Unseen => Seen::Unseen,
    }
}

/// Advanced Features (id 0x13; PCI Express Base Specification 6.0, section 7.9.22): a reset for conventional functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvancedFeatures {
    /// Whether it can be reset by itself.
    pub reset: bool,
    /// Whether it says when all of its transactions are done.
    pub tells_pending: bool,
}

/// Its Advanced Features capability.
pub fn advanced_features(config: &[u8]) -> Seen<AdvancedFeatures> {
    inside(find(config, id::ADVANCED_FEATURES).map(|at| usize::from(at.offset)), |at| {
        let bits = byte(config, at + 3)?;
        Some(AdvancedFeatures { reset: bits & 0x2 != 0, tells_pending: bits & 0x1 != 0 })
    })
}

/// Whether the function says that it can be reset by itself: Function Level Reset of PCI Express (Device Capabilities,
/// bit 28) or of Advanced Features (capabilities, bits 0 and 1, which the kernel wants both, `pcie_af_flr`).
pub fn function_level_reset(config: &[u8]) -> Seen<()> {
    let express = express(config);
    let advanced = advanced_features(config);
    if express.there().is_some_and(|express| express.function_level_reset)
        || advanced.there().is_some_and(|features| features.reset && features.tells_pending)
    {
        Seen::There(())
    } else if express == Seen::Unseen {
        Seen::Unseen
    } else {
        Seen::Absent
    }
}

/// Access Control Services, as the function has them and as they are set.
pub fn acs(config: &[u8]) -> Seen<Acs> {
    acs_with_control_at(config, 6)
}

/// The same, with the control register this many bytes into the capability.
pub(crate) fn acs_with_control_at(config: &[u8], control: usize) -> Seen<Acs> {
    match find_extended(config, extended_id::ACS) {
        Seen::There(at) => {
            let offset = usize::from(at.offset);
            match (le16(config, offset + 4), le16(config, offset + control)) {
                (Some(capability), Some(control)) => Seen::There(Acs { capability, control }),
                _ => Seen::Unseen,
            }
        }
        Seen::Absent => Seen::Absent,
        Seen::Unseen => Seen::Unseen,
    }
}

/// Whether the function has an MSI or MSI-X capability.
pub fn message_interrupts(config: &[u8]) -> Seen<()> {
    match (find(config, id::MSI), find(config, id::MSIX)) {
        (Seen::There(_), _) | (_, Seen::There(_)) => Seen::There(()),
        (Seen::Unseen, _) => Seen::Unseen,
        _ => Seen::Absent,
    }
}
