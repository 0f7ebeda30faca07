//! Setups that people published: all are read without an error, and their real mistakes are found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use passthru_formats::shell::lists::{self, Lists};
use passthru_formats::{boot_entries, libvirt_conf, libvirt_domain, modprobe, module_list};
use passthru_host::{Host, gather};
use passthru_model::Verdict;
use passthru_plan::diagnose;

use crate::{Made, corpora, say};

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn every_file_of_the_setups_is_read_without_an_error() {
    let Some(folder) = corpora("setups") else { return };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for path in files(&folder) {
        let (file, bytes) = (path.display().to_string(), std::fs::read(&path).expect("reads"));
        let name = name(&path);
        let kind = if path.extension().is_some_and(|ending| ending == "xml") {
            // A device of its own (mdev) and a network are XML of libvirt, and no domain.
            match libvirt_domain::parse(&file, &bytes) {
                Ok(domain) => {
                    assert!(
                        !domain.name.is_empty() && domain.vcpus.is_some() && domain.memory.is_some(),
                        "{file}: {domain:?}"
                    );
                    assert_eq!(
                        libvirt_domain::parse(&file, &libvirt_domain::without_secrets(&bytes)).as_ref(),
                        Ok(&domain),
                        "{file}"
                    );
                    "domains"
                }
                Err(libvirt_domain::DomainError::Root { .. }) => "other XML",
                Err(error) => panic!("{error}"),
            }
        } else if file.contains("modprobe.d") {
            let read = modprobe::parse(&file, &bytes);
            assert!(!read.commands.is_empty() && read.misunderstood.is_empty(), "{file}: {read:?}");
            "modprobe.d"
        } else if file.contains("modules-load.d") {
            assert!(!module_list::parse(&file, &bytes).is_empty(), "{file}");
            "modules-load.d"
        } else if name.contains("mkinitcpio.conf") {
            assert_lists(&file, &bytes);
            "mkinitcpio.conf"
        } else if file.contains("entries") {
            assert!(
                boot_entries::bls(&file, &bytes).is_some_and(|entry| entry.cmdline.contains("root=")),
                "{file}"
            );
            "boot entries"
        } else if name == "qemu.conf" {
            assert!(libvirt_conf::parse(&bytes).contains_key("user"), "{file}");
            "qemu.conf"
        } else {
            continue;
        };
        *counts.entry(kind).or_default() += 1;
    }
    say(&format!("read of the setups: {counts:?}"));
    assert!(counts.get("domains").is_some_and(|count| *count >= 50), "{counts:?}");
}

#[test]
fn every_mkinitcpio_conf_of_twenty_years_is_read_without_an_error() {
    let Some(folder) = corpora("configs/mkinitcpio") else { return };
    let all = files(&folder);
    for path in &all {
        assert_lists(&path.display().to_string(), &std::fs::read(path).expect("reads"));
    }
    say(&format!("{} mkinitcpio.conf read", all.len()));
}

fn assert_lists(file: &str, bytes: &[u8]) {
    let mut lists = Lists::new();
    lists::read(&String::from_utf8_lossy(bytes), &mut lists)
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    let sets =
        |name: &str| String::from_utf8_lossy(bytes).lines().any(|line| line.starts_with(&format!("{name}=")));
    assert!(sets("HOOKS"), "{file}");
    for wanted in ["MODULES", "HOOKS", "FILES", "BINARIES"].into_iter().filter(|name| sets(name)) {
        assert!(matches!(lists.get(wanted), Some(Ok(_))), "{file}: {wanted}: {:?}", lists.get(wanted));
    }
}

#[test]
fn every_domain_of_libvirt_s_own_tests_is_read_without_an_error() {
    let Some(folder) = corpora("libvirt/qemuxmlconf") else { return };
    let mut count = 0;
    for path in
        files(&folder).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "xml"))
    {
        let file = path.display().to_string();
        let domain = libvirt_domain::parse(&file, &std::fs::read(&path).expect("reads"))
            .unwrap_or_else(|error| panic!("{error}"));
        let arguments = std::fs::read_to_string(path.with_extension("args")).unwrap_or_default();
        // What libvirt hands to QEMU has each function that was read, and no other.
        for function in &domain.pci {
            let host = format!("\"host\":\"{}\"", function.address);
            assert!(arguments.is_empty() || arguments.contains(&host), "{file}: {host}");
        }
        if !arguments.is_empty() {
            let given = arguments.matches("\"driver\":\"vfio-pci\",\"host\":").count();
            let networks = arguments.matches("\"driver\":\"vfio-pci\",\"host\":").count() >= domain.pci.len();
            assert!(given == domain.pci.len() || networks, "{file}: {given} {:?}", domain.pci);
        }
        count += 1;
    }
    say(&format!("{count} domains of libvirt's tests read"));
}

/// What the checks say of whole published setups, that is of their files alone.
#[test]
fn the_mistakes_of_published_setups_are_found() {
    let Some(folder) = corpora("setups") else { return };
    let wanted = |setup: &str, id: &str| {
        let facts = gather(&Host::open(&folder.join(setup)).expect("opens"));
        diagnose(&facts, &[id]).expect("a check").remove(0)
    };
    for (setup, id, verdict, word) in [
        ("vfio", "vfio-virqfd", Verdict::Fail, "mkinitcpio.conf:7 names vfio_virqfd"),
        ("vfio", "virtio-modules", Verdict::Warn, "virtio_net"),
        ("vfio", "user-permissions", Verdict::Warn, "a user who logs in"),
        ("vfio", "initramfs-settings", Verdict::Pass, "mkinitcpio"),
        ("win10-vfio-configs", "vfio-virqfd", Verdict::Fail, "names vfio_virqfd"),
        ("win10-vfio-configs", "boot-entry-advice", Verdict::Warn, "rcb_nocbs"),
        ("win10-vfio-configs", "guest-firmware", Verdict::Warn, "as a ROM"),
        ("vfio-config", "boot-entry-advice", Verdict::Warn, "amd_iommu=on"),
        ("vfio-config", "initramfs-settings", Verdict::Warn, "amdgpu ahead of vfio_pci"),
        ("vfio-config", "vfio-virqfd", Verdict::Pass, "no list"),
    ] {
        let one = wanted(setup, id);
        assert_eq!(one.verdict, verdict, "{setup} {id}: {}", one.summary);
        assert!(one.summary.contains(word), "{setup} {id}: {}", one.summary);
    }
}

/// Published domains on a machine that has none of their devices: each address is stale, and said to be.
#[test]
fn domains_from_another_machine_name_devices_that_are_not_there() {
    let Some(folder) = corpora("setups") else { return };
    let text = std::fs::read(folder.join("vfio/etc/libvirt/qemu/win10.xml")).expect("reads");
    let made = Made::new().file("/etc/libvirt/qemu/win10.xml", text);
    let one = made.check("guest-devices");
    assert_eq!(one.verdict, Verdict::Fail, "{}", one.summary);
    assert!(one.summary.contains("where this host has no device"), "{}", one.summary);
}
