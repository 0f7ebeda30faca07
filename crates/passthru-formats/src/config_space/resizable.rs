//! Resizable BARs (extended id 0x15; PCI Express Base Specification 6.0, section 7.8.6), and those of virtual functions (id
//! 0x24; 7.8.7).

use super::{Seen, extended_id, find_extended, inside};
use crate::bytes::le32;

/// The capability has room for so many BARs.
const MOST: usize = 6;

/// A BAR whose size can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResizableBar {
    /// The BAR's number, 0 to 5.
    pub bar: u8,
    /// The size now: bytes as 1 MiB doubled so often.
    pub size: u8,
    /// The sizes that it can have: bit n stands for 1 MiB doubled n times.
    pub sizes: u64,
}

impl ResizableBar {
    /// The size now in bytes; `None` where it would be more than fits in 64 bits.
    pub fn bytes(&self) -> Option<u64> {
        mebibytes(self.size)
    }

    /// All sizes that it can have, in bytes, the smallest first.
    pub fn all(&self) -> Vec<u64> {
        (0..44).filter(|power| self.sizes >> power & 1 != 0).filter_map(mebibytes).collect()
    }
}

/// 1 MiB doubled so often.
fn mebibytes(power: u8) -> Option<u64> {
    (power < 44).then(|| 1 << (20 + u32::from(power)))
}

/// Its resizable BARs, in the order of the capability.
pub fn resizable_bars(config: &[u8]) -> Seen<Vec<ResizableBar>> {
    list(config, extended_id::RESIZABLE_BAR)
}

/// Those of its virtual functions; the sizes are of each virtual function's part.
pub fn virtual_resizable_bars(config: &[u8]) -> Seen<Vec<ResizableBar>> {
    list(config, extended_id::VF_RESIZABLE_BAR)
}

fn list(config: &[u8], id: u16) -> Seen<Vec<ResizableBar>> {
    inside(find_extended(config, id).map(|at| usize::from(at.offset)), |at| {
        // Bits 7:5 of the first control register say how many pairs of registers follow each other.
        let count = usize::try_from(le32(config, at + 8)? >> 5 & 0x7).ok()?;
        (0..count.min(MOST))
            .map(|index| {
                let (sizes, control) = (le32(config, at + 4 + 8 * index)?, le32(config, at + 8 + 8 * index)?);
                let [low, size, ..] = control.to_le_bytes();
                Some(ResizableBar {
                    bar: low & 0x7,
                    size: size & 0x3f,
                    // Bits 31:4 of one register are 1 MiB to 128 TiB, bits 31:16 of the other what is larger.
                    sizes: u64::from(sizes >> 4) | u64::from(control >> 16) << 28,
                })
            })
            .collect()
    })
}
