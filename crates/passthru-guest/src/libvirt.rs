//! A machine to domain XML of libvirt (<https://libvirt.org/formatdomain.html>). Pure; for libvirt 9.0 and later.
//!
//! It is the machine that [`crate::render`] says in QEMU's words: [`Layout`] places the devices of both. What is only
//! libvirt's to say (sockets, the control channel, where UEFI variables are kept) is left to libvirt.

pub(crate) mod handed_on;
mod hyper_v;
mod memory;
mod processor;

use std::path::Path;

use passthru_formats::libvirt_domain;
use passthru_model::PciAddress;
use passthru_model::virtualisation::DomainElement;

use crate::accel::Accel;
use crate::layout::{Drive, DriveKind, Layout, Plug, RootPort, VGA_SLOT};
use crate::machine::{Backing, Boot, GuestSlot, Machine, NetworkCard, Serial};
use crate::spec::Os;

/// The namespace in which libvirt keeps what libosinfo calls a system.
const LIBOSINFO: &str = "http://libosinfo.org/xmlns/libvirt/domain/1.0";

/// The whole file.
pub fn xml(machine: &Machine) -> String {
    libvirt_domain::written(&domain(machine))
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
    let mut domain = element("domain", &[("type", kind)]).with([
        text("name", &machine.name),
        element("metadata", &[]).with([metadata]),
        element("memory", &[("unit", "MiB")]).with_text(machine.memory.mib().to_string()),
        text("vcpu", &machine.cpu.vcpus().to_string()),
    ]);
    domain.children.extend(memory::backing(machine));
    domain.children.extend(processor::cputune(machine));
    let handed_on = handed_on::arguments(machine);
    if !handed_on.is_empty() {
        domain.attributes.push(("xmlns:qemu", handed_on::NAMESPACE.to_owned()));
        domain.children.push(element("qemu:commandline", &[]).with(handed_on));
    }
    domain.with([
        os(machine),
        features(machine),
        processor::cpu(machine),
        memory::clock(machine),
        devices(machine),
    ])
}

