//! The board and what boots it.

use passthru_model::virtualisation::DomainElement;

use super::{element, path, text};
use crate::machine::{Boot, Machine};

/// The board and its firmware. A new machine's variables are copied from the template by libvirt, which keeps them where its
/// own QEMU can write.
pub(super) fn os(machine: &Machine) -> DomainElement {
    let board = element("type", &[("arch", "x86_64"), ("machine", "q35")]).with_text("hvm");
    let mut os = element("os", &[]).with([board]);
    if let Boot::Uefi { code, template, format, secure_boot, .. } = &machine.boot {
        let mut loader = element("loader", &[("readonly", "yes"), ("type", "pflash")]);
        let mut vars = element("nvram", &[("template", &path(template))]);
        // Other layouts than raw can be named since libvirt 8.5.
        if format != "raw" {
            loader.attributes.push(("format", format.clone()));
            vars.attributes.push(("format", format.clone()));
        }
        if *secure_boot {
            loader.attributes.push(("secure", "yes".to_owned()));
        }
        os.children.extend([loader.with_text(path(code)), vars]);
    }
    if let Some(kernel) = &machine.kernel {
        let lines = [
            ("kernel", path(&kernel.image)),
            ("initrd", path(&kernel.initramfs)),
            ("cmdline", kernel.command_line.clone()),
        ];
        os.children.extend(lines.map(|(name, value)| text(name, &value)));
    }
    os
}
