//! Whether the host's desktop is told to stay off the guest's card.

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;

use crate::binding::meant_for_guests;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "desktop-gpu",
    title: "the desktop is told to draw on the host's own card",
    section: "X doesn't start after enabling vfio_pci",
    why: "a desktop that is set to a card which is a guest's now does not start",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(devices) = facts.desktop.xorg.value() else {
        return Outcome::unknown(
            "what the X server is told",
            facts.desktop.xorg.because().unwrap_or_default(),
        );
    };
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which cards there are", because);
    }
    let guests: Vec<PciAddress> = meant_for_guests(facts).iter().map(|function| function.address).collect();
    let mut remarks = Remarks::default();
    let mut settings = 0;
    for device in devices {
        let place = format!("{}:{}", device.path, device.line);
        let Some(text) = &device.bus_id else {
            // A driver that is named without a card takes whichever comes first.
            if device
                .driver
                .as_deref()
                .is_some_and(|driver| matches!(driver, "nvidia" | "radeon" | "amdgpu" | "nouveau" | "intel"))
                && !guests.is_empty()
            {
                remarks
                    .warn(format!("{place} names a driver and no card"))
                    .seen(place.clone(), device.driver.clone().unwrap_or_default())
                    .by_hand("Add a BusID with the address of the host's card, in decimal numbers");
            }
            continue;
        };
        settings += 1;
        remarks.seen(place.clone(), format!("BusID \"{text}\""));
        match device.address {
            None => {
                remarks
                    .warn(format!("{place}: ‘{text}’ is no BusID that the X server reads"))
                    .by_hand("A BusID is PCI:BUS:DEVICE:FUNCTION in decimal numbers");
            }
            Some(address) if guests.contains(&address) => {
                remarks
                    .fail(format!("{place} sets the X server to {address}, which is for guests"))
                    .by_hand("Put the address of the host's own card there, in decimal numbers");
            }
            Some(address) if facts.function(address).is_none() => {
                remarks
                    .fail(format!("{place} sets the X server to {address}, where this host has no device"))
                    .by_hand("The numbers of a BusID are decimal, those of lspci hexadecimal: 0a:00.0 is PCI:10:0:0");
            }
            Some(_) => {}
        }
    }
    for said in facts.desktop.variables.value().into_iter().flatten() {
        let (name, value) = &said.what;
        settings += 1;
        remarks.seen(said.place(), format!("{name}={value}"));
        let lists = matches!(name.as_str(), "KWIN_DRM_DEVICES" | "WLR_DRM_DEVICES" | "AQ_DRM_DEVICES");
        if lists && value.contains("by-path/pci-") {
            remarks
                .fail(format!("{} names a path with colons, at which {name} is cut apart", said.place()))
                .by_hand(
                    "Take it out, and `passthru isolate --host-gpu ADDRESS` makes a link without colons and names that",
                );
        } else if lists && value.contains("/dev/dri/card") {
            remarks
                .warn(format!("{} names a card by its number, which changes from boot to boot", said.place()))
                .by_hand("Take it out, and `passthru isolate --host-gpu ADDRESS` makes a link that stays and names that");
        }
    }
    for said in facts.desktop.rules.value().into_iter().flatten() {
        let (addresses, line) = &said.what;
        settings += 1;
        remarks.seen(said.place(), line.clone());
        if let Some(address) = addresses
            .iter()
            .find(|address| guests.contains(address))
            .filter(|_| line.contains("preferred-primary"))
        {
            remarks
                .fail(format!(
                    "{} makes {address}, which is for guests, the desktop's first card",
                    said.place()
                ))
                .by_hand("Put the address of the host's own card there");
        }
    }
    if settings == 0 {
        return match remarks.outcome(String::new()) {
            outcome if outcome.summary.is_empty() => {
                Outcome::skip("no setting chooses a graphics card for the desktop").seen(&facts.desktop.xorg)
            }
            outcome => outcome,
        };
    }
    remarks.outcome("no setting sends the desktop to a guest's card")
}
