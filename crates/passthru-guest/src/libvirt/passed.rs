//! Functions of the host.

use passthru_model::PciAddress;
use passthru_model::virtualisation::DomainElement;

use super::{behind, element, path};
use crate::layout::RootPort;
use crate::machine::{Backing, Binder, GuestSlot, Machine, Placed};
use crate::render::device_id;
use crate::spec::Rom;

/// The functions of a slot. libvirt leaves one that vfio-pci has already where it is, also where it may take it itself
/// (`managed`); one that a driver of the host has would be refused without.
pub(super) fn passed(binder: Binder, port: RootPort, slot: &GuestSlot) -> Vec<DomainElement> {
    let several = slot.functions.len() > 1;
    let managed = match binder {
        Binder::Libvirt => "yes",
        Binder::Hook => "no",
    };
    let one = |placed: &Placed, host: PciAddress| {
        let function = placed.function;
        let attributes = [("mode", "subsystem"), ("type", "pci"), ("managed", managed)];
        let mut place = behind(port, function);
        if function == 0 && several {
            place.attributes.push(("multifunction", "on".to_owned()));
        }
        let source = element(
            "address",
            &[
                ("domain", &format!("{:#06x}", host.domain())),
                ("bus", &format!("{:#04x}", host.bus())),
                ("slot", &format!("{:#04x}", host.device())),
                ("function", &format!("{:#x}", host.function())),
            ],
        );
        let mut device = element("hostdev", &attributes).with([element("source", &[]).with([source])]);
        device.children.extend(placed.rom.as_ref().map(|rom| match rom {
            Rom::File(file) => element("rom", &[("file", &path(file))]),
            Rom::Off => element("rom", &[("bar", "off")]),
        }));
        if placed.legacy_vga {
            device.children.push(element("alias", &[("name", &alias(host))]));
        }
        device.with([place])
    };
    // Emulated functions stand in for a card in rehearsals of `try`, which no libvirt runs.
    let hosts = slot.functions.iter().filter_map(|placed| match placed.backing {
        Backing::Host(host) => Some(one(placed, host)),
        Backing::Emulated(_) => None,
    });
    hosts.collect()
}

/// The name of a function for those who refer to it; libvirt keeps names that begin so.
fn alias(host: PciAddress) -> String {
    format!("ua-{}", device_id(host))
}

/// What libvirt has no element for: the legacy addresses of VGA.
pub(super) fn legacy_vga(machine: &Machine) -> Option<DomainElement> {
    let placed = machine.slots.iter().flat_map(|slot| &slot.functions).find(|placed| placed.legacy_vga)?;
    let Backing::Host(host) = placed.backing else { return None };
    let property = element("qemu:property", &[("name", "x-vga"), ("type", "bool"), ("value", "true")]);
    let frontend = element("qemu:frontend", &[]).with([property]);
    let device = element("qemu:device", &[("alias", &alias(host))]).with([frontend]);
    Some(element("qemu:override", &[]).with([device]))
}
