//! What the tiny guest of `passthru try` saw, as it writes it to its serial port: one JSON line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::PciAddress;
use crate::hex::{ClassCode, PciId};

/// The text before the JSON on its line, so that kernel messages on the same port cannot be mistaken for it.
pub const REPORT_MARK: &str = "passthru-guest-report ";

/// One BAR as the guest saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeenBar {
    /// 0 to 5.
    pub index: u8,
    /// Bytes.
    pub size: u64,
    /// Where the guest's firmware or kernel put it; 0: not assigned.
    pub start: u64,
    /// Memory or I/O ports.
    pub memory: bool,
}

/// An option ROM as the guest could read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeenRom {
    /// Bytes read.
    pub size: u64,
    /// Whether it begins with 55 aa.
    pub signature: bool,
    /// SHA-256 of what was read, in hexadecimal.
    pub sha256: String,
}

/// One PCI function as the guest saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeenFunction {
    /// The address in the guest.
    pub address: PciAddress,
    /// Vendor and device.
    pub id: PciId,
    /// The board maker's ids.
    pub subsystem: PciId,
    /// Class code.
    pub class: ClassCode,
    /// BARs with a size.
    pub bars: Vec<SeenBar>,
    /// The ROM, where the guest has one and could read it.
    pub rom: Option<SeenRom>,
    /// Whether it has an MSI or MSI-X capability.
    pub msi: bool,
}

/// Everything the guest reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestReport {
    /// The guest's kernel release.
    pub kernel: String,
    /// Whether the guest was started by UEFI firmware (`/sys/firmware/efi` is there).
    pub uefi: bool,
    /// Its PCI functions, in order of address.
    pub functions: Vec<SeenFunction>,
}
