//! Functions that use another requester ID than their own, or more than that one: the facts behind `pci_add_dma_alias` in
//! `drivers/pci/quirks.c` (read in 6.1, 6.18 and a later tree).
//!
//! An alias is a device and function number on the same bus, whether something answers there or not.

use passthru_model::pci::PciFunction;

/// Device (bits 7:3) and function (bits 2:0) on a bus, as a requester ID holds them.
pub(super) type DevFn = u8;

/// Which requester ID a device uses.
#[derive(Clone, Copy, Debug)]
enum Uses {
    /// That of this function of its slot.
    Function(u8),
    /// Those of these slots and functions.
    Fixed(&'static [(u8, u8)]),
    /// Those of functions 0 to 4 of every slot.
    EverySlot,
    /// All of its bus.
    All,
}

const TABLE: &[(u16, &[u16], Uses)] = &[
    // Ricoh card readers
    (0x1180, &[0xe832, 0xe476], Uses::Function(0)),
    // Glenfly graphics
    (0x6766, &[0x3d40, 0x3d41], Uses::Function(0)),
    // Marvell SATA controllers
    (
        0x1b4b,
        &[
            0x9120, 0x9123, 0x9125, 0x9128, 0x9130, 0x9170, 0x9172, 0x917a, 0x9182, 0x9183, 0x91a0, 0x9215,
            0x9220, 0x9230, 0x9235,
        ],
        Uses::Function(1),
    ),
    // HighPoint controllers with the same chip
    (0x1103, &[0x0642, 0x0645], Uses::Function(1)),
    // JMicron JMB388
    (0x197b, &[0x2392], Uses::Function(1)),
    // Plextor M6E
    (0x1c28, &[0x0122], Uses::Function(1)),
    // PLX switches' non-transparent bridges
    (0x10b5, &[0x87b0, 0x87b1], Uses::All),
    // Intel Xeon Phi x200
    (0x8086, &[0x2260, 0x2264], Uses::Fixed(&[(0x10, 0), (0x11, 0), (0x12, 3)])),
    // Intel Visual Compute Accelerator
    (0x8086, &[0x2954, 0x2955, 0x2956, 0x2958, 0x2959, 0x295a], Uses::EverySlot),
];

/// Adaptec 3405 and 3805, told by their subsystem: a hidden function at 01.0 does their DMA.
fn is_adaptec(function: &PciFunction) -> bool {
    function.id.vendor.0 == 0x9005
        && function.id.device.0 == 0x0285
        && function.subsystem.vendor.0 == 0x9005
        && matches!(function.subsystem.device.0, 0x02bb | 0x02bc)
}

/// Non-transparent bridges of Microsemi's Switchtec switches use requester IDs that only their own memory tells (`SWITCHTEC_QUIRK`).
pub(super) fn are_hidden(function: &PciFunction) -> bool {
    let id = function.id;
    function.class.base_and_sub() == 0x0680
        && id.vendor.0 == 0x11f8
        && matches!(id.device.0, 0x8531..=0x8576 | 0x4000..=0x4552 | 0x5000..=0x5584)
}

/// The address of a slot and function on a bus.
pub(super) fn devfn(device: u8, function: u8) -> DevFn {
    (device << 3) | (function & 7)
}

/// The requester IDs that a function uses beside its own.
pub(super) fn of(function: &PciFunction) -> Vec<DevFn> {
    let address = function.address;
    if is_adaptec(function) {
        return vec![devfn(1, 0)];
    }
    let entry = TABLE.iter().find(|(vendor, devices, _)| {
        *vendor == function.id.vendor.0 && devices.contains(&function.id.device.0)
    });
    match entry {
        None => Vec::new(),
        Some((_, _, Uses::Function(number))) if address.function() == *number => Vec::new(),
        Some((_, _, Uses::Function(number))) => vec![devfn(address.device(), *number)],
        Some((_, _, Uses::Fixed(list))) => {
            list.iter().map(|(device, number)| devfn(*device, *number)).collect()
        }
        Some((_, _, Uses::All)) => (0..=DevFn::MAX).collect(),
        Some((_, _, Uses::EverySlot)) => {
            (0..32).flat_map(|device| (0..5).map(move |number| devfn(device, number))).collect()
        }
    }
}
