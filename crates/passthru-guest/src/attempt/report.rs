//! What a trial found, as it is printed and serialised.

use passthru_model::guest_report::{SeenBar, SeenRom};
use passthru_model::{ClassCode, PciAddress, PciId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::accel::Accel;

/// The schema's name and version.
pub const TRY_SCHEMA: &str = "passthru.try/1";

/// One function of the host, and what the guest saw of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TryDevice {
    /// Its address on the host.
    pub host: PciAddress,
    /// Its address in the guest; `null`: the guest did not see it.
    pub guest: Option<PciAddress>,
    /// Vendor and device, as the host has them.
    pub id: PciId,
    /// The board maker's ids.
    pub subsystem: PciId,
    /// Class code.
    pub class: ClassCode,
    /// The BARs that the guest saw.
    pub bars: Vec<SeenBar>,
    /// The ROM that the guest read.
    pub rom: Option<SeenRom>,
    /// Whether the guest saw an MSI or MSI-X capability.
    pub msi: bool,
    /// Whether the guest saw all that the host has.
    pub ok: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// What is worth knowing and stands in nobody's way.
    pub notes: Vec<String>,
}

/// The result of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TryReport {
    /// [`TRY_SCHEMA`].
    pub schema: &'static str,
    /// Whether the guest saw every function as the host has it.
    pub ok: bool,
    /// The functions, in order of host address.
    pub devices: Vec<TryDevice>,
    /// How long it took.
    pub seconds: f64,
    /// `uefi` or `seabios`.
    pub firmware: &'static str,
    /// KVM or TCG.
    pub accel: Accel,
    /// The guest's kernel release.
    pub kernel: String,
    /// Whether emulated devices stood in for real ones.
    pub rehearsal: bool,
    /// What was wrong with the guest as a whole.
    pub reasons: Vec<String>,
    /// What is worth knowing.
    pub notes: Vec<String>,
}
