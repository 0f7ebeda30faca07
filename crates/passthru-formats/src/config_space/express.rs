//! The PCI Express capability (id 0x10; PCI Express Base Specification 6.0, section 7.5.3): what a function is, how its
//! link was trained and could be, and the slot behind a port.

use super::{PortType, Seen, find, id, inside, kind_of};
use crate::bytes::{le16, le32};

/// A link's speed, by the number that the registers give it (7.5.3.18, Supported Link Speeds Vector).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkSpeed(pub u8);

impl LinkSpeed {
    /// Transfers a second on each lane, in millions; `None` of a number that has no meaning yet.
    pub fn megatransfers(self) -> Option<u32> {
        match self.0 {
            1 => Some(2_500),
            2 => Some(5_000),
            3 => Some(8_000),
            4 => Some(16_000),
            5 => Some(32_000),
            6 => Some(64_000),
            _ => None,
        }
    }
}

impl std::fmt::Display for LinkSpeed {
    /// As the kernel and lspci say it: "2.5 GT/s", "16 GT/s".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.megatransfers() {
            Some(2_500) => f.write_str("2.5 GT/s"),
            Some(mega) => write!(f, "{} GT/s", mega / 1000),
            None => write!(f, "unknown speed {}", self.0),
        }
    }
}

/// The link of a port or an endpoint (Link Capabilities 7.5.3.6, Link Control 7.5.3.7, Link Status 7.5.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The fastest that this end can do.
    pub max_speed: LinkSpeed,
    /// The most lanes of this end.
    pub max_width: u8,
    /// The speed now. A card at rest lowers it to save power.
    pub speed: LinkSpeed,
    /// Lanes in use now; 0 where nothing is at the other end.
    pub width: u8,
    /// The port's number.
    pub port: u8,
    /// Sleep states of the link that this end supports: bit 0 L0s, bit 1 L1.
    pub aspm_supported: u8,
    /// Those that are switched on, by the same bits.
    pub aspm_enabled: u8,
    /// Whether a port reports that its link is up (Data Link Layer Link Active Reporting Capable).
    pub reports_active: bool,
    /// Whether it is up; `None` where that is not reported.
    pub active: Option<bool>,
    /// Whether software has switched the link off (Link Disable).
    pub disabled: bool,
}

impl Link {
    /// Whether it runs slower or narrower than this end could.
    pub fn is_below_its_best(&self) -> bool {
        self.width != 0 && (self.speed < self.max_speed || self.width < self.max_width)
    }
}

/// The slot behind a port (Slot Capabilities 7.5.3.9, Slot Control 7.5.3.10, Slot Status 7.5.3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The number on the board.
    pub number: u16,
    /// Whether cards can be put in and taken out while the machine runs.
    pub hot_plug: bool,
    /// Whether one may be taken out without notice.
    pub surprise: bool,
    /// Where software can switch the slot's power: whether it is on.
    pub power: Option<bool>,
    /// The most power for a card, in milliwatts; 0 where firmware did not say.
    pub power_limit: u32,
    /// Whether a card is in it.
    pub occupied: bool,
}

/// All of the capability that passthrough can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Express {
    /// Where it begins.
    pub offset: u8,
    /// Its version, 1 or 2.
    pub version: u8,
    /// What the function is.
    pub kind: PortType,
    /// Whether the port is connected to a slot; means something for root ports and downstream ports.
    pub slot_implemented: bool,
    /// The largest payload that it can take, in bytes.
    pub max_payload_supported: u16,
    /// The largest that it may send, in bytes.
    pub max_payload: u16,
    /// The largest read that it may ask for, in bytes.
    pub max_read_request: u16,
    /// Whether it can be reset by itself (Function Level Reset).
    pub function_level_reset: bool,
    /// Whether requests of it are still on their way.
    pub transactions_pending: bool,
    /// Its link; `None` of what is a part of the root complex, which has none.
    pub link: Option<Link>,
    /// The slot; `None` where there is none.
    pub slot: Option<Slot>,
    /// Whether it can say which latency it tolerates, and whether that is switched on (`None` in version 1).
    pub latency_tolerance: Option<(bool, bool)>,
    /// Whether a port can pass requests to functions 8 to 255 of what is below, and whether that is switched on (ARI
    /// Forwarding; `None` in version 1).
    pub ari_forwarding: Option<(bool, bool)>,
}

