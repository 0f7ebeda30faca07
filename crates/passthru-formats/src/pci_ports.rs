//! What a PCI Express port says of the slot behind it, and where some ports keep their access control (PCI Express Base
//! Specification, chapter 7.5.3; `include/uapi/linux/pci_regs.h` of Linux for the numbers).

use crate::bytes::{le16, le32};
use crate::config_space::{Acs, Seen, acs_with_control_at, find, id};

/// What a root port or a switch's downstream port says of what is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Whether a slot is behind it, rather than a device soldered to the board (Express Capabilities Register, bit 8).
    pub implemented: bool,
    /// The most lanes that its link can have (Link Capabilities Register, bits 9:4); 0 where it does not say.
    pub lanes: u8,
}

/// The slot behind a port.
pub fn slot(config: &[u8]) -> Seen<Slot> {
    const IMPLEMENTED: u16 = 1 << 8;
    find(config, id::EXPRESS).map(|at| {
        let offset = usize::from(at.offset);
        let flags = le16(config, offset + 0x02).unwrap_or(0);
        let link = le32(config, offset + 0x0c).unwrap_or(0);
        let [lanes, ..] = ((link >> 4) & 0x3f).to_le_bytes();
        Slot { implemented: flags & IMPLEMENTED != 0, lanes }
    })
}

/// Access Control Services of the root ports whose registers are double words, so that the control register is at +8
/// instead of +6 (Intel 100 Series PCH datasheet, volume 2, 12.1.46 and 12.1.47; erratum 23 of its specification update).
pub fn acs_in_double_words(config: &[u8]) -> Seen<Acs> {
    acs_with_control_at(config, 8)
}

/// Whether the chipset's register block is mapped (RCBA, offset 0xf0 of the LPC bridge, bit 0). Older Intel chipsets keep
/// there what makes up for missing access control (`pci_quirk_enable_intel_lpc_acs`, `drivers/pci/quirks.c`).
pub fn root_complex_block_enabled(lpc_bridge: &[u8]) -> Seen<()> {
    match le32(lpc_bridge, 0xf0) {
        None | Some(u32::MAX) => Seen::Unseen,
        Some(address) if address & 1 != 0 => Seen::There(()),
        Some(_) => Seen::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::{Slot, acs_in_double_words, root_complex_block_enabled, slot};
    use crate::config_space::{Acs, EXTENDED, Seen, acs};
    use proptest::prelude::*;

    /// A root port with a slot of sixteen lanes, and with its access control in double words.
    fn port() -> Vec<u8> {
        let mut config = vec![0u8; EXTENDED];
        for (offset, bytes) in [
            (0x00, [0x86, 0x80, 0x10, 0xa1].as_slice()),
            (0x06, &[0x10, 0x00]),
            (0x34, &[0x40]),
            (0x40, &[0x10, 0x00, 0x42, 0x01]),
            (0x4c, &[0x03, 0x01, 0x00, 0x00]),
            (0x100, &[0x0d, 0x00, 0x01, 0x00, 0x0f, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x00, 0x00]),
        ] {
            config[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        config
    }

    #[test]
    fn a_port_says_whether_a_slot_is_behind_it_and_how_wide() {
        assert_eq!(slot(&port()), Seen::There(Slot { implemented: true, lanes: 16 }));
        assert_eq!(slot(&port()[..64]), Seen::Unseen);
    }

    #[test]
    fn double_words_move_the_control_register() {
        assert_eq!(acs(&port()), Seen::There(Acs { capability: 0xf, control: 0 }));
        assert_eq!(acs_in_double_words(&port()), Seen::There(Acs { capability: 0xf, control: 0xd }));
        assert_eq!(acs_in_double_words(&port()[..256]), Seen::Unseen);
    }

    #[test]
    fn a_register_that_was_not_read_is_not_a_register_that_is_off() {
        let mut bridge = vec![0u8; 256];
        assert_eq!(root_complex_block_enabled(&bridge), Seen::Absent);
        bridge[0xf0] = 1;
        assert_eq!(root_complex_block_enabled(&bridge), Seen::There(()));
        assert_eq!(root_complex_block_enabled(&bridge[..64]), Seen::Unseen);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..4200)) {
            let _ = (slot(&bytes), acs_in_double_words(&bytes), root_complex_block_enabled(&bytes));
        }
    }
}
