//! The USB controller and devices of the host.

use passthru_model::virtualisation::DomainElement;

use super::{behind, element};
use crate::layout::{RootPort, USB_PORTS};
use crate::machine::{Machine, PassedUsb};

/// The controller, with ports for devices of the host.
pub(super) fn controller(machine: &Machine, port: RootPort) -> DomainElement {
    let mut controller = element("controller", &[("type", "usb"), ("index", "0"), ("model", "qemu-xhci")]);
    if !machine.usb.is_empty() {
        controller.attributes.push(("ports", USB_PORTS.to_string()));
    }
    controller.with([behind(port, 0)])
}

/// A device, by what it is, and among twins by its number too. libvirt does not know ports of the host, so one of which only the
/// port is known, because nothing is plugged in there, cannot be said.
pub(super) fn device(device: &PassedUsb) -> Option<DomainElement> {
    let id = device.id?;
    let mut source = element("source", &[]);
    if device.optional {
        source.attributes.push(("startupPolicy", "optional".to_owned()));
    }
    for (name, part) in [("vendor", id.vendor), ("product", id.product)] {
        source.children.push(element(name, &[("id", &format!("0x{part}"))]));
    }
    if let Some((bus, number)) = device.number {
        let at = [("bus", bus.to_string()), ("device", number.to_string())];
        source.children.push(element("address", &[(at[0].0, &at[0].1), (at[1].0, &at[1].1)]));
    }
    Some(element("hostdev", &[("mode", "subsystem"), ("type", "usb"), ("managed", "yes")]).with([source]))
}