/// Its PCI Express capability.
pub fn express(config: &[u8]) -> Seen<Express> {
    let at = find(config, id::EXPRESS);
    let offset = at.map(|at| at.offset).there().unwrap_or(0);
    inside(at.map(|at| usize::from(at.offset)), |at| {
        let flags = le16(config, at + 0x02)?;
        let version = flags.to_le_bytes()[0] & 0xf;
        let kind = kind_of(flags);
        let slot_implemented = flags & 1 << 8 != 0;
        let capabilities = le32(config, at + 0x04)?;
        let control = le16(config, at + 0x08)?;
        let status = le16(config, at + 0x0a)?;
        // Version 1 ends after what its kind needs; the registers that begin at +0x24 are of version 2 alone.
        let second = |bit_there: u32, bit_on: u16| {
            if version < 2 {
                return None;
            }
            let (there, on) = (le32(config, at + 0x24)?, le16(config, at + 0x28)?);
            Some((there & bit_there != 0, on & bit_on != 0))
        };
        Some(Express {
            offset,
            version,
            kind,
            slot_implemented,
            max_payload_supported: bytes(capabilities & 0x7),
            max_payload: bytes(u32::from(control >> 5)),
            max_read_request: bytes(u32::from(control >> 12)),
            function_level_reset: capabilities & 1 << 28 != 0,
            transactions_pending: status & 1 << 5 != 0,
            link: if has_link(kind) { Some(link(config, at)?) } else { None },
            slot: if slot_implemented && has_slot(kind) { Some(slot(config, at)?) } else { None },
            latency_tolerance: second(1 << 11, 1 << 10),
            ari_forwarding: second(1 << 5, 1 << 5),
        })
    })
}

/// 128 bytes, doubled as often as the three bits say (7.5.3.3, Max_Payload_Size Supported).
fn bytes(bits: u32) -> u16 {
    128_u16.checked_shl(bits & 0x7).unwrap_or(0)
}

/// What has link registers: all but the parts of a root complex (`pcie_cap_has_lnkctl`, `drivers/pci/access.c`).
fn has_link(kind: PortType) -> bool {
    matches!(
        kind,
        PortType::Endpoint
            | PortType::LegacyEndpoint
            | PortType::RootPort
            | PortType::Upstream
            | PortType::Downstream
            | PortType::ToPci
            | PortType::FromPci
    )
}

/// What can have a slot behind it (`pcie_cap_has_sltctl`, `drivers/pci/access.c`).
fn has_slot(kind: PortType) -> bool {
    matches!(kind, PortType::RootPort | PortType::Downstream | PortType::FromPci)
}

fn link(config: &[u8], at: usize) -> Option<Link> {
    let capabilities = le32(config, at + 0x0c)?;
    let control = le16(config, at + 0x10)?;
    let status = le16(config, at + 0x12)?;
    let [low, _, _, port] = capabilities.to_le_bytes();
    let [speed, ..] = status.to_le_bytes();
    let width = |bits: u32| (bits & 0x3f).to_le_bytes()[0];
    let reports_active = capabilities & 1 << 20 != 0;
    Some(Link {
        max_speed: LinkSpeed(low & 0xf),
        max_width: width(capabilities >> 4),
        speed: LinkSpeed(speed & 0xf),
        width: width(u32::from(status >> 4)),
        port,
        aspm_supported: (capabilities >> 10).to_le_bytes()[0] & 0x3,
        aspm_enabled: control.to_le_bytes()[0] & 0x3,
        reports_active,
        active: reports_active.then_some(status & 1 << 13 != 0),
        disabled: control & 1 << 4 != 0,
    })
}

fn slot(config: &[u8], at: usize) -> Option<Slot> {
    let capabilities = le32(config, at + 0x14)?;
    let control = le16(config, at + 0x18)?;
    let status = le16(config, at + 0x1a)?;
    let power_control = capabilities & 1 << 1 != 0;
    Some(Slot {
        number: u16::try_from(capabilities >> 19).unwrap_or(0),
        hot_plug: capabilities & 1 << 6 != 0,
        surprise: capabilities & 1 << 5 != 0,
        power: power_control.then_some(control & 1 << 10 == 0),
        power_limit: power_limit(capabilities >> 7 & 0xff, capabilities >> 15 & 0x3),
        occupied: status & 1 << 6 != 0,
    })
}

/// The Slot Power Limit in milliwatts: a value in watts, tenths, hundredths or thousandths. With the scale of watts, values
/// above 0xef stand for 250, 275 and 300 W, and beyond for "more than 300 W", of which the figure is not known.
fn power_limit(value: u32, scale: u32) -> u32 {
    match (scale, value) {
        (0, 0xf0) => 250_000,
        (0, 0xf1) => 275_000,
        (0, 0xf2..) => 300_000,
        (0, watts) => watts * 1000,
        (1, tenths) => tenths * 100,
        (2, hundredths) => hundredths * 10,
        (_, thousandths) => thousandths,
    }
}
