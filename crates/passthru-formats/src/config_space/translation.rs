//! What a function has to work with an IOMMU closely: Address Translation Services (extended id 0x0f; PCI Express Base
//! Specification 6.0, section 10.5.1), Page Request Interface (0x13; 10.5.2) and Process Address Space ids (0x1b; 7.8.9).

use super::{Seen, extended_id, find_extended, inside};
use crate::bytes::{le16, le32};

/// Address Translation Services: the function keeps translations itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressTranslation {
    /// Whether it may.
    pub enabled: bool,
    /// How many requests to forget translations it can hold, 1 to 32.
    pub queue: u8,
    /// Bytes of the smallest translation, as 4 KiB doubled so often.
    pub smallest: u8,
}

/// Its ATS capability.
pub fn address_translation(config: &[u8]) -> Seen<AddressTranslation> {
    inside(find_extended(config, extended_id::ADDRESS_TRANSLATION).map(|at| usize::from(at.offset)), |at| {
        let (capability, control) = (le16(config, at + 4)?, le16(config, at + 6)?);
        let depth = capability.to_le_bytes()[0] & 0x1f;
        Some(AddressTranslation {
            enabled: control & 1 << 15 != 0,
            // Zero stands for thirty-two.
            queue: if depth == 0 { 32 } else { depth },
            smallest: control.to_le_bytes()[0] & 0x1f,
        })
    })
}

/// Page Request Interface: the function can ask for pages that are not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequests {
    /// Whether it may.
    pub enabled: bool,
    /// Whether it has stopped, so that it can be switched on anew.
    pub stopped: bool,
    /// How many requests it can have under way.
    pub capacity: u32,
    /// How many it was allowed.
    pub allowed: u32,
}

/// Its PRI capability.
pub fn page_requests(config: &[u8]) -> Seen<PageRequests> {
    inside(find_extended(config, extended_id::PAGE_REQUEST).map(|at| usize::from(at.offset)), |at| {
        Some(PageRequests {
            enabled: le16(config, at + 4)? & 1 != 0,
            stopped: le16(config, at + 6)? & 1 << 8 != 0,
            capacity: le32(config, at + 8)?,
            allowed: le32(config, at + 0xc)?,
        })
    })
}

/// Process Address Space ids: the function can work in several address spaces at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressSpaces {
    /// Whether it may.
    pub enabled: bool,
    /// Bits of the largest id, 0 to 20.
    pub width: u8,
}

/// Its PASID capability.
pub fn address_spaces(config: &[u8]) -> Seen<AddressSpaces> {
    inside(find_extended(config, extended_id::PASID).map(|at| usize::from(at.offset)), |at| {
        let [_, width] = le16(config, at + 4)?.to_le_bytes();
        Some(AddressSpaces { enabled: le16(config, at + 6)? & 1 != 0, width: width & 0x1f })
    })
}
