//! The USB controller, the display's tablet, and devices of the host.

use std::fmt::Write as _;

use super::{Arguments, root_port};
use crate::layout::{RootPort, USB_PORTS};
use crate::machine::{Machine, PassedUsb};
use crate::spec::UsbChoice;

/// A controller and what hangs on it.
pub(super) fn usb(out: &mut Arguments, machine: &Machine, port: RootPort) {
    let bus = root_port(out, port);
    let ports =
        if machine.usb.is_empty() { String::new() } else { format!(",p2={USB_PORTS},p3={USB_PORTS}") };
    out.option("-device", format!("qemu-xhci,id=usb,bus={bus},addr=0x0{ports}"));
    if machine.picture.is_some() {
        // With a tablet the pointer is where the viewer's is.
        out.option("-device", "usb-tablet,bus=usb.0");
    }
    for (number, device) in machine.usb.iter().enumerate() {
        out.option("-device", host_device(number, device));
    }
}

/// A device of the host, as QEMU looks for it (`hw/usb/host-libusb.c`): whenever it is plugged in, by all that is said.
fn host_device(number: usize, device: &PassedUsb) -> String {
    let mut text = format!("usb-host,id=usb-host{number},bus=usb.0");
    let (port, id) = match &device.choice {
        UsbChoice::Id(id) => (None, Some(id)),
        UsbChoice::Port { port, id } => (Some(port), id.as_ref()),
    };
    if let Some(port) = port {
        let _ = write!(text, ",hostbus={},hostport={}", port.bus, port.path);
    }
    if let Some(id) = id {
        let _ = write!(text, ",vendorid=0x{},productid=0x{}", id.vendor, id.product);
    }
    text
}
