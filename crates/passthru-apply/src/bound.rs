//! Which driver has a function, as sysfs says it now.

use std::io;

use passthru_model::intent::DeviceIdentity;
use passthru_model::rebinding::DriverState;

use crate::standing;
use crate::target::{Follow, Target};

/// What is at a function's address now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Nothing.
    Gone,
    /// Another device than the one that was meant, with these ids.
    Stranger(String),
    /// The function, and who has it.
    There(DriverState),
}

/// Looks at the function that is meant.
pub(crate) fn look(target: &Target, device: &DeviceIdentity) -> io::Result<Bound> {
    let path = |name: &str| format!("/sys/bus/pci/devices/{}/{name}", device.address);
    let attribute = |name: &str| -> io::Result<Option<String>> {
        let bytes = standing::bytes(target, &path(name), Follow::Links)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
    };
    let mut found = Vec::new();
    for name in ["vendor", "device", "subsystem_vendor", "subsystem_device", "class"] {
        match attribute(name)? {
            Some(value) => found.push(value),
            None if name == "vendor" => return Ok(Bound::Gone),
            None => found.push(String::new()),
        }
    }
    let DeviceIdentity { id, subsystem, class, .. } = device;
    let wanted = [
        format!("0x{}", id.vendor),
        format!("0x{}", id.device),
        format!("0x{}", subsystem.vendor),
        format!("0x{}", subsystem.device),
        format!("0x{class}"),
    ];
    if found != wanted {
        return Ok(Bound::Stranger(found.join(" ")));
    }
    // `(null)` until it is first set, and an empty line once it was cleared (`driver_override_show`).
    let driver_override =
        attribute("driver_override")?.filter(|value| !value.is_empty() && value != "(null)");
    Ok(Bound::There(DriverState { driver: driver(target, &path("driver"))?, driver_override }))
}

/// The name at the end of the link to the driver.
fn driver(target: &Target, path: &str) -> io::Result<Option<String>> {
    let link = match target.place(path, Follow::Nothing) {
        Ok(place) => rustix::fs::readlinkat(&place.directory, &place.name, Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match link {
        Ok(link) => Ok(link.to_string_lossy().rsplit('/').next().map(str::to_owned)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
