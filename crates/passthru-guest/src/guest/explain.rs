//! Why the rest of a guest is as it is: what follows from its system, its devices and its specification in one step.

use passthru_model::HostFacts;

use super::{Building, Guest};
use crate::accel::{Accel, kvm_obstacle};
use crate::choice::Topic;
use crate::spec::{AccelChoice, Display, GuestSpec};
use crate::spec::{DiskBus, NicModel};

/// Says it.
pub(super) fn the_rest(guest: &Guest, spec: &GuestSpec, facts: &HostFacts, building: &mut Building) {
    let asked = if spec.accel == AccelChoice::Auto { "" } else { ", as the specification wants" };
    match (guest.accel, kvm_obstacle(facts)) {
        (Accel::Tcg, Some(why)) if spec.accel == AccelChoice::Auto => {
            building.say(Topic::Accelerator, format!("emulation (TCG), which is slow: {why}"));
        }
        (Accel::Tcg, _) => building.say(Topic::Accelerator, format!("emulation (TCG), which is slow{asked}")),
        (Accel::Kvm, _) => {
            building.say(Topic::Accelerator, format!("KVM: the processor runs the guest itself{asked}"));
        }
    }
    match &guest.uefi {
        Some(uefi) => building.say(
            Topic::Firmware,
            format!("UEFI by {}, the first of QEMU's firmware descriptors that fits", uefi.code.display()),
        ),
        None => building.say(Topic::Firmware, "QEMU's legacy BIOS, as the specification wants"),
    }
    for slot in &guest.slots {
        if slot.functions.len() > 1 {
            building.say(
                Topic::Devices,
                format!(
                    "{} functions of one card on one slot behind a root port of their own, where drivers look for them",
                    slot.functions.len()
                ),
            );
        }
    }
    let wanted = ", as the specification wants";
    if !guest.disks.is_empty() {
        let (disks, because) = match guest.disk_bus() {
            DiskBus::VirtioBlk => ("disks by virtio, each a device of its own", ": the shortest way"),
            DiskBus::VirtioScsi => ("disks on one controller by virtio (virtio-scsi)", ""),
            DiskBus::Sata => ("disks by SATA", ": Windows comes without drivers for virtio"),
        };
        let why = if spec.storage.bus.is_some() { wanted } else { because };
        building.say(Topic::Disks, format!("{disks}{why}"));
    }
    if let Some(card) = &guest.network {
        let (card, because) = match card.model {
            NicModel::E1000e => ("an Intel card (e1000e)", ": Windows comes without drivers for virtio"),
            NicModel::Virtio => ("a card by virtio", ": the shortest way"),
        };
        let asked = spec.network.as_ref().is_some_and(|nic| nic.model.is_some());
        building.say(Topic::Network, format!("{card}{}", if asked { wanted } else { because }));
    }
    let why = match (guest.display, spec.display) {
        (_, Some(_)) => wanted,
        (Display::None, None) => ": the passed GPU has outputs of its own",
        (Display::Vnc | Display::Spice, None) => ": there is no passed GPU",
    };
    building.say(
        Topic::Display,
        match guest.display {
            Display::None => format!("no emulated display{why}"),
            Display::Spice => {
                format!("an emulated display by SPICE, on a socket that only its owner can open{why}")
            }
            Display::Vnc => format!("an emulated VGA by VNC, on a socket that only its owner can open{why}"),
        },
    );
}
