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

/// Does something, and reads the list of names meanwhile: it is a megabyte long.
pub(super) fn beside<T>(host: &Host, act: impl FnOnce() -> T) -> (T, Option<Vec<u8>>) {
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new().spawn_scoped(scope, || list(host));
        (act(), reading.ok().and_then(|reading| reading.join().ok()).flatten())
    })
}

fn list(host: &Host) -> Option<Vec<u8>> {
    PATHS.iter().find_map(|path| host.read(path).ok())
}

/// Names for what is in this host; none where no list is installed. `text`: the list, where it has been read already.
pub(super) fn of(
    host: &Host,
    pci: &Fact<BTreeMap<PciAddress, PciFunction>>,
    text: Option<Vec<u8>>,
) -> BTreeMap<PciId, String> {
    let Some(functions) = pci.value().filter(|functions| !functions.is_empty()) else {
        return BTreeMap::new();
    };
    let Some(text) = text.or_else(|| list(host)) else { return BTreeMap::new() };
    let wanted: BTreeSet<_> = functions.values().map(|function| function.id).collect();
    pci_ids::names(&text, &wanted)
}
