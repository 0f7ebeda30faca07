//! The USB devices of a guest against the host's.

use std::collections::BTreeSet;

use passthru_model::HostFacts;
use passthru_model::usb::{Usb, UsbDevice, UsbId, UsbPort, UsbRole};

use super::BuildError;
use crate::layout::USB_PORTS;
use crate::machine::PassedUsb;
use crate::spec::{GuestSpec, UsbChoice};

/// Finds the devices that a specification means, and says what is wrong with them.
pub(super) fn resolve(spec: &GuestSpec, facts: &HostFacts, wrong: &mut Vec<BuildError>) -> Vec<PassedUsb> {
    if spec.usb.is_empty() {
        return Vec::new();
    }
    let Some(usb) = facts.usb.value() else {
        wrong.push(BuildError::UsbUnknown(
            facts.usb.because().unwrap_or("they were not looked at").to_owned(),
        ));
        return Vec::new();
    };
    // One port is the tablet's.
    if spec.usb.len() >= USB_PORTS {
        wrong.push(BuildError::TooManyUsb(spec.usb.len()));
    }
    let mut seen = BTreeSet::new();
    let mut taken = BTreeSet::new();
    let mut found = Vec::new();
    for wanted in &spec.usb {
        let device = match one(&wanted.choice, usb) {
            Ok(device) => device,
            Err(BuildError::UsbMissing(_) | BuildError::UsbOther { .. }) if wanted.optional => None,
            Err(error) => {
                wrong.push(error);
                continue;
            }
        };
        if !seen.insert(&wanted.choice) || device.is_some_and(|device| !taken.insert(device.at())) {
            wrong.push(BuildError::UsbTwice(words(&wanted.choice)));
            continue;
        }
        wrong.extend(device.and_then(|device| unfit(device, usb, spec)));
        let said = match &wanted.choice {
            UsbChoice::Id(id) => Some(*id),
            UsbChoice::Port { id, .. } => *id,
        };
        let has_twin = device.is_some_and(|device| with_id(usb, device.id()).count() > 1);
        found.push(PassedUsb {
            choice: wanted.choice.clone(),
            id: said.or_else(|| device.map(UsbDevice::id)),
            number: device.filter(|_| has_twin).and_then(|device| Some((device.bus, device.number?))),
            optional: wanted.optional,
        });
    }
    found
}

/// The device that is meant.
fn one<'a>(choice: &UsbChoice, usb: &'a Usb) -> Result<Option<&'a UsbDevice>, BuildError> {
    let missing = || BuildError::UsbMissing(words(choice));
    match choice {
        UsbChoice::Id(id) => {
            let all: Vec<&UsbDevice> = with_id(usb, *id).collect();
            match all.as_slice() {
                [] => Err(missing()),
                [device] => Ok(Some(device)),
                several => {
                    let ports = several.iter().map(|device| device.at()).collect();
                    Err(BuildError::UsbAmbiguous { id: *id, ports })
                }
            }
        }
        UsbChoice::Port { port, id } => {
            let device = usb.devices.iter().find(|device| device.at() == *port).ok_or_else(missing)?;
            match id {
                Some(wanted) if *wanted != device.id() => {
                    let found = format!("{} ({})", device.label(), device.id());
                    Err(BuildError::UsbOther { port: port.clone(), wanted: *wanted, found })
                }
                _ => Ok(Some(device)),
            }
        }
    }
}

fn with_id(usb: &Usb, id: UsbId) -> impl Iterator<Item = &UsbDevice> {
    usb.devices.iter().filter(move |device| device.id() == id)
}

/// Why a device that is there cannot be given.
fn unfit(device: &UsbDevice, usb: &Usb, spec: &GuestSpec) -> Option<BuildError> {
    let port: UsbPort = device.at();
    if device.roles.contains(&UsbRole::Hub) {
        return Some(BuildError::UsbHub(port));
    }
    let controller = usb.controller_of(device)?;
    let is_given = spec.devices.iter().any(|given| given.address == controller);
    is_given.then_some(BuildError::UsbComesAlong { port, controller })
}

/// How a device is named in the file.
fn words(choice: &UsbChoice) -> String {
    match choice {
        UsbChoice::Port { port, id: Some(id) } => format!("{id} at {port}"),
        UsbChoice::Port { port, id: None } => port.to_string(),
        UsbChoice::Id(id) => id.to_string(),
    }
}
