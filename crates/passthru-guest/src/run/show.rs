//! What a running guest has of the host: where its firmware put each passed function.

use std::time::Duration;

use passthru_model::PciAddress;
use passthru_model::guest_report::SeenBar;
use passthru_model::hex::{ClassCode, Hex16, PciId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::GuestPaths;
use crate::qmp::{Qmp, QmpError};
use crate::render::device_id;

/// How long QEMU gets for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A passed function as the guest has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PassedDevice {
    /// Its address on the host.
    pub host: PciAddress,
    /// Its address in the guest. Bus 0 for all until the firmware has numbered the buses.
    pub guest: PciAddress,
    /// Vendor and device.
    pub id: PciId,
    /// The board maker's ids.
    pub subsystem: PciId,
    /// Base class and sub-class; QEMU does not tell the rest.
    pub class: ClassCode,
    /// BARs, with where the guest's firmware or system put them.
    pub bars: Vec<SeenBar>,
}

/// Why that is not known.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ShowError(#[from] QmpError);

/// Asks a running guest for its passed functions, in order of host address.
pub fn devices(paths: &GuestPaths, host: &[PciAddress]) -> Result<Vec<PassedDevice>, ShowError> {
    let mut qmp = Qmp::connect(&paths.qmp(), ANSWER)?;
    Ok(devices_of(&qmp.execute("query-pci", None, ANSWER)?, host))
}

/// Finds passed functions in an answer to `query-pci`.
pub fn devices_of(answer: &Value, host: &[PciAddress]) -> Vec<PassedDevice> {
    let mut found = Vec::new();
    for bus in answer.as_array().into_iter().flatten() {
        walk(&bus["devices"], host, &mut found);
    }
    found.sort_by_key(|device| device.host);
    found
}

/// A list of devices, and those behind its bridges.
fn walk(list: &Value, host: &[PciAddress], found: &mut Vec<PassedDevice>) {
    for device in list.as_array().into_iter().flatten() {
        let id = device["qdev_id"].as_str().unwrap_or_default();
        if let Some(&address) = host.iter().find(|address| device_id(**address) == id) {
            found.extend(read(device, address));
        }
        walk(&device["pci_bridge"]["devices"], host, found);
    }
}

/// One device; `None` where QEMU's answer has not the shape it is documented to have.
fn read(device: &Value, host: PciAddress) -> Option<PassedDevice> {
    let byte = |name: &str| device[name].as_u64().and_then(|value| u8::try_from(value).ok());
    let id = |name: &str| device["id"][name].as_u64().and_then(|value| u16::try_from(value).ok()).map(Hex16);
    let class = u32::try_from(device["class_info"]["class"].as_u64()?).ok()?;
    Some(PassedDevice {
        host,
        guest: PciAddress::new(0, byte("bus")?, byte("slot")?, byte("function")?).ok()?,
        id: PciId { vendor: id("vendor")?, device: id("device")? },
        subsystem: PciId {
            vendor: id("subsystem-vendor").unwrap_or_default(),
            device: id("subsystem").unwrap_or_default(),
        },
        class: ClassCode::new(class.checked_mul(0x100)?)?,
        bars: device["regions"].as_array().into_iter().flatten().filter_map(bar).collect(),
    })
}

/// One BAR; the ROM, which QEMU lists as the seventh, is none.
fn bar(region: &Value) -> Option<SeenBar> {
    let index = u8::try_from(region["bar"].as_u64()?).ok().filter(|index| *index < 6)?;
    let size = region["size"].as_u64()?;
    // QEMU writes -1 for a BAR that is not mapped.
    let start = region["address"].as_u64().filter(|address| *address != u64::MAX).unwrap_or(0);
    Some(SeenBar { index, size, start, memory: region["type"] == "memory" })
}

#[cfg(test)]
mod tests {
    use super::devices_of;
    use crate::testing::address;
    use serde_json::json;

    #[test]
    fn passed_functions_are_found_behind_their_ports_by_their_ids() {
        let answer = json!([{ "bus": 0, "devices": [
            { "bus": 0, "slot": 2, "function": 0, "qdev_id": "port1", "class_info": { "class": 1540 },
              "id": { "device": 12, "vendor": 6966 }, "regions": [],
              "pci_bridge": { "bus": { "number": 0 }, "devices": [
                { "bus": 1, "slot": 0, "function": 0, "qdev_id": "host-0000-06-00-0", "class_info": { "class": 768 },
                  "id": { "device": 5058, "vendor": 4318, "subsystem": 13945, "subsystem-vendor": 5208 },
                  "regions": [
                    { "bar": 0, "type": "memory", "size": 16_777_216, "address": 4_244_635_648_u64 },
                    { "bar": 5, "type": "io", "size": 128, "address": -1 },
                    { "bar": 6, "type": "memory", "size": 65536, "address": -1 } ] } ] } } ] }]);
        let devices = devices_of(&answer, &[address("0000:06:00.0"), address("0000:06:00.1")]);
        insta::assert_json_snapshot!(devices);
    }
}
