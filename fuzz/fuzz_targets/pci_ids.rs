//! Any bytes as `pci.ids`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::pci_ids;

fuzz_target!(|bytes: &[u8]| {
    let wanted = ["10de:13c2", "10de:0000", "8086:ffff"].iter().map(|id| id.parse().expect("an id")).collect();
    assert!(pci_ids::names(bytes, &wanted).keys().all(|id| wanted.contains(id)));
});
