//! Any bytes as configuration space, after a header that says there are capabilities.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_formats::{config_space, pci_ports};

fn all(config: &[u8]) {
    use config_space as space;
    for capability in space::standard(config).there().unwrap_or_default() {
        assert!(usize::from(capability.offset) >= space::HEADER && usize::from(capability.offset) < config.len());
    }
    for capability in space::extended(config) {
        assert!(usize::from(capability.offset) >= space::CONVENTIONAL);
        assert!(usize::from(capability.offset) < config.len());
    }
    let _ = (space::header_type(config), space::is_multifunction(config), space::port_type(config));
    let _ = (space::function_level_reset(config), space::acs(config), space::message_interrupts(config));
    let _ = (space::advanced_features(config), space::express(config), space::msi(config), space::msix(config));
    let _ = (space::power_management(config), space::latency_tolerance(config), space::l1_substates(config));
    let _ = (space::resizable_bars(config), space::virtual_resizable_bars(config));
    let _ = (space::error_reporting(config), space::containment(config), space::virtual_functions(config));
    let _ = (space::address_translation(config), space::page_requests(config), space::address_spaces(config));
    let _ = (pci_ports::slot(config), pci_ports::acs_in_double_words(config));
    let _ = pci_ports::root_complex_block_enabled(config);
}

fuzz_target!(|bytes: &[u8]| {
    all(bytes);
    // A function that answers, has a list that begins where it may, and is PCI Express: so the walks are reached.
    let mut config = vec![0; config_space::EXTENDED];
    let begin = [0x86, 0x80, 0x00, 0x10, 0x00, 0x00, 0x10, 0x00];
    config[..begin.len()].copy_from_slice(&begin);
    config[0x34] = 0x40;
    config[0x40] = config_space::id::EXPRESS;
    for (place, byte) in config.iter_mut().skip(0x41).zip(bytes) {
        *place = *byte;
    }
    all(&config);
    // Extended space right from the first of the bytes.
    for (place, byte) in config.iter_mut().skip(config_space::CONVENTIONAL).zip(bytes) {
        *place = *byte;
    }
    all(&config);
});
