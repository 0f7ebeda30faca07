//! What boots: flash chips, or a kernel of the host's.

use super::{Arguments, path};
use crate::machine::{Boot, Machine};

/// Flash chips, or a kernel of the host's.
pub(super) fn firmware(out: &mut Arguments, machine: &Machine) {
    if let Boot::Uefi { code, vars, format, .. } = &machine.boot {
        for (node, file, read_only) in [("firmware-code", code, "on"), ("firmware-vars", vars, "off")] {
            out.option(
                "-blockdev",
                format!(
                    "driver={format},node-name={node},read-only={read_only},file.driver=file,file.filename={}",
                    path(file)
                ),
            );
        }
    }
    if machine.system_management() {
        // The guest's system writes the variables only through the firmware, which runs in system management mode.
        out.option("-global", "driver=cfi.pflash01,property=secure,value=on");
    }
    if let Some(kernel) = &machine.kernel {
        // These three are no option lists: a comma in them stays as it is.
        out.option("-kernel", kernel.image.to_string_lossy());
        out.option("-initrd", kernel.initramfs.to_string_lossy());
        out.option("-append", &kernel.command_line);
    }
}
