//! The devices of a domain.

use passthru_formats::libvirt_domain::{self, ReadElement};
use passthru_model::PciAddress;

use super::draft::{Draft, DriveFound};
use super::libvirt::only;
use super::libvirt_desktop;
use super::reasons::{
    EMPTY_DRIVE, NO_AGENT, NO_BALLOON, NO_KEY, ON_SOCKET, ONE_QUEUE, ONLY_SWTPM, ONLY_USER, PLACED,
    PLAIN_VGA, TPM_2, TWO_FORMATS, USB_CONTROLLER,
};
use crate::spec::{DiskFormat, Display, NicBackend, Rom};

/// Reads one device.
pub(super) fn read(draft: &mut Draft<'_>, device: &ReadElement) {
    let kind = device.attribute("type").unwrap_or_default();
    let model = device.attribute("model").unwrap_or_default();
    match device.name.as_str() {
        "emulator" => draft.left_out(device.line, device.text.clone(), "QEMU is looked for in PATH"),
        "disk" => disk(draft, device),
        "hostdev" if kind == "pci" => host_device(draft, device),
        "controller" => controller(draft, device, kind, model),
        "hostdev" if kind == "usb" => libvirt_desktop::usb(draft, device),
        "input" => libvirt_desktop::input(draft, device),
        "sound" => libvirt_desktop::card(draft, device),
        "audio" => libvirt_desktop::audio(draft, device),
        "shmem" => libvirt_desktop::shared(draft, device),
        "graphics" => graphics(draft, device, kind),
        "video" => video(draft, device),
        "serial" | "console" if matches!(kind, "pty" | "unix") => {
            draft.left_out(device.line, device.tag(), "every guest has a serial console");
        }
        "memballoon" if model == "none" => {}
        "memballoon" => draft.lost(device.line, device.tag(), NO_BALLOON),
        "rng" => rng(draft, device),
        "interface" => interface(draft, device, kind),
        "tpm" => tpm(draft, device),
        "channel" | "redirdev" if kind == "spicevmc" => {
            draft.lost(device.line, device.tag(), NO_AGENT);
        }
        _ => draft.lost(device.line, device.tag(), NO_KEY),
    }
}

