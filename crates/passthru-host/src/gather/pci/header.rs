//! Which functions are bridges, with as little read of configuration space as can be.
//!
//! A bridge is told by its class, and where that says something else, by the type of its header in configuration space. The
//! kernel has looked at that header already: since Linux 4.13 each PCI bridge, whatever its class, has the numbers of the
//! buses around it as attributes, and nothing else has (`pci_bridge_attrs_are_visible`, `drivers/pci/pci-sysfs.c`). To see
//! that an attribute is missing asks no device and wakes none up.

use std::collections::BTreeMap;

use passthru_model::address::PciAddress;
use passthru_model::hex::ClassCode;
use passthru_model::pci::PciFunction;

use super::{DEVICES, Reader, Space};
use crate::directory::Directory;
use crate::host::Host;

/// Whether a function has the number of the bus below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buses {
    There,
    Absent,
}

/// Looks whether a function has the number of the bus below it; `None` where that could not be seen, or does not matter.
pub(super) fn buses(directory: &Directory<'_>, class: ClassCode) -> Option<Buses> {
    if class.is_bridge() && !class.is_pci_bridge() {
        return None;
    }
    let there = directory.has("secondary_bus_number").ok()?;
    Some(if there { Buses::There } else { Buses::Absent })
}

/// The functions whose header must be read to know whether they are bridges: none whose class says so, nor any without the
/// numbers of buses where all PCI bridges of the host have them.
pub(super) fn unclear(read: &[(PciAddress, (PciFunction, Option<Buses>))]) -> Vec<PciAddress> {
    let mut bridges = read.iter().filter(|(_, (function, _))| function.class.is_pci_bridge()).peekable();
    // A kernel that is older, or a capture without these attributes, shows them of no bridge.
    let told = bridges.peek().is_some() && bridges.all(|(_, (_, buses))| *buses == Some(Buses::There));
    read.iter()
        .filter(|(_, (function, buses))| {
            !(function.class.is_bridge() || told && *buses == Some(Buses::Absent))
        })
        .map(|(address, _)| *address)
        .collect()
}

/// Reads the head of a function's configuration space, or says why that is not possible.
pub(super) fn read(host: &Host, address: PciAddress) -> (Vec<u8>, BTreeMap<String, String>) {
    let directory = host.directory(&format!("{DEVICES}/{address}"));
    let mut reader = Reader { directory, gaps: BTreeMap::new() };
    (reader.config(Space::Head), reader.gaps)
}
