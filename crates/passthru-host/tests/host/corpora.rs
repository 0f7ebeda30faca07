//! Real machines' data: everything in it is read without an error, and agrees with what the archive itself says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::common;
use passthru_formats::config_space::{self, Seen, extended_id};
use passthru_host::{Host, gather};
use passthru_model::address::PciAddress;
use passthru_model::facts::HostFacts;
use pretty_assertions::assert_eq;

fn archives() -> Vec<PathBuf> {
    let Some(folder) = common::corpora("hosts") else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// The archive's own links, by another reader: the tar crate's, without our resolver.
fn links(path: &Path, below: &str) -> BTreeMap<String, String> {
    let file = File::open(path).expect("opens");
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut found = BTreeMap::new();
    for entry in tar.entries().expect("reads") {
        let entry = entry.expect("an entry");
        let name = entry.path().expect("a path").to_string_lossy().trim_start_matches("./").to_owned();
        if let (Some(rest), Ok(Some(target))) = (name.strip_prefix(below), entry.link_name()) {
            found.insert(rest.to_owned(), target.to_string_lossy().into_owned());
        }
    }
    found
}

fn text(path: &Path, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let file = File::open(path).expect("opens");
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().expect("reads") {
        let mut entry = entry.expect("an entry");
        if wanted(&entry.path().expect("a path").to_string_lossy()) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("reads");
            return Some(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    None
}

fn facts(path: &Path) -> HostFacts {
    gather(&Host::open(path).expect("opens"))
}

#[test]
fn every_archive_is_read_and_every_function_in_it_is_found() {
    for path in archives() {
        let facts = facts(&path);
        let expected: BTreeSet<PciAddress> =
            links(&path, "sys/bus/pci/devices/").keys().filter_map(|name| name.parse().ok()).collect();
        let found: BTreeSet<PciAddress> = facts.functions().map(|function| function.address).collect();
        assert_eq!(found, expected, "{}", name(&path));
        for function in facts.functions() {
            let known: Vec<_> = function
                .gaps
                .iter()
                .filter(|(what, why)| !why.ends_with("is not there") && what.as_str() != "reset_method")
                .collect();
            assert!(known.is_empty(), "{} {}: {known:?}", name(&path), function.address);
            assert!(
                !function.gaps.contains_key("vendor") && !function.gaps.contains_key("class"),
                "{function:?}"
            );
        }
    }
}

#[test]
fn groups_agree_with_the_links_in_the_archive() {
    for path in archives() {
        let facts = facts(&path);
        let mut expected: BTreeMap<u32, Vec<PciAddress>> = BTreeMap::new();
        for place in links(&path, "sys/kernel/iommu_groups/").keys() {
            let mut parts = place.split("/devices/");
            let (Some(group), Some(address)) = (parts.next(), parts.next()) else { continue };
            let group = group.parse().expect("a number");
            expected.entry(group).or_default().push(address.parse().expect("an address"));
        }
        for members in expected.values_mut() {
            members.sort();
        }
        match facts.iommu.groups.value() {
            Some(groups) => {
                let found: BTreeMap<u32, Vec<PciAddress>> =
                    groups.iter().map(|(id, group)| (*id, group.members.clone())).collect();
                assert_eq!(found, expected, "{}", name(&path));
                for (id, members) in &found {
                    for member in members {
                        assert_eq!(
                            facts.function(*member).and_then(|function| function.group),
                            Some(*id),
                            "{member}"
                        );
                    }
                }
            }
            None => assert_eq!(expected, BTreeMap::new(), "{}", name(&path)),
        }
    }
}

/// What lspci printed on the machine itself, by function.
fn lspci(text: &str) -> BTreeMap<PciAddress, String> {
    let mut found: BTreeMap<PciAddress, String> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        let first = line.split(' ').next().unwrap_or_default();
        if let Ok(address) = first.parse::<PciAddress>() {
            current = Some(address);
        }
        if let Some(address) = current {
            let block = found.entry(address).or_default();
            block.push_str(line);
            block.push('\n');
        }
    }
    found
}

#[test]
fn drivers_and_capabilities_agree_with_lspci_on_the_machine_itself() {
    let (mut drivers, mut resets, mut services) = (0, 0, 0);
    for path in archives() {
        let Some(text) = text(&path, |name| name.trim_start_matches("./").starts_with("lspci")) else {
            continue;
        };
        let blocks = lspci(&text);
        let facts = facts(&path);
        assert_eq!(blocks.len(), facts.functions().count(), "{}", name(&path));
        for function in facts.functions() {
            let what = format!("{} {}", name(&path), function.address);
            let block = blocks.get(&function.address).unwrap_or_else(|| panic!("{what}"));
            let line = |start: &str| block.lines().map(str::trim).find_map(|line| line.strip_prefix(start));
            if let Some(driver) = line("Kernel driver in use: ") {
                assert_eq!(function.driver.as_deref(), Some(driver), "{what}");
                drivers += 1;
            }
            if !config_space::answers(&function.config) {
                continue;
            }
            // The archives called decoded-* have their lists rebuilt from text, and not what the registers hold.
            if function.config.len() >= config_space::CONVENTIONAL
                && !name(&path).starts_with("decoded-")
                && let Some(capabilities) = block.lines().find(|line| line.contains("FLReset"))
            {
                let expected = capabilities.contains("FLReset+");
                let express = config_space::function_level_reset(&function.config);
                assert_eq!(express == Seen::There(()), expected || block.contains("FLR+"), "{what}");
                resets += 1;
            }
            let acs = config_space::acs(&function.config);
            if function.config.len() < config_space::EXTENDED {
                assert!(acs.there().is_none(), "{what}: {acs:?}");
            } else if let Some(control) = line("ACSCtl:") {
                let bits = [
                    "SrcValid",
                    "TransBlk",
                    "ReqRedir",
                    "CmpltRedir",
                    "UpstreamFwd",
                    "EgressCtrl",
                    "DirectTrans",
                ];
                let expected = bits
                    .iter()
                    .enumerate()
                    .filter(|(_, bit)| control.contains(&format!("{bit}+")))
                    .fold(0u16, |sum, (at, _)| sum | 1 << at);
                assert_eq!(acs.there().map(|acs| acs.control & 0x7f), Some(expected), "{what}");
                services += 1;
            } else if !block.contains("Access Control Services") {
                assert!(acs.there().is_none(), "{what}: {acs:?}");
            }
        }
    }
    common::announce(&format!(
        "{drivers} drivers, {resets} reset bits, {services} access control registers agree"
    ));
}

#[test]
fn half_of_configuration_space_leaves_access_control_unseen() {
    for path in archives().iter().filter(|path| name(path).starts_with("amd-3550H")) {
        let facts = facts(path);
        for function in facts.functions() {
            let express = config_space::find(&function.config, config_space::id::EXPRESS);
            if matches!(express, Seen::There(_)) {
                let seen = config_space::find_extended(&function.config, extended_id::ACS);
                assert_eq!(seen, Seen::Unseen, "{}", function.address);
            }
        }
    }
}

#[test]
fn domains_of_more_than_four_digits_keep_their_parents_to_themselves() {
    for path in archives().iter().filter(|path| name(path).starts_with("off-intel-W2265")) {
        let facts = facts(path);
        let far: Vec<_> = facts.functions().filter(|function| function.address.domain() > 0xffff).collect();
        assert!(!far.is_empty());
        assert!(far.iter().all(|function| function.parents.iter().all(|parent| parent.domain() > 0xffff)));
    }
}

#[test]
fn a_capture_of_what_was_read_gives_the_same_facts() {
    for path in archives() {
        let host = Host::open(&path).expect("opens").recording();
        let before = gather(&host);
        let mut bytes = Vec::new();
        passthru_host::capture::archive(&host, false, &mut bytes).expect("writes");
        let after = gather(&Host::from_archive(bytes.as_slice()).expect("reads"));
        assert_eq!(common::summary(&before), common::summary(&after), "{}", name(&path));
        assert_eq!(format!("{before:?}"), format!("{after:?}"), "{}", name(&path));
        // The same host gives the same bytes.
        let again = Host::open(&path).expect("opens").recording();
        gather(&again);
        let mut second = Vec::new();
        passthru_host::capture::archive(&again, false, &mut second).expect("writes");
        assert!(bytes == second, "{}", name(&path));
        // With names and numbers replaced, it is still read.
        let mut hidden = Vec::new();
        passthru_host::capture::archive(&host, true, &mut hidden).expect("writes");
        let redacted = gather(&Host::from_archive(hidden.as_slice()).expect("reads"));
        assert_eq!(redacted.functions().count(), before.functions().count());
        assert_eq!(redacted.iommu.groups.value(), before.iommu.groups.value());
    }
}
