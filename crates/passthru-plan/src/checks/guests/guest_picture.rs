//! Whether a guest with a graphics card shows its picture on it.

use passthru_model::HostFacts;
use passthru_model::virtualisation::DomainFirmware;

use super::domains::{domains, has_display};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-picture",
    title: "guests with a graphics card show their picture on it",
    section: "Passthrough seems to work but no output is displayed",
    why: "a guest with two displays may draw on the one that nobody looks at, and AMD's drivers refuse a card that hangs on no port",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which devices are graphics cards", because);
    }
    let domains =
        match domains(facts, "is given a graphics card of this host", |domain| has_display(facts, domain)) {
            Ok(domains) => domains,
            Err(outcome) => return outcome,
        };
    let mut remarks = Remarks::default();
    for domain in &domains {
        let name = &domain.name;
        let virtual_displays: Vec<&str> =
            domain.video.iter().map(String::as_str).filter(|model| !matches!(*model, "none" | "")).collect();
        remarks.seen(domain.path.clone(), format!("<video>: {}", domain.video.join(", ")));
        if !virtual_displays.is_empty() {
            remarks
                .warn(format!("{name} has a virtual display ({}) beside its card, and starts on that", virtual_displays.join(", ")))
                .by_hand(format!("Once the card's driver is installed, write <video><model type='none'/></video>: virsh edit {name}"));
        }
        if domain.firmware == DomainFirmware::Bios {
            remarks
                .warn(format!("{name} starts by a BIOS, so OVMF shows nothing on the card"))
                .by_hand(format!("Choose UEFI firmware: virsh edit {name}"));
        }
        let q35 = domain.machine.as_deref().is_some_and(|machine| machine.contains("q35"));
        for device in domain.pci.iter().filter(|device| device.guest.is_some_and(|(bus, ..)| bus == 0) && q35)
        {
            let display = facts.function(device.address).is_some_and(|function| function.class.is_display());
            if display {
                remarks
                    .warn(format!("{name} has its card on the root bus, where drivers expect a port of PCI Express"))
                    .by_hand(format!("Take the <address> of the hostdev out, so that libvirt puts it behind a port: virsh edit {name}"));
            }
        }
    }
    remarks.outcome(format!("{} with its card as only display", count(domains.len(), "guest")))
}
