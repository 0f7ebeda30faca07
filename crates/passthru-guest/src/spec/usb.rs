//! `[[usb]]`: devices of the host by their port or by what they are.

use std::fmt::Write as _;

use passthru_model::usb::{UsbId, UsbPort};
use serde::Deserialize;

/// How a device is told from others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsbChoice {
    /// Whatever has this id, of which there may be one.
    Id(UsbId),
    /// Whatever is plugged in there; where an id is said too, nothing else.
    Port {
        /// The port.
        port: UsbPort,
        /// What must be there.
        id: Option<UsbId>,
    },
}

/// A USB device of the host that a guest is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Keys")]
pub struct UsbDevice {
    /// Which it is.
    pub choice: UsbChoice,
    /// Whether the guest starts without it too.
    pub optional: bool,
}

/// The keys of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    port: Option<UsbPort>,
    id: Option<UsbId>,
    #[serde(default)]
    optional: bool,
}

impl TryFrom<Keys> for UsbDevice {
    type Error = &'static str;

    fn try_from(keys: Keys) -> Result<Self, Self::Error> {
        let choice = match (keys.port, keys.id) {
            (Some(port), id) => UsbChoice::Port { port, id },
            (None, Some(id)) => UsbChoice::Id(id),
            (None, None) => {
                return Err("a USB device is named by its port, its id or both; see: passthru usb");
            }
        };
        Ok(Self { choice, optional: keys.optional })
    }
}

/// One table.
pub(super) fn write(out: &mut String, device: &UsbDevice) {
    out.push_str("\n[[usb]]\n");
    let (port, id) = match &device.choice {
        UsbChoice::Id(id) => (None, Some(id)),
        UsbChoice::Port { port, id } => (Some(port), id.as_ref()),
    };
    if let Some(port) = port {
        let _ = writeln!(out, "port = \"{port}\"");
    }
    if let Some(id) = id {
        let _ = writeln!(out, "id = \"{id}\"");
    }
    if device.optional {
        out.push_str("optional = true\n");
    }
}
