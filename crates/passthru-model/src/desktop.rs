//! What the desktop is told about graphics cards.

use std::collections::BTreeSet;

use crate::address::PciAddress;
use crate::binding::Said;
use crate::fact::Fact;

/// A `Section "Device"` of xorg.conf(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XorgDevice {
    /// The file.
    pub path: String,
    /// The line on which the section begins, from 1.
    pub line: usize,
    /// Its `Driver`.
    pub driver: Option<String>,
    /// Its `BusID`, as it is written.
    pub bus_id: Option<String>,
    /// The function that the `BusID` names, where it can be read; its numbers are decimal.
    pub address: Option<PciAddress>,
}

/// A variable that chooses a graphics card, and its value.
pub type GpuVariable = Said<(String, String)>;

/// A udev rule about a card: the functions that it names, and its text.
pub type GpuRule = Said<(BTreeSet<PciAddress>, String)>;

/// Everything known of the desktop's choice of cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesktopFacts {
    /// The display manager that starts at boot, by the link `display-manager.service`; known and `None`: none does.
    pub display_manager: Fact<Option<String>>,
    /// The X server's `Device` sections.
    pub xorg: Fact<Vec<XorgDevice>>,
    /// Whether `AutoAddGPU` is turned off in one of its files.
    pub xorg_fixed: bool,
    /// Variables for all sessions that choose a card.
    pub variables: Fact<Vec<GpuVariable>>,
    /// udev rules that tag or name a card.
    pub rules: Fact<Vec<GpuRule>>,
}

impl DesktopFacts {
    /// Nothing known, for one reason.
    pub fn unknown(because: &str) -> Self {
        Self {
            display_manager: Fact::unknown(because),
            xorg: Fact::unknown(because),
            xorg_fixed: false,
            variables: Fact::unknown(because),
            rules: Fact::unknown(because),
        }
    }
}
