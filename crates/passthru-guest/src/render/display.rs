//! The virtual display.

use super::{Arguments, path};
use crate::layout::VGA_SLOT;
use crate::machine::{Machine, Picture};

/// No display, or an emulated one.
pub(super) fn display(out: &mut Arguments, machine: &Machine) {
    out.option("-display", "none");
    match &machine.picture {
        None => return,
        Some(Picture::Vnc(socket)) => out.option("-vnc", format!("unix:{}", path(socket))),
        // Whoever may open the socket may see the guest; a ticket would be a second key to the same door.
        Some(Picture::Spice(socket)) => {
            out.option("-spice", format!("unix=on,addr={},disable-ticketing=on", path(socket)));
        }
    }
    out.option("-device", format!("VGA,bus=pcie.0,addr={VGA_SLOT:#x}"));
}
