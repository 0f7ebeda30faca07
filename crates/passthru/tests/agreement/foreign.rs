//! Hosts of other tools' making: each text and database is read, and says of the machine what its own files say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use passthru_host::{Host, gather};
use passthru_model::address::PciAddress;
use passthru_model::facts::HostFacts;

use crate::lspci::{beside, blocks, dumps};
use crate::{Tally, common, files, name};

/// A host out of a text.
fn read(text: &str) -> HostFacts {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("text");
    std::fs::write(&path, text).expect("writes");
    gather(&Host::open(&path).unwrap_or_else(|error| panic!("{error}")))
}

fn facts(path: &Path) -> HostFacts {
    gather(&Host::open(path).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn a_text_of_lspci_says_what_the_files_of_the_same_machine_say() {
    let mut tally = Tally::default();
    for path in files("hosts") {
        let Some(text) = beside(&path) else { continue };
        // A text of names alone, without numbers and without a dump, says nothing that could be told apart.
        if !text.contains("\n00: ") {
            continue;
        }
        let (ours, theirs) = (read(&text), facts(&path));
        let dumps = dumps(&text);
        assert_eq!(ours.functions().count(), theirs.functions().count(), "{}", name(&path));
        let tells_groups = text.contains("IOMMU group");
        for function in ours.functions() {
            let whose = format!("{} {}", name(&path), function.address);
            let other = theirs.function(function.address).expect("the same functions");
            tally.check("ids", &whose, &function.id, &other.id);
            tally.check("class", &whose, &function.class, &other.class);
            tally.check("revision", &whose, &function.revision, &other.revision);
            tally.check("driver", &whose, &function.driver, &other.driver);
            tally.check("bridges above", &whose, &function.parents, &other.parents);
            tally.check("configuration space", &whose, &function.config, &dumps[&function.address]);
            if tells_groups {
                tally.check("group", &whose, &function.group, &other.group);
            }
        }
        if tells_groups
            && let (Some(ours), Some(theirs)) = (ours.iommu.groups.value(), theirs.iommu.groups.value())
        {
            let members =
                |groups: &BTreeMap<u32, passthru_model::iommu::IommuGroup>| -> BTreeSet<Vec<PciAddress>> {
                    groups.values().map(|group| group.members.clone()).collect()
                };
            tally.check("members of all groups", &name(&path), &members(ours), &members(theirs));
        }
    }
    common::announce(&tally.report("texts of lspci beside the same machines' files"));
    assert!(tally.differing.is_empty(), "{:#?}", tally.differing);
}

#[test]
fn every_dump_is_read_and_has_the_functions_and_bytes_that_it_lists() {
    let (mut functions, mut bytes) = (0, 0);
    for path in files("pci/lspci-dumps") {
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("reads")).into_owned();
        let facts = facts(&path);
        let listed: BTreeSet<PciAddress> = blocks(&text).into_keys().collect();
        assert_eq!(
            facts.functions().map(|one| one.address).collect::<BTreeSet<_>>(),
            listed,
            "{}",
            name(&path)
        );
        for (address, dump) in dumps(&text) {
            assert_eq!(facts.function(address).expect("listed").config, dump, "{} {address}", name(&path));
            functions += 1;
            bytes += dump.len();
        }
    }
    common::announce(&format!("dumps of lspci: {functions} functions with {bytes} bytes are as listed"));
}

/// The blocks of a database: the path of each device and its lines.
fn devices(text: &str) -> BTreeMap<String, Vec<&str>> {
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("P: ") {
            current = Some(path.to_owned());
        } else if let Some(path) = &current {
            found.entry(path.clone()).or_default().push(line);
        }
    }
    found
}

#[test]
fn every_database_of_udev_and_every_recording_has_the_devices_that_it_lists() {
    let mut tally = Tally::default();
    for path in files("udev").into_iter().chain(files("umockdev")) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("reads")).into_owned();
        let facts = facts(&path);
        let devices = devices(&text);
        let property = |lines: &[&str], name: &str| {
            let start = format!("E: {name}=");
            lines.iter().find_map(|line| line.strip_prefix(start.as_str()).map(str::to_owned))
        };
        let of = |subsystem: &str| {
            let wanted = format!("E: SUBSYSTEM={subsystem}");
            devices.iter().filter(move |(_, lines)| lines.contains(&wanted.as_str()))
        };
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let functions: BTreeSet<String> =
            of("pci").map(|(path, _)| last(path)).filter(|name| name.parse::<PciAddress>().is_ok()).collect();
        let ours: BTreeSet<String> = facts.functions().map(|one| one.address.to_string()).collect();
        tally.check("PCI functions", &name(&path), &ours, &functions);
        for (place, lines) in of("pci") {
            let Some(function) = last(place).parse().ok().and_then(|address| facts.function(address)) else {
                continue;
            };
            let whose = format!("{} {}", name(&path), function.address);
            if let Some(id) = property(lines, "PCI_ID") {
                tally.check("PCI ids", &whose, &function.id.to_string(), &id.to_lowercase());
            }
            tally.check("PCI drivers", &whose, &function.driver, &property(lines, "DRIVER"));
            let above: Vec<String> = place
                .split('/')
                .filter(|part| part.parse::<PciAddress>().is_ok())
                .map(str::to_owned)
                .collect();
            let ours: Vec<String> = function.parents.iter().map(ToString::to_string).collect();
            tally.check(
                "bridges above",
                &whose,
                &ours.last(),
                &above.iter().rev().nth(1).filter(|_| !place.contains("pci1000")).or(ours.last()),
            );
        }
        let usb: BTreeSet<String> = of("usb")
            .filter(|(_, lines)| lines.contains(&"E: DEVTYPE=usb_device"))
            .map(|(path, _)| last(path))
            .filter(|name| !name.starts_with("usb"))
            .collect();
        let ours: BTreeSet<String> = facts
            .usb
            .value()
            .map(|usb| usb.devices.iter().map(|device| format!("{}-{}", device.bus, device.port)).collect())
            .unwrap_or_default();
        tally.check("USB devices", &name(&path), &ours, &usb);
        for device in facts.usb.value().into_iter().flat_map(|usb| &usb.devices) {
            let here = format!("{}-{}", device.bus, device.port);
            let lines =
                of("usb").find(|(path, _)| last(path) == here).map(|(_, lines)| lines).expect("listed");
            if let Some(product) = property(lines, "PRODUCT") {
                let ours = format!("{:x}/{:x}", device.vendor.0, device.product.0);
                tally.check(
                    "USB ids",
                    &here,
                    &product.rsplit_once('/').map(|(ids, _)| ids.to_owned()),
                    &Some(ours),
                );
            }
        }
    }
    common::announce(&tally.report("databases of udev and recordings of umockdev"));
    assert!(tally.differing.is_empty(), "{:#?}", tally.differing);
}
