//! Why the rest of a guest is as it is: what follows from its system, its devices and its specification in one step.

use passthru_model::HostFacts;

use super::{Building, Guest};
use crate::accel::{Accel, kvm_obstacle};
use crate::choice::Topic;
use crate::machine::{DiskBus, NetworkCard};
use crate::spec::{AccelChoice, Display, GuestSpec};

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
    if !guest.disks.is_empty() {
        building.say(
            Topic::Disks,
            match guest.disk_bus {
                DiskBus::Virtio => "disks by virtio, the fastest way",
                DiskBus::Sata => "disks by SATA: Windows comes without drivers for virtio",
            },
        );
    }
    match guest.network {
        Some(NetworkCard::E1000e) => {
            building.say(Topic::Network, "an Intel card (e1000e): Windows comes without drivers for virtio");
        }
        Some(NetworkCard::Virtio) => building.say(Topic::Network, "a card by virtio, the fastest"),
        None => {}
    }
    let why = match (guest.display, spec.display) {
        (_, Some(_)) => ", as the specification wants",
        (Display::None, None) => ": the passed GPU has outputs of its own",
        (Display::Vnc, None) => ": there is no passed GPU",
    };
    building.say(
        Topic::Display,
        match guest.display {
            Display::None => format!("no emulated display{why}"),
            Display::Vnc => format!("an emulated VGA by VNC, on a socket that only its owner can open{why}"),
        },
    );
}
