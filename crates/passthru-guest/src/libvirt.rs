//! A machine to domain XML of libvirt (<https://libvirt.org/formatdomain.html>). Pure; for libvirt 9.0 and later.
//!
//! It is the machine that [`crate::render`] says in QEMU's words: [`Layout`] places the devices of both. What is only
//! libvirt's to say (sockets, the control channel, where UEFI variables are kept) is left to libvirt.

mod boot;
mod desktop;
mod display;
pub(crate) mod handed_on;
mod hook;
mod hyper_v;
mod memory;
mod network;
mod passed;
mod processor;
mod storage;
mod usb;

use std::path::Path;

use passthru_formats::libvirt_domain::{self, ReadElement};
use passthru_model::virtualisation::DomainElement;

pub use hook::{LeftToHook, OtherPins, left_to_hook};

use crate::accel::Accel;
use crate::layout::{Layout, RootPort};
use crate::machine::Machine;
use crate::spec::Os;

/// The namespace in which libvirt keeps what libosinfo calls a system.
const LIBOSINFO: &str = "http://libosinfo.org/xmlns/libvirt/domain/1.0";

/// The namespace of what passthru keeps in a domain.
const NAMESPACE: &str = "urn:passthru:guest:1";

/// What is kept there.
const MARK: &str = "passthru";

/// The whole file.
pub fn xml(machine: &Machine) -> String {
    libvirt_domain::written(&domain(machine))
}

/// The domain as passthru defines it for libvirt: with a mark by which it knows it again ([`is_ours`]), and with the id that an earlier
/// one of the same name has, which it then takes the place of.
pub fn defined(machine: &Machine, uuid: Option<&str>) -> String {
    let mut domain = domain(machine);
    let mark = element("passthru:guest", &[("xmlns:passthru", NAMESPACE), ("by", MARK)]);
    if let Some(metadata) = domain.children.iter_mut().find(|child| child.name == "metadata") {
        metadata.children.push(mark);
    }
    domain.children.extend(uuid.map(|uuid| text("uuid", uuid)));
    libvirt_domain::written(&domain)
}

/// Whether passthru has defined a domain.
pub fn is_ours(domain: &ReadElement) -> bool {
    let metadata = domain.child("metadata").map(|metadata| metadata.children.as_slice());
    metadata.unwrap_or_default().iter().any(is_mark)
}

/// Whether an element of a domain's metadata says that passthru has defined it.
pub(crate) fn is_mark(element: &ReadElement) -> bool {
    element.name == "guest" && element.attribute("by") == Some(MARK)
}

/// The name that libosinfo has for a system.
pub(crate) fn osinfo_id(os: Os) -> &'static str {
    match os {
        Os::Linux => "http://libosinfo.org/linux/2022",
        Os::Windows10 => "http://microsoft.com/win/10",
        Os::Windows11 => "http://microsoft.com/win/11",
        Os::Other => "http://libosinfo.org/unknown",
    }
}

/// The domain as an element.
fn domain(machine: &Machine) -> DomainElement {
    let kind = match machine.accel {
        Accel::Kvm => "kvm",
        Accel::Tcg => "qemu",
    };
    let system = element("libosinfo:os", &[("id", osinfo_id(machine.os))]);
    let metadata = element("libosinfo:libosinfo", &[("xmlns:libosinfo", LIBOSINFO)]).with([system]);
    let mut domain = element("domain", &[("type", kind)]);
    let handed_on = handed_on::arguments(machine);
    let legacy_vga = passed::legacy_vga(machine);
    if legacy_vga.is_some() || !handed_on.is_empty() {
        domain.attributes.push(("xmlns:qemu", handed_on::NAMESPACE.to_owned()));
    }
    let mut domain = domain.with([
        text("name", &machine.name),
        element("metadata", &[]).with([metadata]),
        element("memory", &[("unit", "MiB")]).with_text(machine.memory.mib().to_string()),
        text("vcpu", &machine.cpu.vcpus().to_string()),
    ]);
    domain.children.extend(memory::backing(machine));
    domain.children.extend(processor::cputune(machine));
    if Layout::of(machine).io_thread {
        domain.children.push(text("iothreads", "1"));
    }
    if !handed_on.is_empty() {
        domain.children.push(element("qemu:commandline", &[]).with(handed_on));
    }
    domain.children.extend([
        boot::os(machine),
        features(machine),
        processor::cpu(machine),
        memory::clock(machine),
        devices(machine),
    ]);
    domain.children.extend(legacy_vga);
    domain
}

