//! The virtual display.

use super::{Arguments, path, root_port};
use crate::layout::{Layout, VGA_SLOT};
use crate::machine::Machine;

/// No display, or an emulated one with a tablet, so that the pointer is where the viewer's is.
pub(super) fn display(out: &mut Arguments, machine: &Machine, layout: &Layout<'_>) {
    out.option("-display", "none");
    if let Some((socket, port)) = machine.vnc.as_ref().zip(layout.usb) {
        out.option("-vnc", format!("unix:{}", path(socket)));
        out.option("-device", format!("VGA,bus=pcie.0,addr={VGA_SLOT:#x}"));
        let bus = root_port(out, port);
        out.option("-device", format!("qemu-xhci,id=usb,bus={bus},addr=0x0"));
        out.option("-device", "usb-tablet,bus=usb.0");
    }
}
