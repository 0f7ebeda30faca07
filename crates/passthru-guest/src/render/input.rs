//! Keyboards and mice that host and guest take in turn.

use std::fmt::Write as _;

use super::{Arguments, path, root_port};
use crate::layout::Layout;
use crate::machine::Machine;

/// The host's devices, and those that the guest sees.
pub(super) fn input(out: &mut Arguments, machine: &Machine, layout: &Layout<'_>) {
    for (number, input) in machine.inputs.iter().enumerate() {
        let mut object = format!("input-linux,id=input{number},evdev={}", path(&input.path));
        for (property, on) in [("grab_all", input.grab_all), ("repeat", input.repeat)] {
            if on {
                let _ = write!(object, ",{property}=on");
            }
        }
        let _ = write!(object, ",grab-toggle={}", input.toggle.word());
        out.option("-object", object);
    }
    for (driver, port) in
        ["virtio-keyboard-pci", "virtio-mouse-pci"].into_iter().zip(layout.input.into_iter().flatten())
    {
        let bus = root_port(out, port);
        out.option("-device", format!("{driver},bus={bus},addr=0x0"));
    }
}
