//! The XML against libvirt's own schema.

use std::process::Command;

use passthru_formats::libvirt_domain;
use passthru_guest::{GuestSpec, libvirt};

use crate::{build, corpora, has, paths, say, some, testing};
use passthru_guest::spec::{AccelChoice, Disk, DiskFormat, FirmwareKind, Medium, Os};

fn xml(spec: &GuestSpec) -> String {
    let guest = build(spec);
    libvirt::xml(&guest.machine(&paths(&guest)))
}

#[test]
fn a_guest_with_a_gpu_and_its_audio() {
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.devices = testing::gpu_identities();
    spec.disks.push(Disk { path: "/srv/<b> & 'c', old.qcow2".into(), format: DiskFormat::Qcow2 });
    spec.media.push(Medium { path: "/srv/debian.iso".into() });
    insta::assert_snapshot!(xml(&spec));
}

#[test]
fn a_windows_without_a_gpu() {
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.os = Os::Windows10;
    spec.accel = AccelChoice::Tcg;
    spec.firmware = FirmwareKind::Seabios;
    spec.disks.push(Disk { path: "/dev/vg/win".into(), format: DiskFormat::Raw });
    spec.media.push(Medium { path: "/srv/win.iso".into() });
    insta::assert_snapshot!(xml(&spec));
}

#[test]
fn what_is_defined_has_a_mark_by_which_it_is_known_again_and_is_a_domain_all_the_same() {
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.firmware = FirmwareKind::Seabios;
    let guest = build(&spec);
    let machine = guest.machine(&paths(&guest));
    let defined = libvirt::defined(&machine, Some("c0de0000-0000-4000-8000-000000000001"));
    let read = |xml: &str| libvirt_domain::tree("box.xml", xml.as_bytes()).expect("a domain");
    assert!(libvirt::is_ours(&read(&defined)));
    assert!(!libvirt::is_ours(&read(&libvirt::xml(&machine))), "what is exported is whoever's defines it");
    assert_eq!(read(&defined).child("uuid").expect("an id").text, "c0de0000-0000-4000-8000-000000000001");
    let Some(schema) = corpora("libvirt/schemas/domain.rng") else { return };
    if !has("xmllint") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("box.xml");
    std::fs::write(&file, &defined).expect("written");
    let out =
        Command::new("xmllint").args(["--noout", "--relaxng"]).arg(schema).arg(file).output().expect("runs");
    assert!(out.status.success(), "{}\n{defined}", String::from_utf8_lossy(&out.stderr));
}

/// Files with the XML of many guests, each named by its number.
fn written(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let all = some(256);
    let files = all.iter().enumerate().map(|(number, spec)| {
        let path = folder.join(format!("{number}.xml"));
        std::fs::write(&path, xml(spec)).expect("written");
        path
    });
    files.collect()
}

#[test]
fn every_guest_is_a_domain_by_libvirts_newest_schema() {
    let Some(schema) = corpora("libvirt/schemas/domain.rng") else { return };
    if !has("xmllint") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let files = written(folder.path());
    let out = Command::new("xmllint").args(["--noout", "--relaxng"]).arg(schema).args(files).output();
    let out = out.expect("runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn every_guest_is_a_domain_by_the_schema_of_the_libvirt_that_is_installed() {
    if !has("virt-xml-validate") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    // It takes a file at a time.
    for file in written(folder.path()).into_iter().step_by(16) {
        let text = std::fs::read_to_string(&file).expect("there");
        // Which came with libvirt 9.10.
        if text.contains("type='pipewire'") {
            continue;
        }
        let out = Command::new("virt-xml-validate").arg(&file).arg("domain").output().expect("runs");
        say(String::from_utf8_lossy(&out.stdout).trim());
        assert!(out.status.success(), "{}{text}", String::from_utf8_lossy(&out.stderr));
    }
}
