//! What the guest saw against what the host has.

use std::collections::BTreeSet;

use passthru_model::guest_report::{GuestReport, SeenFunction};
use passthru_model::{PciAddress, PciFunction};

use super::report::TryDevice;
use crate::machine::GuestSlot;
use crate::pci::{has_msi, resource_is_unset};

/// A function's ROM as the host could read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRom {
    /// The host offers none.
    None,
    /// It begins with 55 aa.
    Read {
        /// Bytes.
        size: u64,
        /// SHA-256, in hexadecimal.
        sha256: String,
    },
    /// The host offers one and could not read it, and why.
    Unreadable(String),
}

/// A function that the guest was given.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// As the host has it.
    pub function: &'a PciFunction,
    /// Its ROM.
    pub rom: HostRom,
}

/// Compares. The expected functions are in order of the slots' functions.
pub fn judge(slots: &[GuestSlot], expected: &[Expected<'_>], report: &GuestReport) -> Vec<TryDevice> {
    let mut free: BTreeSet<u8> =
        report.functions.iter().map(|seen| seen.address.bus()).filter(|bus| *bus > 0).collect();
    let mut devices = Vec::new();
    let mut rest = expected;
    for slot in slots {
        let (these, after) = rest.split_at(slot.functions.len().min(rest.len()));
        rest = after;
        let wanted: Vec<(u8, &Expected<'_>)> =
            slot.functions.iter().map(|placed| placed.function).zip(these).collect();
        let bus = best_bus(&wanted, &free, report);
        if let Some(bus) = bus {
            free.remove(&bus);
        }
        for (number, expected) in wanted {
            let seen = bus.and_then(|bus| at(report, bus, number));
            devices.push(device(expected, seen));
        }
    }
    devices.sort_by_key(|device| device.host);
    devices
}

/// The function at a bus and number. A root port has a single slot, which is 0.
fn at(report: &GuestReport, bus: u8, number: u8) -> Option<&SeenFunction> {
    let there =
        |address: PciAddress| address.bus() == bus && address.device() == 0 && address.function() == number;
    report.functions.iter().find(|seen| there(seen.address))
}

/// The bus that a slot became: the one that shows most of its functions, the first of equals, since firmware numbers
/// buses in order of their ports.
fn best_bus(wanted: &[(u8, &Expected<'_>)], free: &BTreeSet<u8>, report: &GuestReport) -> Option<u8> {
    let matching = |bus: u8| {
        let same = |(number, expected): &&(u8, &Expected<'_>)| {
            at(report, bus, *number).is_some_and(|seen| seen.id == expected.function.id)
        };
        wanted.iter().filter(same).count()
    };
    free.iter().copied().max_by_key(|bus| (matching(*bus), u8::MAX - bus))
}

/// One function.
fn device(expected: &Expected<'_>, seen: Option<&SeenFunction>) -> TryDevice {
    let host = expected.function;
    let mut device = TryDevice {
        host: host.address,
        guest: seen.map(|seen| seen.address),
        id: host.id,
        subsystem: host.subsystem,
        class: host.class,
        bars: seen.map(|seen| seen.bars.clone()).unwrap_or_default(),
        rom: seen.and_then(|seen| seen.rom.clone()),
        msi: seen.is_some_and(|seen| seen.msi),
        ok: false,
        reasons: Vec::new(),
        notes: Vec::new(),
    };
    match seen {
        None => device.reasons.push("the guest did not see it".to_owned()),
        Some(seen) => {
            identity(host, seen, &mut device.reasons);
            bars(host, seen, &mut device);
            msi(host, seen, &mut device);
            rom(&expected.rom, seen, &mut device);
        }
    }
    device.ok = device.reasons.is_empty();
    device
}

fn identity(host: &PciFunction, seen: &SeenFunction, reasons: &mut Vec<String>) {
    let mut differs = |what: &str, host: String, guest: String| {
        if host != guest {
            reasons.push(format!("{what}: {host} on the host, {guest} in the guest"));
        }
    };
    differs("id", host.id.to_string(), seen.id.to_string());
    differs("subsystem", host.subsystem.to_string(), seen.subsystem.to_string());
    differs("class", host.class.to_string(), seen.class.to_string());
}

fn bars(host: &PciFunction, seen: &SeenFunction, device: &mut TryDevice) {
    for bar in host.resources.iter().filter(|resource| resource.index < 6 && resource.size() > 0) {
        let index = bar.index;
        if resource_is_unset(bar) {
            device.notes.push(format!(
                "BAR {index}: the host itself could not place it, so the guest cannot have it"
            ));
            continue;
        }
        let Some(guest) = seen.bars.iter().find(|guest| guest.index == index) else {
            device.reasons.push(format!("BAR {index}: {} bytes on the host, none in the guest", bar.size()));
            continue;
        };
        if guest.size != bar.size() {
            let (host, guest) = (bar.size(), guest.size);
            device.reasons.push(format!("BAR {index}: {host} bytes on the host, {guest} in the guest"));
        }
        if guest.memory != bar.is_memory() {
            device.reasons.push(format!("BAR {index}: memory on one side and I/O ports on the other"));
        } else if guest.start == 0 && guest.memory {
            device
                .reasons
                .push(format!("BAR {index}: the guest found no place for its {} bytes", guest.size));
        } else if guest.start == 0 {
            device.notes.push(format!(
                "BAR {index}: the guest found no I/O ports for it, which no modern driver needs"
            ));
        }
    }
}

fn msi(host: &PciFunction, seen: &SeenFunction, device: &mut TryDevice) {
    match has_msi(&host.config) {
        Some(true) if !seen.msi => {
            device.reasons.push("MSI: the host's device has it, and the guest saw none".to_owned());
        }
        None if !host.config.is_empty() => {
            device
                .notes
                .push("MSI: only root reads the host's capabilities, so it was not compared".to_owned());
        }
        _ => {}
    }
}

fn rom(host: &HostRom, seen: &SeenFunction, device: &mut TryDevice) {
    match (host, &seen.rom) {
        (HostRom::Unreadable(why), None) => {
            device.notes.push(format!("ROM: neither the host ({why}) nor the guest could read it"));
        }
        (HostRom::Read { size, .. }, None) => {
            device.reasons.push(format!("ROM: the host reads {size} bytes, and the guest could not read it"));
        }
        (HostRom::Read { .. }, Some(rom)) if !rom.signature => {
            device.reasons.push("ROM: in the guest it does not begin with 55 aa".to_owned());
        }
        (HostRom::Read { size, .. }, Some(rom)) if *size != rom.size => {
            device.reasons.push(format!("ROM: {size} bytes on the host, {} in the guest", rom.size));
        }
        (HostRom::Read { sha256, .. }, Some(rom)) if *sha256 != rom.sha256 => {
            device.notes.push(
                "ROM: its bytes differ between host and guest; QEMU corrects the ids of some".to_owned(),
            );
        }
        (HostRom::None, _) | (HostRom::Unreadable(_) | HostRom::Read { .. }, Some(_)) => {}
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
