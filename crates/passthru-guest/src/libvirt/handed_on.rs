//! `<qemu:commandline>`: what libvirt has no word for, or not every libvirt, and hands on to QEMU as it is.

use passthru_model::virtualisation::DomainElement;

use super::{desktop, element};
use crate::machine::Machine;

/// The namespace of it.
pub(super) const NAMESPACE: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// The class of `-cpu host` in QEMU; a property of it is the same by `-global` as by `-cpu`.
pub(crate) const HOST_CPU: &str = "host-x86_64-cpu";

/// Its arguments; none where all can be said in libvirt's own words.
pub(super) fn arguments(machine: &Machine) -> Vec<DomainElement> {
    let mut words = Vec::new();
    if let Some(window) = machine.mmio_window {
        // libvirt's `<sysinfo type='fwcfg'>` takes no name of OVMF's ("That firmware name is reserved").
        words.push("-fw_cfg".to_owned());
        words.push(format!("name=opt/ovmf/X-PciMmio64Mb,string={}", window.mib()));
    }
    if let Some(bits) = machine.cpu.address_bits {
        // `<maxphysaddr mode='passthrough' limit='…'/>` came with libvirt 9.3, and older ones overlook the limit;
        // `mode='emulate'` becomes `phys-bits`, which QEMU's host model overlooks (tried with libvirt 9.0 and QEMU 7.2).
        words.push("-global".to_owned());
        words.push(format!("{HOST_CPU}.host-phys-bits-limit={bits}"));
    }
    words.extend(machine.shared.iter().flat_map(desktop::shared_words));
    words.iter().map(|word| element("qemu:arg", &[("value", word)])).collect()
}
