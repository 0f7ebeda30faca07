//! Functions of the host, and what stands in for them.

use std::fmt::Write as _;

use super::{Arguments, device_id, path, root_port};
use crate::layout::RootPort;
use crate::machine::{Backing, GuestSlot, Placed};
use crate::spec::Rom;

/// One guest slot: a root port and the functions behind it.
pub(super) fn passed(out: &mut Arguments, slot: &GuestSlot, port: RootPort) {
    let bus = root_port(out, port);
    for Placed { function, backing, rom, legacy_vga } in &slot.functions {
        let mut device = match backing {
            // QEMU's `host=` takes domains of four digits (`parse_pci_host_devaddr`); larger ones go by their path.
            Backing::Host(address) if address.domain() > 0xffff => {
                format!("vfio-pci,sysfsdev=/sys/bus/pci/devices/{address},id={}", device_id(*address))
            }
            Backing::Host(address) => format!("vfio-pci,host={address},id={}", device_id(*address)),
            Backing::Emulated(device) => device.clone(),
        };
        match rom {
            Some(Rom::File(file)) => drop(write!(device, ",romfile={}", path(file))),
            Some(Rom::Off) => device.push_str(",rombar=0"),
            None => {}
        }
        if *legacy_vga {
            device.push_str(",x-vga=on");
        }
        let _ = write!(device, ",bus={bus},addr=0x0.{function:#x}");
        if *function == 0 && slot.functions.len() > 1 {
            device.push_str(",multifunction=on");
        }
        out.option("-device", device);
    }
}
