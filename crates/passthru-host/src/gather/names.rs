//! Names of devices, from `pci.ids`.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::pci_ids;
use passthru_model::address::PciAddress;
use passthru_model::fact::Fact;
use passthru_model::hex::PciId;
use passthru_model::pci::PciFunction;

use crate::host::Host;

/// Debian and Arch, Fedora and SUSE, the copy that `update-pciids` fetches.
const PATHS: &[&str] = &["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/var/lib/pciutils/pci.ids"];

/// Names for what is in this host; none where no list is installed.
pub(super) fn of(host: &Host, pci: &Fact<BTreeMap<PciAddress, PciFunction>>) -> BTreeMap<PciId, String> {
    let Some(functions) = pci.value().filter(|functions| !functions.is_empty()) else {
        return BTreeMap::new();
    };
    let Some(text) = PATHS.iter().find_map(|path| host.read(path).ok()) else { return BTreeMap::new() };
    let wanted: BTreeSet<_> = functions.values().map(|function| function.id).collect();
    pci_ids::names(&text, &wanted)
}
