//! Functions of the host.

use passthru_model::PciAddress;
use passthru_model::virtualisation::DomainElement;

use super::{behind, element};
use crate::layout::RootPort;
use crate::machine::{Backing, GuestSlot};

/// The functions of a slot. libvirt leaves one that vfio-pci has already where it is, also where it may take it itself
/// (`managed`); one that a driver of the host has would be refused without.
pub(super) fn passed(port: RootPort, slot: &GuestSlot) -> Vec<DomainElement> {
    let several = slot.functions.len() > 1;
    let one = |function: u8, host: PciAddress| {
        let attributes = [("mode", "subsystem"), ("type", "pci"), ("managed", "yes")];
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
        element("hostdev", &attributes).with([element("source", &[]).with([source]), place])
    };
    // Emulated functions stand in for a card in rehearsals of `try`, which no libvirt runs.
    let hosts = slot.functions.iter().filter_map(|placed| match placed.backing {
        Backing::Host(host) => Some(one(placed.function, host)),
        Backing::Emulated(_) => None,
    });
    hosts.collect()
}
