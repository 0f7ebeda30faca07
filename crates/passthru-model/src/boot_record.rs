//! What a boot came to: the record that is written after each, for `status` to say later whether it went as intended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::PciAddress;
use crate::finding::Finding;
use crate::hex::PciId;

/// The directory of the records, a file each, named after a running number: `000001.json`.
pub const BOOT_RECORDS: &str = "/var/lib/passthru/boots";

/// How many records are kept; the oldest go.
pub const MOST_BOOT_RECORDS: usize = 16;

/// The schema's name and version.
pub const BOOT_RECORD_SCHEMA: &str = "passthru.boot/1";

/// One boot, looked at when the host was up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BootRecord {
    /// `passthru.boot/1`.
    pub schema: String,
    /// The kernel's random name for the boot (random(4), `boot_id`).
    pub boot: String,
    /// The release of the kernel, as `uname -r` says it.
    pub kernel: String,
    /// When it was looked at, in UTC: `2026-11-22T20:14:05Z`.
    pub time: String,
    /// Whether `passthru.off` was on the kernel command line, so that nothing was to be bound.
    pub off: bool,
    /// The functions that the intent named, in order of address.
    pub devices: Vec<RecordedDevice>,
    /// What was not as the intent wants it, worst first; empty: nothing.
    pub differences: Vec<Finding>,
}

/// A chosen function as it was after a boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordedDevice {
    /// Where it was when it was chosen.
    pub address: PciAddress,
    /// What was chosen: vendor and device.
    pub id: PciId,
    /// The driver that had the function at that address; `None`: none had it, or there was no such function.
    pub driver: Option<String>,
    /// The members of its IOMMU group, itself among them; empty where it was in none.
    pub group: Vec<PciAddress>,
    /// The members when the function was first recorded: what has come into the group since is not in here.
    pub first_group: Vec<PciAddress>,
}

impl BootRecord {
    /// Whether it is about exactly these functions: else the intent was changed since.
    pub fn is_about(&self, addresses: impl Iterator<Item = PciAddress>) -> bool {
        self.devices.iter().map(|device| device.address).eq(addresses)
    }
}

/// What is known of the host's boots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boots {
    /// The name of the present boot; `None`: the host does not run, or does not say.
    pub present: Option<String>,
    /// The records, oldest first.
    pub records: Vec<BootRecord>,
    /// Records that cannot be read, a line each.
    pub gaps: Vec<String>,
    /// Where the program is that the unit runs; `None`: in none of the directories in which systemd looks for it.
    pub program: Option<String>,
}
