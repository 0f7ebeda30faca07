//! Single Root I/O Virtualization (extended id 0x10; PCI Express Base Specification 6.0, section 9.3.3).

use super::{Seen, extended_id, find_extended, inside};
use crate::bytes::{le16, le32};

/// Virtual functions, as the physical function offers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualFunctions {
    /// Whether they are there now (VF Enable).
    pub enabled: bool,
    /// Whether they answer to memory accesses (VF MSE).
    pub memory_enabled: bool,
    /// Whether they are numbered through, functions 8 and more included (ARI Capable Hierarchy).
    pub numbered_through: bool,
    /// How many there can be at first.
    pub initial: u16,
    /// How many there can be.
    pub total: u16,
    /// How many there are, or would be if switched on.
    pub number: u16,
    /// The distance in routing ids from the physical function to the first, and from each to the next.
    pub offset: u16,
    /// See `offset`.
    pub stride: u16,
    /// The device id of each; the vendor is the physical function's.
    pub device: u16,
    /// Page sizes that they support: bit n stands for 4 KiB doubled n times.
    pub page_sizes: u32,
}

/// Its SR-IOV capability.
pub fn virtual_functions(config: &[u8]) -> Seen<VirtualFunctions> {
    inside(find_extended(config, extended_id::SR_IOV).map(|at| usize::from(at.offset)), |at| {
        let control = le16(config, at + 0x08)?;
        Some(VirtualFunctions {
            enabled: control & 1 != 0,
            memory_enabled: control & 1 << 3 != 0,
            numbered_through: control & 1 << 4 != 0,
            initial: le16(config, at + 0x0c)?,
            total: le16(config, at + 0x0e)?,
            number: le16(config, at + 0x10)?,
            offset: le16(config, at + 0x14)?,
            stride: le16(config, at + 0x16)?,
            device: le16(config, at + 0x1a)?,
            page_sizes: le32(config, at + 0x1c)?,
        })
    })
}
