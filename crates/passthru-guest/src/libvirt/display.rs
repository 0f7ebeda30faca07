//! Consoles and the virtual display.

use passthru_model::virtualisation::DomainElement;

use super::{address, element, path};
use crate::layout::VGA_SLOT;
use crate::machine::{Picture, Serial};

pub(super) fn console(number: usize, serial: &Serial) -> DomainElement {
    let number = number.to_string();
    let model = element("model", &[("name", "isa-serial")]);
    let target = element("target", &[("type", "isa-serial"), ("port", &number)]).with([model]);
    match serial {
        // Where `virsh console` finds it.
        Serial::Socket { .. } => element("serial", &[("type", "pty")]).with([target]),
        Serial::File(file) => {
            let source = element("source", &[("path", &path(file))]);
            element("serial", &[("type", "file")]).with([source, target])
        }
    }
}

/// An emulated VGA on a socket that libvirt places, and a tablet.
pub(super) fn picture(picture: &Picture) -> [DomainElement; 3] {
    let vga = element("model", &[("type", "vga")]);
    let kind = match picture {
        Picture::Vnc(_) => "vnc",
        Picture::Spice(_) => "spice",
    };
    [
        element("input", &[("type", "tablet"), ("bus", "usb")]),
        element("graphics", &[("type", kind)]).with([element("listen", &[("type", "socket")])]),
        element("video", &[]).with([vga, address(0, usize::from(VGA_SLOT), 0)]),
    ]
}
