//! `[[input]]`: keyboards and mice of the host that host and guest take in turn, by evdev (`docs/system/devices` and
//! `qapi/qom.json`, `InputLinuxProperties`, of QEMU).

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Deserialize;

use super::write::quoted;

/// The keys that, pressed together, hand the devices over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrabToggle {
    /// Both control keys.
    #[default]
    CtrlCtrl,
    /// Both alt keys.
    AltAlt,
    /// Both shift keys.
    ShiftShift,
    /// Both meta keys.
    MetaMeta,
    /// Scroll lock.
    Scrolllock,
    /// Control and scroll lock.
    CtrlScrolllock,
}

impl GrabToggle {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::CtrlCtrl,
        Self::AltAlt,
        Self::ShiftShift,
        Self::MetaMeta,
        Self::Scrolllock,
        Self::CtrlScrolllock,
    ];

    /// The word in the file, in QEMU and in libvirt.
    pub fn word(self) -> &'static str {
        match self {
            Self::CtrlCtrl => "ctrl-ctrl",
            Self::AltAlt => "alt-alt",
            Self::ShiftShift => "shift-shift",
            Self::MetaMeta => "meta-meta",
            Self::Scrolllock => "scrolllock",
            Self::CtrlScrolllock => "ctrl-scrolllock",
        }
    }
}

/// A keyboard or mouse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InputDevice {
    /// Its node, best by `/dev/input/by-id`: numbers of nodes change from boot to boot.
    pub path: PathBuf,
    /// Whether the other devices change hands with it, as they should with the keyboard.
    #[serde(default)]
    pub grab_all: bool,
    /// Whether a key that is held down repeats.
    #[serde(default)]
    pub repeat: bool,
    /// The keys that hand it over.
    #[serde(default)]
    pub toggle: GrabToggle,
}

/// One table.
pub(super) fn write(out: &mut String, device: &InputDevice) {
    let _ = write!(out, "\n[[input]]\npath = {}\n", quoted(&device.path.to_string_lossy()));
    for (key, on) in [("grab-all", device.grab_all), ("repeat", device.repeat)] {
        if on {
            let _ = writeln!(out, "{key} = true");
        }
    }
    if device.toggle != GrabToggle::default() {
        let _ = writeln!(out, "toggle = \"{}\"", device.toggle.word());
    }
}
