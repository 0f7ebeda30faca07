//! Small machines with configuration space, for foretelling groups.

use passthru_model::HostFacts;
use passthru_model::fact::Fact;
use passthru_model::pci::PciFunction;
use passthru_plan::predict::{AcsOverride, Assumptions, Prediction, predict};

use crate::common;

/// PCI Express kinds (Express Capabilities Register, bits 7:4).
pub(crate) const ENDPOINT: u8 = 0x0;
pub(crate) const ROOT_PORT: u8 = 0x4;
pub(crate) const UPSTREAM: u8 = 0x5;
pub(crate) const DOWNSTREAM: u8 = 0x6;
pub(crate) const TO_PCI: u8 = 0x7;
pub(crate) const RC_ENDPOINT: u8 = 0x9;

/// All services that count, and none of them on.
pub(crate) const FULL: Option<(u16, u16)> = Some((0x1d, 0));

/// Where the capability of PCI Express and that of access control begin.
const EXPRESS: usize = 0x40;
const SERVICES: usize = 0x100;

fn put(config: &mut [u8], offset: usize, bytes: &[u8]) {
    config[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn header(function: &PciFunction, size: usize) -> Vec<u8> {
    let mut config = vec![0u8; size];
    put(&mut config, 0x00, &function.id.vendor.0.to_le_bytes());
    put(&mut config, 0x02, &function.id.device.0.to_le_bytes());
    let bridge = function.class.is_pci_bridge();
    config[0x0e] = u8::from(bridge);
    config
}

/// A function of PCI Express.
pub(crate) fn express(
    address: &str,
    id: &str,
    kind: u8,
    services: Option<(u16, u16)>,
    parents: &[&str],
) -> PciFunction {
    let port = matches!(kind, ROOT_PORT | UPSTREAM | DOWNSTREAM | TO_PCI);
    let mut function = common::function(address, id, if port { "060400" } else { "030000" }, None, parents);
    let mut config = header(&function, 4096);
    put(&mut config, 0x06, &[0x10, 0x00]);
    put(&mut config, 0x34, &[0x40]);
    // With a slot of sixteen lanes.
    put(&mut config, EXPRESS, &[0x10, 0x00, (kind << 4) | 2, 0x01]);
    put(&mut config, EXPRESS + 0x0c, &[0x03, 0x01, 0x00, 0x00]);
    if let Some((capability, control)) = services {
        put(&mut config, SERVICES, &[0x0d, 0x00, 0x01, 0x00]);
        put(&mut config, SERVICES + 4, &capability.to_le_bytes());
        put(&mut config, SERVICES + 6, &control.to_le_bytes());
    }
    function.config = config;
    function
}

/// A function of conventional PCI; class `0604` makes a bridge.
pub(crate) fn conventional(address: &str, id: &str, class: &str, parents: &[&str]) -> PciFunction {
    let mut function = common::function(address, id, class, None, parents);
    function.config = header(&function, 256);
    function
}

/// Says in function 0 that its slot has more functions.
pub(crate) fn several(mut function: PciFunction) -> PciFunction {
    if let Some(kind) = function.config.get_mut(0x0e) {
        *kind |= 0x80;
    }
    function
}

/// Only that much of configuration space, as without root.
pub(crate) fn cut(mut function: PciFunction, bytes: usize) -> PciFunction {
    function.config.truncate(bytes);
    function
}

/// A host of these functions, with an IOMMU that is off.
pub(crate) fn machine(functions: Vec<PciFunction>) -> HostFacts {
    let mut facts = common::host();
    facts.pci = Fact::known(
        functions.into_iter().map(|function| (function.address, function)).collect(),
        "/sys/bus/pci/devices",
        "",
    );
    facts
}

pub(crate) fn plainly(facts: &HostFacts) -> Prediction {
    predict(facts, &Assumptions::default())
}

/// The same host with a kernel that has the override patch and was given these words.
pub(crate) fn overridden(facts: &HostFacts, words: &str) -> Prediction {
    let words: AcsOverride = words.parse().expect("words of the override");
    predict(facts, &Assumptions { acs_override: Some(words) })
}

/// A host of these parts.
pub(crate) fn joined(parts: Vec<Vec<PciFunction>>) -> HostFacts {
    machine(parts.into_iter().flatten().collect())
}

/// A root port.
pub(crate) fn port(address: &str, services: Option<(u16, u16)>) -> PciFunction {
    express(address, "1b36:000c", ROOT_PORT, services, &[])
}

/// The groups in one line each, without the domain where it is 0: short enough to be read in an assertion.
pub(crate) fn groups(prediction: &Prediction) -> Vec<String> {
    prediction
        .groups
        .iter()
        .map(|group| {
            let all: Vec<String> = group
                .addresses()
                .iter()
                .map(|address| address.to_string().trim_start_matches("0000:").to_owned())
                .collect();
            all.join(" ")
        })
        .collect()
}
