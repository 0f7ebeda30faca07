//! Interrupts as messages: MSI (id 0x05; PCI Express Base Specification 6.0, section 7.7.1) and MSI-X (id 0x11; 7.7.2).

use super::{Seen, find, id, inside};
use crate::bytes::{le16, le32};

/// Message Signalled Interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msi {
    /// Whether they are in use.
    pub enabled: bool,
    /// Interrupts that the function could use: 1, 2, 4 … 32.
    pub vectors: u8,
    /// Those that it was given.
    pub vectors_enabled: u8,
    /// Whether their address may have 64 bits.
    pub wide: bool,
    /// Whether each can be masked.
    pub maskable: bool,
}

/// Its MSI capability.
pub fn msi(config: &[u8]) -> Seen<Msi> {
    // Three bits hold the power of two; 6 and 7 are reserved.
    let power = |bits: u16| 1_u8.checked_shl(u32::from(bits & 0x7)).unwrap_or(0);
    inside(find(config, id::MSI).map(|at| usize::from(at.offset)), |at| {
        let control = le16(config, at + 2)?;
        Some(Msi {
            enabled: control & 1 != 0,
            vectors: power(control >> 1),
            vectors_enabled: power(control >> 4),
            wide: control & 1 << 7 != 0,
            maskable: control & 1 << 8 != 0,
        })
    })
}

/// MSI-X, whose table is in the function's own memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsiX {
    /// Whether it is in use.
    pub enabled: bool,
    /// Whether all of its interrupts are masked at once.
    pub masked: bool,
    /// Interrupts in its table, 1 to 2048.
    pub vectors: u16,
    /// Where the table is: the number of the BAR, and bytes into it.
    pub table: (u8, u32),
    /// Where the bits of pending interrupts are, likewise.
    pub pending: (u8, u32),
}

/// Its MSI-X capability.
pub fn msix(config: &[u8]) -> Seen<MsiX> {
    let place = |bits: u32| (bits.to_le_bytes()[0] & 0x7, bits & !0x7);
    inside(find(config, id::MSIX).map(|at| usize::from(at.offset)), |at| {
        let control = le16(config, at + 2)?;
        Some(MsiX {
            enabled: control & 1 << 15 != 0,
            masked: control & 1 << 14 != 0,
            vectors: (control & 0x7ff) + 1,
            table: place(le32(config, at + 4)?),
            pending: place(le32(config, at + 8)?),
        })
    })
}
