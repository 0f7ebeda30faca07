//! The machine that the tests run on, whatever it is.

use super::common;
use passthru_host::{Host, gather};

#[test]
fn the_live_host_is_gathered_and_agrees_with_its_own_listing() {
    let facts = gather(&Host::live());
    if let Some(functions) = facts.pci.value() {
        let listed = std::fs::read_dir("/sys/bus/pci/devices").map_or(0, Iterator::count);
        assert_eq!(functions.len(), listed);
        for function in functions.values() {
            let class = std::fs::read_to_string(function.attribute("class")).expect("readable for all");
            assert_eq!(class.trim(), format!("0x{}", function.class));
        }
    }
    if let Some(release) = facts.kernel.release.value() {
        let theirs = rustix::system::uname();
        assert_eq!(release.as_str(), theirs.release().to_str().expect("ASCII"));
    }
    println!("{}", common::summary(&facts));
}

#[test]
fn the_root_opened_as_a_directory_is_the_live_host() {
    assert!(Host::open("/".as_ref()).expect("opens").is_live());
}
