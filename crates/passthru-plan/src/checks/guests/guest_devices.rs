//! Whether the devices that guests name are the ones of this host, whole and free.

use std::collections::BTreeMap;

use passthru_model::HostFacts;
use passthru_model::virtualisation::Domain;

use super::domains::{domains, has_devices};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};
use crate::groups::{company, listed};
use crate::stake::{self, Stake};

pub(super) const CHECK: Check = Check {
    id: "guest-devices",
    title: "the host's devices that guests name are there, whole and free",
    section: "Attaching the PCI devices",
    why: "addresses change with slots and firmware settings; a guest that names an old one takes another device, or does not start",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let domains = match domains(facts, "is given a device of the host", has_devices) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which devices there are", because);
    }
    let mut remarks = Remarks::default();
    let mut total = 0;
    for domain in &domains {
        total += domain.pci.len();
        judge(facts, domain, &mut remarks);
    }
    remarks.outcome(format!("{} of {}, all there", count(total, "function"), count(domains.len(), "guest")))
}

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let (name, path) = (&domain.name, &domain.path);
    let given: Vec<_> = domain.pci.iter().map(|device| device.address).collect();
    remarks.seen(path.clone(), listed(&given));
    let mut lacking: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for device in &domain.pci {
        let Some(function) = facts.function(device.address) else {
            remarks
                .fail(format!("{name} names {}, where this host has no device", device.address))
                .by_hand(format!("Look where the device is now (passthru groups), and write that address: virsh edit {name}"));
            continue;
        };
        if function.is_bridge() {
            remarks
                .fail(format!("{name} names {}, a bridge, which no guest can have", device.address))
                .by_hand(format!("Take it out: virsh edit {name}"));
            continue;
        }
        if let Some(stake) = stake::of_taking(facts, function, &given).into_iter().find(Stake::is_loss)
            && !function.is_on_vfio()
        {
            remarks
                .fail(format!("{name} takes {} from the host: {}", device.address, stake.sentence()))
                .by_hand(format!("Take it out, unless that is meant: virsh edit {name}"));
        }
        if !device.managed && !function.is_on_vfio() {
            remarks
                .warn(format!("{name} expects {} to be on vfio-pci already, and it is not", device.address))
                .by_hand(format!(
                    "Write managed='yes' (virsh edit {name}), or have it bound: passthru isolate {}",
                    device.address
                ));
        }
        if let Some(file) = device.rom_file.as_ref()
            && facts.virtualisation.named_files.get(file) == Some(&false)
        {
            remarks
                .fail(format!("{name} names the ROM file {file}, which is not there"))
                .by_hand(format!("Put it there, or take <rom> out: virsh edit {name}"));
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
            .by_hand(format!("Give the guest all functions of the card and of its group: virsh edit {name}"));
    }
}
