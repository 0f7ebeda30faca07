//! Power: the Power Management capability (id 0x01; PCI Bus Power Management Interface Specification 1.2, section 3.2, and
//! PCI Express Base Specification 6.0, section 7.5.2), and what links and functions save (7.8.2, 7.8.3).

use super::{Seen, extended_id, find, find_extended, id, inside};
use crate::bytes::{le16, le32};

/// Power Management.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerManagement {
    /// The version of its interface, 1 to 3.
    pub version: u8,
    /// The state now: 0 to 3 for D0 to D3hot.
    pub state: u8,
    /// Whether it knows D1 and D2.
    pub d1_d2: (bool, bool),
    /// Whether it keeps what it was told when it comes from D3hot back to D0 (`No_Soft_Reset`). Where it does not, the way
    /// there and back resets it (`pci_pm_reset`, `drivers/pci/pci.c`).
    pub keeps_state: bool,
    /// The states from which it can wake the machine: bits 0 to 4 for D0, D1, D2, D3hot, D3cold.
    pub wakes_from: u8,
    /// Whether it may do so.
    pub wake_enabled: bool,
}

/// Its Power Management capability.
pub fn power_management(config: &[u8]) -> Seen<PowerManagement> {
    inside(find(config, id::POWER_MANAGEMENT).map(|at| usize::from(at.offset)), |at| {
        let capabilities = le16(config, at + 2)?;
        let control = le16(config, at + 4)?;
        let [low, high] = capabilities.to_le_bytes();
        Some(PowerManagement {
            version: low & 0x7,
            state: control.to_le_bytes()[0] & 0x3,
            d1_d2: (capabilities & 1 << 9 != 0, capabilities & 1 << 10 != 0),
            keeps_state: control & 1 << 3 != 0,
            wakes_from: high >> 3,
            wake_enabled: control & 1 << 8 != 0,
        })
    })
}

/// Latency Tolerance Reporting (extended id 0x18): how long the platform may let it wait, set by firmware, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyTolerance {
    /// For accesses that look into processors' caches.
    pub snooped: u64,
    /// For those that do not.
    pub not_snooped: u64,
}

/// Its Latency Tolerance Reporting capability.
pub fn latency_tolerance(config: &[u8]) -> Seen<LatencyTolerance> {
    // A value of ten bits, times 32 as often as the next three say (7.8.2.2).
    let nanoseconds = |bits: u16| u64::from(bits & 0x3ff) << (5 * (bits >> 10 & 0x7));
    inside(find_extended(config, extended_id::LATENCY_TOLERANCE).map(|at| usize::from(at.offset)), |at| {
        Some(LatencyTolerance {
            snooped: nanoseconds(le16(config, at + 4)?),
            not_snooped: nanoseconds(le16(config, at + 6)?),
        })
    })
}

/// L1 PM Substates (extended id 0x1e): deeper sleep of a link. Bits 0 to 3 for PCI-PM L1.2, PCI-PM L1.1, ASPM L1.2,
/// ASPM L1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L1Substates {
    /// Those that it supports.
    pub supported: u8,
    /// Those that are switched on.
    pub enabled: u8,
}

/// Its L1 PM Substates capability.
pub fn l1_substates(config: &[u8]) -> Seen<L1Substates> {
    inside(find_extended(config, extended_id::L1_SUBSTATES).map(|at| usize::from(at.offset)), |at| {
        let low = |bits: u32| bits.to_le_bytes()[0] & 0xf;
        Some(L1Substates { supported: low(le32(config, at + 4)?), enabled: low(le32(config, at + 8)?) })
    })
}
