//! Whether the devices that guests name are the ones of this host, whole and free.

use std::collections::BTreeMap;

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainEdit, DomainPci};

use super::domains::has_devices;
use super::guest_audio::runs_as_somebody;
use super::lint::Lint;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};
use crate::groups::{company, listed};
use crate::stake::{self, Stake};

pub(super) const LINT: Lint = Lint {
    id: "guest-devices",
    title: "the host's devices that guests name are there, whole and free",
    section: "Attaching the PCI devices",
    why: "addresses change with slots and firmware settings; a guest that names an old one takes another device, or does not start",
    about: "is given a device of the host",
    concerns: |_, domain| has_devices(domain),
    judge,
    instead: |facts| Some(Outcome::unknown("which devices there are", facts.pci.because()?)),
    well: "whose devices are all there",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let (name, path) = (&domain.name, &domain.path);
    let given: Vec<_> = domain.pci.iter().map(|device| device.address).collect();
    remarks.seen(path.clone(), listed(&given));
    let mut lacking: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for device in &domain.pci {
        files(facts, domain, device, remarks);
        let Some(function) = facts.function(device.address) else {
            if facts.pci.value().is_some() {
                remarks
                    .fail(format!("{name} names {}, where this host has no device", device.address))
                    .at(&device.place)
                    .in_file("Look where the device is now (passthru groups), and write that address")
                    .in_command("Look where the device is now (passthru groups), and write that address");
            }
            continue;
        };
        if function.is_bridge() {
            remarks
                .fail(format!("{name} names {}, a bridge, which no guest can have", device.address))
                .at(&device.place)
                .in_file("Take it out")
                .in_command("Take it out")
                .edits([DomainEdit::Remove(device.place.clone())]);
            continue;
        }
        if let Some(stake) = stake::of_taking(facts, function, &given).into_iter().find(Stake::is_loss)
            && !function.is_on_vfio()
        {
            remarks
                .fail(format!("{name} takes {} from the host: {}", device.address, stake.sentence()))
                .at(&device.place)
                .in_file("Take it out, unless that is meant")
                .in_command("Take it out, unless that is meant");
        }
        if !device.managed && !function.is_on_vfio() {
            remarks
                .warn(format!("{name} expects {} to be on vfio-pci already, and it is not", device.address))
                .at(&device.place)
                .in_file(format!(
                    "Have it bound at boot (passthru isolate {}), or write managed='yes'",
                    device.address
                ))
                .in_command(format!(
                    "Have it bound at boot (passthru isolate {0}) or now (passthru bind {0})",
                    device.address
                ))
                .edits([DomainEdit::set(device.place.clone(), "managed", "yes")]);
        }
        let group =
            function.group.and_then(|id| facts.iommu.groups.value().and_then(|groups| groups.get(&id)));
        for member in group.map(|group| company(facts, group)).unwrap_or_default() {
            let held = member.driver.is_none() || member.is_on_vfio();
            if !given.contains(&member.address) && !held {
                lacking.entry(function.address.slot()).or_default().push(member.address);
            }
        }
        for sibling in facts.functions().filter(|other| other.address.slot() == function.address.slot()) {
            if !given.contains(&sibling.address) && function.class.is_display() && !sibling.is_bridge() {
                lacking.entry(function.address.slot()).or_default().push(sibling.address);
            }
        }
    }
    for (slot, mut others) in lacking {
        others.sort();
        others.dedup();
        remarks
            .warn(format!("{name} is given a part of {slot} without {}", listed(&others)))
            .at_path("devices/hostdev")
            .in_file("Give the guest all functions of the card and of its group")
            .in_command("Give the guest all functions of the card and of its group");
    }
}

/// The ROM file of a function, and the way by which QEMU opens it.
fn files(facts: &HostFacts, domain: &Domain, device: &DomainPci, remarks: &mut Remarks) {
    let name = &domain.name;
    if let Some(file) = device.rom_file.as_ref() {
        let rom = device.place.child("rom");
        if facts.virtualisation.named_files.get(file) == Some(&false) {
            remarks
                .fail(format!("{name} names the ROM file {file}, which is not there"))
                .at(&rom)
                .in_file("Put it there, or take <rom> out")
                .in_command("Put it there, or take romfile= out")
                .edits([DomainEdit::Remove(rom)]);
        } else if let Some(because) =
            facts.virtualisation.closed_files.get(file).filter(|_| runs_as_somebody(facts) == Some(false))
        {
            remarks
                .fail(format!(
                    "{name} names the ROM file {file}, which the user of QEMU cannot read: {because}"
                ))
                .at(&rom)
                .by_hand("Put it into /usr/share/vgabios or /var/lib/libvirt, readable for all (chmod 0644)");
        }
    }
    let qemu = facts.virtualisation.qemu_version();
    if let Some((major, minor)) = qemu.filter(|version| device.iommufd && *version < (9, 0)) {
        remarks
            .fail(format!(
                "{name} opens {} through iommufd, which QEMU {major}.{minor} cannot: 9.0 brought it",
                device.address
            ))
            .at(&device.place.child("driver"))
            .in_file("Take iommufd='yes' out")
            .in_command("Take iommufd= out");
    }
}
