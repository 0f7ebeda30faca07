//! The machine that the tests run on, whatever it is.

use super::common;
use passthru_host::{Host, gather};
use passthru_model::facts::HostUse;
use pretty_assertions::assert_eq;

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
}

#[test]
fn a_capture_of_the_live_host_gives_the_same_facts() {
    let host = Host::live().recording();
    let before = gather(&host);
    let mut bytes = Vec::new();
    passthru_host::capture::archive(&host, false, &mut bytes).expect("writes");
    let mut after = gather(&Host::from_archive(bytes.as_slice()).expect("reads"));
    // What only the live host can know.
    after.surroundings.kind = before.surroundings.kind;
    after.surroundings.root = before.surroundings.root;
    after.kvm = before.kvm.clone();
    after.virtualisation.permissions = before.virtualisation.permissions.clone();
    after.virtualisation.kvmfr = before.virtualisation.kvmfr.clone();
    // A running kernel without a file is known to have none of what it lists; a capture cannot say.
    after.in_use_gaps.remove(&HostUse::Keyboard);
    let mut expected = before.clone();
    expected.in_use_gaps.remove(&HostUse::Keyboard);
    assert_eq!(common::summary(&expected), common::summary(&after));
    assert_eq!(format!("{expected:?}"), format!("{after:?}"));
    // Without remembering, the same is read, but for what changes from one moment to the next.
    let mut again = gather(&Host::live());
    assert_eq!(again.memory.huge_pages, before.memory.huge_pages);
    again.memory = before.memory.clone();
    assert_eq!(common::summary(&again), common::summary(&before));
}

#[test]
fn the_root_opened_as_a_directory_is_the_live_host() {
    assert!(Host::open("/".as_ref()).expect("opens").is_live());
}