/// The board and its firmware. A new machine's variables are copied from the template by libvirt, which keeps them where its
/// own QEMU can write.
fn os(machine: &Machine) -> DomainElement {
    let board = element("type", &[("arch", "x86_64"), ("machine", "q35")]).with_text("hvm");
    let mut os = element("os", &[]).with([board]);
    if let Boot::Uefi { code, template, format, .. } = &machine.boot {
        let mut loader = element("loader", &[("readonly", "yes"), ("type", "pflash")]);
        let mut vars = element("nvram", &[("template", &path(template))]);
        // Other layouts than raw can be named since libvirt 8.5.
        if format != "raw" {
            loader.attributes.push(("format", format.clone()));
            vars.attributes.push(("format", format.clone()));
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

fn features(machine: &Machine) -> DomainElement {
    // libvirt takes ACPI away from a machine that does not ask for it.
    let mut features = element("features", &[]).with(["acpi", "apic"].map(|name| element(name, &[])));
    features.children.push(element("vmport", &[("state", "off")]));
    if machine.kernel_irqchip() {
        features.children.push(element("ioapic", &[("driver", "kvm")]));
    }
    features.with(hyper_v::features(machine))
}

fn devices(machine: &Machine) -> DomainElement {
    let layout = Layout::of(machine);
    let mut devices = element("devices", &[]);
    devices.children.extend(layout.drives.iter().map(disk));
    devices.children.push(element("controller", &[("type", "pci"), ("index", "0"), ("model", "pcie-root")]));
    devices.children.extend(layout.root_ports().map(root_port));
    devices.children.push(match layout.usb {
        Some(port) => element("controller", &[("type", "usb"), ("index", "0"), ("model", "qemu-xhci")])
            .with([behind(port, 0)]),
        // Without a word libvirt adds one.
        None => element("controller", &[("type", "usb"), ("index", "0"), ("model", "none")]),
    });
    for (port, slot) in &layout.slots {
        devices.children.extend(passed(*port, slot));
    }
    if let Some((card, port)) = layout.network {
        let model = match card {
            NetworkCard::Virtio => "virtio",
            NetworkCard::E1000e => "e1000e",
        };
        let model = element("model", &[("type", model)]);
        devices.children.push(element("interface", &[("type", "user")]).with([model, behind(port, 0)]));
    }
    devices
        .children
        .extend(machine.serials.iter().enumerate().map(|(number, serial)| console(number, serial)));
    if layout.usb.is_some() {
        devices.children.extend(picture());
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

fn disk(drive: &Drive<'_>) -> DomainElement {
    let (kind, source) = if drive.is_device() { ("block", "dev") } else { ("file", "file") };
    let device = match drive.kind {
        DriveKind::Disk => "disk",
        DriveKind::Disc => "cdrom",
    };
    let mut driver = element("driver", &[("name", "qemu"), ("type", drive.format.word())]);
    if drive.discards() {
        driver.attributes.push(("discard", "unmap".to_owned()));
    }
    let (bus, prefix, place) = match drive.plug {
        Plug::Virtio(port) => ("virtio", "vd", behind(port, 0)),
        Plug::Sata(unit) => {
            let unit = unit.to_string();
            let at = [("type", "drive"), ("controller", "0"), ("bus", "0"), ("target", "0"), ("unit", &unit)];
            ("sata", "sd", element("address", &at))
        }
    };
    let target = match drive.plug {
        Plug::Virtio(_) => drive.number,
        Plug::Sata(unit) => unit,
    };
    let target = element("target", &[("dev", &format!("{prefix}{}", letters(target))), ("bus", bus)]);
    let mut disk = element("disk", &[("type", kind), ("device", device)]);
    disk.children.extend([driver, element("source", &[(source, &path(drive.image))]), target]);
    if drive.kind == DriveKind::Disc {
        disk.children.push(element("readonly", &[]));
    }
    disk.children.extend([element("boot", &[("order", &drive.boot.to_string())]), place]);
    disk
}

/// The functions of a slot. libvirt leaves one that vfio-pci has already where it is, also where it may take it itself
/// (`managed`); one that a driver of the host has would be refused without.
fn passed(port: RootPort, slot: &GuestSlot) -> Vec<DomainElement> {
    let several = slot.functions.len() > 1;
    let one = |function: u8, host: PciAddress| {
        let attributes = [("mode", "subsystem"), ("type", "pci"), ("managed", "yes")];
        let mut place = behind(port, function);
        if function == 0 && several {
            place.attributes.push(("multifunction", "on".to_owned()));
        }
        let source = element(
            "address",
            &[
                ("domain", &format!("{:#06x}", host.domain())),
                ("bus", &format!("{:#04x}", host.bus())),
                ("slot", &format!("{:#04x}", host.device())),
                ("function", &format!("{:#x}", host.function())),
            ],
        );
        element("hostdev", &attributes).with([element("source", &[]).with([source]), place])
    };
    // Emulated functions stand in for a card in rehearsals of `try`, which no libvirt runs.
    let hosts = slot.functions.iter().filter_map(|placed| match placed.backing {
        Backing::Host(host) => Some(one(placed.function, host)),
        Backing::Emulated(_) => None,
    });
    hosts.collect()
}

fn console(number: usize, serial: &Serial) -> DomainElement {
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

/// An emulated VGA by VNC on a socket that libvirt places, and a tablet.
fn picture() -> [DomainElement; 3] {
    let vga = element("model", &[("type", "vga")]);
    [
        element("input", &[("type", "tablet"), ("bus", "usb")]),
        element("graphics", &[("type", "vnc")]).with([element("listen", &[("type", "socket")])]),
        element("video", &[]).with([vga, address(0, usize::from(VGA_SLOT), 0)]),
    ]
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

/// The letters of a drive: a, b, …, z, aa, ab.
fn letters(mut number: usize) -> String {
    let mut out = Vec::new();
    loop {
        out.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or_default()));
        number /= 26;
        if number == 0 {
            return out.into_iter().rev().collect();
        }
        number -= 1;
    }
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

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn drives_after_the_26th_have_two_letters() {
        let shown: Vec<String> = [0, 25, 26, 27, 51, 52, 701, 702].into_iter().map(letters).collect();
        assert_eq!(shown, ["a", "z", "aa", "ab", "az", "ba", "zz", "aaa"]);
    }
}