fn features(machine: &Machine) -> DomainElement {
    // libvirt takes ACPI away from a machine that does not ask for it.
    let mut features = element("features", &[]).with(["acpi", "apic"].map(|name| element(name, &[])));
    features.children.push(element("vmport", &[("state", "off")]));
    if machine.kernel_irqchip() {
        features.children.push(element("ioapic", &[("driver", "kvm")]));
    }
    if machine.system_management() {
        features.children.push(element("smm", &[("state", "on")]));
    }
    features.with(hyper_v::features(machine))
}

fn devices(machine: &Machine) -> DomainElement {
    let layout = Layout::of(machine);
    let mut devices = element("devices", &[]);
    devices.children.extend(layout.drives.iter().map(|drive| storage::disk(machine, drive)));
    devices.children.push(element("controller", &[("type", "pci"), ("index", "0"), ("model", "pcie-root")]));
    devices.children.extend(layout.root_ports().map(root_port));
    devices.children.extend(storage::controller(machine, &layout));
    devices.children.push(match layout.usb {
        Some(port) => usb::controller(machine, port),
        // Without a word libvirt adds one.
        None => element("controller", &[("type", "usb"), ("index", "0"), ("model", "none")]),
    });
    for (port, slot) in &layout.slots {
        devices.children.extend(passed::passed(machine.binder, *port, slot));
    }
    devices.children.extend(layout.network.map(|(card, port)| network::card(card, port)));
    devices.children.extend(layout.rng.map(network::rng));
    devices
        .children
        .extend(machine.serials.iter().enumerate().map(|(number, serial)| display::console(number, serial)));
    devices.children.extend(machine.usb.iter().filter_map(usb::device));
    devices.children.extend(desktop::inputs(machine, &layout));
    if let Some(picture) = &machine.picture {
        devices.children.extend(display::picture(picture));
    }
    devices.children.extend(machine.audio.iter().flat_map(desktop::audio));
    devices.children.extend(machine.shared.as_ref().and_then(desktop::shared));
    if machine.tpm.is_some() {
        let backend = element("backend", &[("type", "emulator"), ("version", "2.0")]);
        devices.children.push(element("tpm", &[("model", "tpm-crb")]).with([backend]));
    }
    devices.children.push(element("memballoon", &[("model", "none")]));
    devices
}

fn root_port(port: RootPort) -> DomainElement {
    let number = port.number.to_string();
    let target = element("target", &[("chassis", &number), ("port", &format!("{:#x}", port.number))]);
    element("controller", &[("type", "pci"), ("index", &number), ("model", "pcie-root-port")])
        .with([target, address(0, port.slot(), 0)])
}

/// A place behind a root port, whose bus has its number.
fn behind(port: RootPort, function: u8) -> DomainElement {
    address(port.number, 0, function)
}

fn address(bus: usize, slot: usize, function: u8) -> DomainElement {
    element(
        "address",
        &[
            ("type", "pci"),
            ("domain", "0x0000"),
            ("bus", &format!("{bus:#04x}")),
            ("slot", &format!("{slot:#04x}")),
            ("function", &format!("{function:#x}")),
        ],
    )
}

fn element(name: &str, attributes: &[(&'static str, &str)]) -> DomainElement {
    DomainElement::new(name, attributes)
}

fn text(name: &str, text: &str) -> DomainElement {
    element(name, &[]).with_text(text)
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
