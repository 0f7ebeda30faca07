//! PCI configuration space: the header and the lists of capabilities (PCI Express Base Specification, chapter 7;
//! `include/uapi/linux/pci_regs.h` of Linux for the numbers).
//!
//! What the kernel shows is 64 bytes without root, 256 of a conventional function, 4096 of PCI Express. What lies beyond
//! is not absent but unseen, and each answer here tells these apart.

use crate::bytes::{le16, le32};

/// Bytes of the header, which everyone may read.
pub const HEADER: usize = 64;
/// Bytes of conventional configuration space.
pub const CONVENTIONAL: usize = 256;
/// Bytes of extended configuration space.
pub const EXTENDED: usize = 4096;

/// Capability ids of the standard list.
pub mod id {
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
    /// Access Control Services.
    pub const ACS: u16 = 0x000d;
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
    find(config, id::EXPRESS).map(|capability| {
        let flags = le16(config, usize::from(capability.offset) + 2).unwrap_or(0);
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
    })
}

/// Whether the function says that it can be reset by itself: Function Level Reset of PCI Express (Device Capabilities,
/// bit 28) or of Advanced Features (capabilities, bits 0 and 1, which must both be set).
pub fn function_level_reset(config: &[u8]) -> Seen<()> {
    const EXPRESS_FLR: u32 = 1 << 28;
    const AF_BOTH: u8 = 0x3;
    let express = find(config, id::EXPRESS);
    let advanced = find(config, id::ADVANCED_FEATURES);
    let by_express = express.there().and_then(|at| le32(config, usize::from(at.offset) + 4));
    let by_advanced = advanced.there().and_then(|at| byte(config, usize::from(at.offset) + 3));
    if by_express.is_some_and(|bits| bits & EXPRESS_FLR != 0)
        || by_advanced.is_some_and(|bits| bits & AF_BOTH == AF_BOTH)
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

#[cfg(test)]
mod tests {
    use super::{
        Acs, PortType, Seen, acs, extended, function_level_reset, header_type, is_multifunction,
        message_interrupts, port_type, standard,
    };
    use proptest::prelude::*;

    /// A multifunction endpoint with MSI at 0x50, PCI Express with FLR at 0x60, and ACS at 0x148 after a serial number.
    fn endpoint() -> Vec<u8> {
        let mut config = vec![0u8; super::EXTENDED];
        for (offset, bytes) in [
            (0x00, [0xde, 0x10, 0xc2, 0x13].as_slice()),
            (0x06, &[0x10, 0x00]),
            (0x0e, &[0x80]),
            (0x34, &[0x50]),
            (0x50, &[0x05, 0x60, 0x80, 0x00]),
            (0x60, &[0x10, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x10]),
            (0x100, &[0x03, 0x00, 0x81, 0x14]),
            (0x148, &[0x0d, 0x00, 0x01, 0x00, 0x5f, 0x00, 0x1d, 0x00]),
        ] {
            config[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        config
    }

    #[test]
    fn all_of_an_endpoint_is_seen_in_full_space() {
        let config = endpoint();
        assert_eq!((header_type(&config), is_multifunction(&config)), (Some(0), Some(true)));
        assert_eq!(port_type(&config), Seen::There(PortType::Endpoint));
        assert_eq!(function_level_reset(&config), Seen::There(()));
        assert_eq!(message_interrupts(&config), Seen::There(()));
        assert_eq!(acs(&config), Seen::There(Acs { capability: 0x5f, control: 0x1d }));
        assert_eq!(extended(&config).iter().map(|at| at.offset).collect::<Vec<_>>(), [0x100, 0x148]);
    }

    #[test]
    fn what_lies_beyond_is_unseen_and_not_absent() {
        let config = endpoint();
        let conventional = &config[..256];
        assert_eq!(function_level_reset(conventional), Seen::There(()));
        assert_eq!(acs(conventional), Seen::Unseen);
        let header = &config[..64];
        assert_eq!((standard(header), port_type(header)), (Seen::Unseen, Seen::Unseen));
        assert_eq!((function_level_reset(header), message_interrupts(header)), (Seen::Unseen, Seen::Unseen));
        assert_eq!(is_multifunction(header), Some(true));
    }

    #[test]
    fn a_function_without_a_list_has_nothing_and_one_without_power_is_unseen() {
        let mut config = endpoint();
        config[0x06] = 0;
        assert_eq!((standard(&config[..64]), acs(&config)), (Seen::Absent, Seen::Absent));
        let dead = [0xff; 256];
        assert_eq!((header_type(&dead), acs(&dead), standard(&dead)), (None, Seen::Unseen, Seen::Unseen));
    }

    #[test]
    fn a_list_that_runs_in_a_circle_ends() {
        let mut config = endpoint();
        config[0x61] = 0x50;
        assert_eq!(standard(&config).there().map(|list| list.len()), Some(2));
        config[0x14a..0x14c].copy_from_slice(&[0x01, 0x10]);
        assert_eq!(extended(&config).len(), 2);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..4200)) {
            let _ = (header_type(&bytes), is_multifunction(&bytes), standard(&bytes), extended(&bytes));
            let _ = (port_type(&bytes), function_level_reset(&bytes), acs(&bytes), message_interrupts(&bytes));
        }
    }
}