/// A function of the host.
fn host_device(draft: &mut Draft<'_>, device: &ReadElement) {
    let Some(address) = libvirt_domain::host_address(device) else {
        return draft.lost(device.line, device.tag(), "its <source> names no PCI function");
    };
    draft.device(device.line, &device.tag(), address);
    only(draft, device, &["mode", "type", "managed"]);
    for element in &device.children {
        match element.name.as_str() {
            "source" | "alias" => {}
            "rom" => rom(draft, address, element),
            "address" => placed(draft, element),
            "driver" if element.attributes.iter().all(|(name, value)| name == "name" && value == "vfio") => {}
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}

/// Another ROM than the card's own.
fn rom(draft: &mut Draft<'_>, address: PciAddress, element: &ReadElement) {
    let off = element.attribute("bar") == Some("off") || element.attribute("enabled") == Some("no");
    let file = element.attribute("file").map(|path| Rom::File(path.into()));
    if let Some(rom) = if off { Some(Rom::Off) } else { file } {
        draft.roms.insert(address, rom);
    }
    only(draft, element, &["bar", "file", "enabled"]);
}

/// Ports and buses; a controller with a wheel of its own is lost.
fn controller(draft: &mut Draft<'_>, device: &ReadElement, kind: &str, model: &str) {
    match kind {
        "scsi" if model == "virtio-scsi" => {
            if let Some(driver) = device.child("driver") {
                draft.disk_queues(driver.line, &driver.tag(), driver.attribute("queues"));
                only(draft, driver, &["queues", "iothread"]);
            }
            draft.left_out(device.line, device.tag(), PLACED);
        }
        "pci" | "sata" | "ide" | "scsi" | "fdc" => draft.left_out(device.line, device.tag(), PLACED),
        "usb" if model == "none" => {}
        "usb" => draft.left_out(device.line, device.tag(), USB_CONTROLLER),
        "virtio-serial" => draft.left_out(device.line, device.tag(), "channels are not carried over"),
        _ => draft.lost(device.line, device.tag(), NO_KEY),
    }
}

/// The place in the guest that is said for a device.
pub(super) fn placed(draft: &mut Draft<'_>, element: &ReadElement) {
    if element.attribute("type").is_none_or(|kind| kind == "pci") {
        draft.left_out(element.line, element.tag(), PLACED);
    }
}

fn graphics(draft: &mut Draft<'_>, device: &ReadElement, kind: &str) {
    let on_socket = device.attribute("socket").is_some()
        || device.child("listen").is_some_and(|listen| listen.attribute("type") == Some("socket"));
    if kind == "egl-headless" {
        return draft.lost(device.line, device.tag(), NO_KEY);
    }
    if !on_socket || !matches!(kind, "vnc" | "spice") {
        draft.lost(device.line, device.tag(), ON_SOCKET);
    }
    if kind == "spice" {
        draft.display = Some(Display::Spice);
    } else {
        draft.shows(Display::Vnc);
    }
}

fn video(draft: &mut Draft<'_>, device: &ReadElement) {
    let model = device.child("model").and_then(|model| model.attribute("type")).unwrap_or_default();
    match model {
        "vga" => draft.shows(Display::Vnc),
        "none" => {}
        _ => {
            draft.shows(Display::Vnc);
            draft.lost(device.line, format!("<video> {model}"), PLAIN_VGA);
        }
    }
}

/// An emulated TPM, whichever interface it has; one of the host's stays there.
fn tpm(draft: &mut Draft<'_>, device: &ReadElement) {
    let Some(backend) =
        device.child("backend").filter(|backend| backend.attribute("type") == Some("emulator"))
    else {
        return draft.lost(device.line, device.tag(), ONLY_SWTPM);
    };
    draft.tpm = true;
    only(draft, device, &["model"]);
    if backend.attribute("version") == Some("1.2") {
        draft.lost(backend.line, backend.tag(), TPM_2);
    }
    only(draft, backend, &["type", "version"]);
    for element in backend.children.iter().chain(&device.children) {
        match element.name.as_str() {
            "backend" | "alias" => {}
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}

/// A network card.
fn interface(draft: &mut Draft<'_>, device: &ReadElement, kind: &str) {
    let part = |name: &str, attribute: &str| device.child(name).and_then(|child| child.attribute(attribute));
    let name = |name: &str, attribute: &str| part(name, attribute).and_then(|text| text.parse().ok());
    let on = match kind {
        "user" => Some(NicBackend::User),
        "bridge" => name("source", "bridge").map(NicBackend::Bridge),
        "ethernet" if part("target", "managed") == Some("no") => name("target", "dev").map(NicBackend::Tap),
        _ => None,
    };
    if on.is_none() {
        draft.lost(device.line, device.tag(), ONLY_USER);
    }
    let mac = part("mac", "address").and_then(|text| text.parse().ok());
    let queues = part("driver", "queues").and_then(|text| text.parse().ok());
    let model = part("model", "type");
    let is_tap = matches!(on, Some(NicBackend::Tap(_))) && model == Some("virtio");
    if queues.is_some_and(|queues: u8| queues > 1) && !is_tap {
        draft.lost(device.line, format!("{}: queues", device.tag()), ONE_QUEUE);
    }
    let nic = draft.card(device.line, &device.tag(), on, model);
    (nic.mac, nic.queues) = (mac, queues.filter(|_| is_tap));
    for element in &device.children {
        match element.name.as_str() {
            // What it is on is said with the interface.
            "source" | "model" | "alias" | "target" => {}
            "mac" => only(draft, element, &["address"]),
            // The kernel's vhost is taken where it can be.
            "driver" if element.attribute("name").is_none_or(|name| name == "vhost") => {
                only(draft, element, &["name", "queues"]);
            }
            "address" => placed(draft, element),
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}

/// Random numbers of the host, which every guest gets.
fn rng(draft: &mut Draft<'_>, device: &ReadElement) {
    let backend = device.child("backend");
    let is_ours = backend.is_some_and(|backend| backend.text == "/dev/urandom")
        && device.attribute("model") == Some("virtio");
    if !is_ours
        || device.children.iter().any(|child| !matches!(child.name.as_str(), "backend" | "address" | "alias"))
    {
        draft.left_out(
            device.line,
            device.tag(),
            "each guest gets random numbers from /dev/urandom, by virtio",
        );
    }
}

/// A disk or disc.
fn disk(draft: &mut Draft<'_>, device: &ReadElement) {
    let lost = |draft: &mut Draft<'_>, why: &str| draft.lost(device.line, device.tag(), why);
    let kind = device.attribute("device").unwrap_or("disk");
    let source = device.child("source");
    let path = source.and_then(|source| source.attribute("file").or_else(|| source.attribute("dev")));
    let Some(path) = path.filter(|_| matches!(device.attribute("type"), Some("file" | "block"))) else {
        return match (kind, source) {
            ("cdrom", None) => draft.left_out(device.line, device.tag(), EMPTY_DRIVE),
            _ => lost(draft, "a disk is an image file or a block device"),
        };
    };
    if !matches!(kind, "disk" | "cdrom") {
        return lost(draft, "drives are disks and discs");
    }
    let driver = device.child("driver");
    let format = match driver.and_then(|driver| driver.attribute("type")) {
        None | Some("raw") => DiskFormat::Raw,
        Some("qcow2") => DiskFormat::Qcow2,
        Some(_) => return lost(draft, TWO_FORMATS),
    };
    let target = device.child("target");
    let bus = target.and_then(|target| target.attribute("bus")).unwrap_or("virtio").to_owned();
    let is_disc = kind == "cdrom";
    let bus_is_virtio = bus == "virtio" && !is_disc;
    let boot = device.child("boot").and_then(|boot| boot.attribute("order")?.parse().ok());
    draft.drive(DriveFound { line: device.line, path: path.to_owned(), format, is_disc, bus, boot });
    only(draft, device, &["type", "device"]);
    let discards = format == DiskFormat::Qcow2 && !is_disc;
    for element in &device.children {
        match element.name.as_str() {
            "target" | "boot" | "alias" | "backingStore" => {}
            "source" => only(draft, element, &["file", "dev", "index"]),
            "driver" => {
                if bus_is_virtio {
                    draft.disk_queues(element.line, &element.tag(), element.attribute("queues"));
                }
                let known: &[&str] =
                    match (bus_is_virtio, discards && element.attribute("discard") == Some("unmap")) {
                        (true, true) => &["name", "type", "queues", "iothread", "discard"],
                        (true, false) => &["name", "type", "queues", "iothread"],
                        (false, true) => &["name", "type", "discard"],
                        (false, false) => &["name", "type"],
                    };
                only(draft, element, known);
            }
            "readonly" if is_disc => {}
            "address" => placed(draft, element),
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}
