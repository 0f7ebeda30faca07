//! Errors: Advanced Error Reporting (extended id 0x01; PCI Express Base Specification 6.0, section 7.8.4) and Downstream
//! Port Containment (0x1d; 7.9.14).

use super::{Seen, extended_id, find_extended, inside};
use crate::bytes::{le16, le32};

/// Advanced Error Reporting. The bits of errors are named in 7.8.4.2 and 7.8.4.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorReporting {
    /// Errors that were seen and could not be corrected.
    pub uncorrectable: u32,
    /// Those of them that are not reported.
    pub uncorrectable_masked: u32,
    /// Those of them that are fatal.
    pub fatal: u32,
    /// Errors that were seen and corrected.
    pub correctable: u32,
    /// Those of them that are not reported.
    pub correctable_masked: u32,
}

/// Its AER capability.
pub fn error_reporting(config: &[u8]) -> Seen<ErrorReporting> {
    inside(find_extended(config, extended_id::ERROR_REPORTING).map(|at| usize::from(at.offset)), |at| {
        Some(ErrorReporting {
            uncorrectable: le32(config, at + 0x04)?,
            uncorrectable_masked: le32(config, at + 0x08)?,
            fatal: le32(config, at + 0x0c)?,
            correctable: le32(config, at + 0x10)?,
            correctable_masked: le32(config, at + 0x14)?,
        })
    })
}

/// What makes a port close the link below it (7.9.14.3, DPC Trigger Enable).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Nothing.
    Off,
    /// Fatal errors.
    Fatal,
    /// All that cannot be corrected.
    Uncorrectable,
    /// A number without a meaning.
    Reserved,
}

/// Downstream Port Containment: a port that closes the link below it when errors come from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Containment {
    /// What makes it close the link.
    pub trigger: Trigger,
    /// Whether software can make it do so.
    pub by_software: bool,
    /// Whether it has done so, and what is below it is cut off.
    pub triggered: bool,
}

/// Its DPC capability.
pub fn containment(config: &[u8]) -> Seen<Containment> {
    inside(find_extended(config, extended_id::CONTAINMENT).map(|at| usize::from(at.offset)), |at| {
        Some(Containment {
            trigger: match le16(config, at + 6)? & 0x3 {
                0 => Trigger::Off,
                1 => Trigger::Fatal,
                2 => Trigger::Uncorrectable,
                _ => Trigger::Reserved,
            },
            by_software: le16(config, at + 4)? & 1 << 7 != 0,
            triggered: le16(config, at + 8)? & 1 != 0,
        })
    })
}
