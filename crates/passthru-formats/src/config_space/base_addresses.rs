//! Base Address Registers of a function (PCI Local Bus Specification 3.0, section 6.2.5.1; `PCI_BASE_ADDRESS_0` and the
//! numbers after it in `include/uapi/linux/pci_regs.h`).

use super::{Seen, answers, header_type};
use crate::bytes::le32;

/// The first register.
const FIRST: usize = 0x10;
/// How many a function has that is no bridge.
const MOST: u8 = 6;

/// A BAR of memory, as its register tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBar {
    /// Its number, 0 to 5.
    pub index: u8,
    /// Whether its address may have 64 bits: the next register is then its upper half.
    pub wide: bool,
    /// Whether it may be read ahead, as the memory of GPUs may.
    pub prefetchable: bool,
}

/// The BARs of memory that registers tell of, in order, whether or not they have an address.
///
/// The lowest four bits are the function's own and say what is there. One of 32 bits that may not be read ahead has none of
/// them: it is told only where it has an address.
pub fn memory_bars(config: &[u8]) -> Seen<Vec<MemoryBar>> {
    if !answers(config) {
        return Seen::Unseen;
    }
    if header_type(config) != Some(0) {
        return Seen::Absent;
    }
    let mut found = Vec::new();
    let mut index = 0;
    while index < MOST {
        let Some(register) = le32(config, FIRST + 4 * usize::from(index)) else { return Seen::Unseen };
        let is_memory = register & 0x1 == 0;
        let wide = is_memory && register & 0x6 == 0x4;
        if is_memory && register != 0 {
            found.push(MemoryBar { index, wide, prefetchable: register & 0x8 != 0 });
        }
        index += if wide { 2 } else { 1 };
    }
    Seen::There(found)
}
