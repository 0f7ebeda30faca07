//! Whether the functions of a card stay together in the guest, behind a port.

use std::collections::BTreeMap;

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::virtualisation::{Domain, DomainEdit, DomainPci, GuestFunction};

use super::domains::{has_devices, is_q35};
use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;
use crate::groups::listed;

pub(super) const LINT: Lint = Lint {
    id: "guest-slots",
    title: "the functions of a card stay together in the guest, behind a port",
    section: "Attaching the PCI devices",
    why: "drivers look for a card's sound beside its picture, and AMD's refuse a card that hangs on no port of PCI Express (error 43)",
    about: "is given a device of the host",
    concerns: |_, domain| has_devices(domain),
    judge,
    instead: nothing,
    well: "with their cards whole and behind ports",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let mut slots: BTreeMap<_, Vec<&DomainPci>> = BTreeMap::new();
    for device in &domain.pci {
        remarks.seen(domain.path.clone(), device.address.to_string());
        slots.entry(device.address.slot()).or_default().push(device);
    }
    for device in domain.pci.iter().filter(|device| is_q35(domain) && on_root_bus(facts, device)) {
        remarks
            .warn(format!(
                "{name} has {} on the root bus (pcie.0), where drivers expect a port of PCI Express",
                device.address
            ))
            .at(&device.place.child("address"))
            .in_file("Take the <address> of the hostdev out, so that libvirt puts it behind a port")
.in_command("Put it behind a port: -device pcie-root-port,id=port1,chassis=1,slot=1 and bus=port1,addr=0x0 in the vfio-pci")
            .edits([DomainEdit::Remove(device.place.child("address"))]);
    }
    for functions in slots.values().filter(|functions| functions.len() > 1) {
        // Functions whose address in the guest is not said are placed by libvirt when it takes the file.
        let placed: Vec<(&DomainPci, GuestFunction)> =
            functions.iter().filter_map(|device| Some((*device, device.guest?))).collect();
        // One without a function 0 is not one card to the guest, and its functions can be in slots of their own.
        let Some((first, root)) = placed.iter().find(|(device, _)| device.address.function() == 0) else {
            continue;
        };
        let away: Vec<&DomainPci> = placed
            .iter()
            .filter(|(_, guest)| (guest.bus, guest.slot) != (root.bus, root.slot))
            .map(|(device, _)| *device)
            .collect();
        let together = |more: &[&DomainPci]| together(domain, first, *root, more);
        if let Some(other) = away.first() {
            let addresses: Vec<PciAddress> = away.iter().map(|device| device.address).collect();
            remarks
                .warn(format!(
                    "{name} has {} in another slot than {}, with which it is one card",
                    listed(&addresses),
                    first.address
                ))
                .at(&other.place.child("address"))
                .in_file("Give all functions of the card one bus and slot, and function 0 multifunction='on'")
.in_command("Give all functions of the card one bus, addr=0x0.0, 0x0.1 and so on, and function 0 multifunction=on")
                .edits(together(&away));
        } else if placed.len() > 1 && root.multifunction == Some(false) {
            remarks
                .fail(format!(
                    "{name} has {} functions in the slot of {}, which is said to have no more than one",
                    placed.len(),
                    first.address
                ))
                .at(&first.place.child("address"))
                .in_file("Write multifunction='on' in the <address> of function 0")
                .in_command("Write multifunction=on for function 0")
                .edits(together(&[]));
        }
    }
}

/// Whether a function hangs on the root complex, and does on the host not: those built into the host's processor belong there.
fn on_root_bus(facts: &HostFacts, device: &DomainPci) -> bool {
    let integrated = facts
        .function(device.address)
        .map_or(device.address.bus() == 0, |function| function.parents.is_empty());
    device.guest.is_some_and(|guest| guest.bus == 0) && !integrated
}

/// The changes that bring functions into the slot of function 0; none where another device of the host is in the way, or
/// where function 0 is about to move itself.
fn together(domain: &Domain, first: &DomainPci, root: GuestFunction, away: &[&DomainPci]) -> Vec<DomainEdit> {
    let taken = |function: u8| {
        domain
            .pci
            .iter()
            .filter_map(|device| device.guest)
            .any(|guest| (guest.bus, guest.slot, guest.function) == (root.bus, root.slot, function))
    };
    let moves_itself = root.bus == 0 && is_q35(domain);
    if root.function != 0 || moves_itself || away.iter().any(|device| taken(device.address.function())) {
        return Vec::new();
    }
    let set = |device: &DomainPci, attribute, value: String| {
        DomainEdit::set(device.place.child("address"), attribute, value)
    };
    let mut edits = vec![set(first, "multifunction", "on".to_owned())];
    for device in away {
        edits.push(set(device, "bus", format!("{:#04x}", root.bus)));
        edits.push(set(device, "slot", format!("{:#04x}", root.slot)));
        edits.push(set(device, "function", format!("{:#x}", device.address.function())));
    }
    edits
}
