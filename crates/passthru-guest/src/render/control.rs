//! The control socket and the serial ports.

use super::{Arguments, path};
use crate::machine::{Machine, Serial};

/// The control socket and the serial ports.
pub(super) fn control(out: &mut Arguments, machine: &Machine) {
    out.option("-chardev", format!("socket,id=control,path={},server=on,wait=off", path(&machine.qmp)));
    out.option("-mon", "chardev=control,mode=control");
    for (number, serial) in machine.serials.iter().enumerate() {
        let backend = match serial {
            Serial::Socket { socket, log } => {
                format!(
                    "socket,id=serial{number},path={},server=on,wait=off,logfile={},logappend=on",
                    path(socket),
                    path(log)
                )
            }
            Serial::File(file) => format!("file,id=serial{number},path={}", path(file)),
        };
        out.option("-chardev", backend);
        out.option("-device", format!("isa-serial,chardev=serial{number}"));
    }
}
