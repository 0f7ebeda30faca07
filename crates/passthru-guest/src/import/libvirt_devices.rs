//! The devices of a domain.

use passthru_formats::libvirt_domain::{self, ReadElement};

use super::draft::{Draft, DriveFound};
use super::libvirt::only;
use super::reasons::{
    ADDRESS, EMPTY_DRIVE, NO_BALLOON, NO_KEY, ON_SOCKET, ONLY_SWTPM, PLACED, PLAIN_VGA, TABLET, TPM_2,
    TWO_FORMATS, USB_CONTROLLER,
};
use crate::spec::{DiskFormat, Display};

/// Reads one device.
pub(super) fn read(draft: &mut Draft<'_>, device: &ReadElement) {
    let kind = device.attribute("type").unwrap_or_default();
    let model = device.attribute("model").unwrap_or_default();
    match device.name.as_str() {
        "emulator" => draft.left_out(device.line, device.text.clone(), "QEMU is looked for in PATH"),
        "disk" => disk(draft, device),
        "hostdev" if kind == "pci" => host_device(draft, device),
        "controller" => controller(draft, device, kind, model),
        "input" if matches!(kind, "mouse" | "keyboard") && device.attribute("bus") != Some("virtio") => {
            draft.left_out(device.line, device.tag(), "the board has a PS/2 mouse and keyboard");
        }
        "input" if kind == "tablet" && device.attribute("bus") == Some("usb") => {
            draft.left_out(device.line, device.tag(), TABLET);
        }
        "graphics" => graphics(draft, device, kind),
        "video" => video(draft, device),
        "serial" | "console" if matches!(kind, "pty" | "unix") => {
            draft.left_out(device.line, device.tag(), "every guest has a serial console");
        }
        "audio" if kind == "none" => draft.left_out(device.line, device.tag(), "no sound card hangs on it"),
        "memballoon" if model == "none" => {}
        "memballoon" => draft.lost(device.line, device.tag(), NO_BALLOON),
        "interface" => interface(draft, device, kind),
        "tpm" => tpm(draft, device),
        "channel" | "redirdev" if kind == "spicevmc" => {
            draft.lost(
                device.line,
                device.tag(),
                "only a SPICE client uses it, and the virtual display is VNC",
            );
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
            "address" => placed(draft, element),
            "driver" if element.attributes.iter().all(|(name, value)| name == "name" && value == "vfio") => {}
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}

/// Ports and buses; a controller with a wheel of its own is lost.
fn controller(draft: &mut Draft<'_>, device: &ReadElement, kind: &str, model: &str) {
    match kind {
        "pci" | "sata" | "ide" | "scsi" | "fdc" => draft.left_out(device.line, device.tag(), PLACED),
        "usb" if model == "none" => {}
        "usb" => draft.left_out(device.line, device.tag(), USB_CONTROLLER),
        "virtio-serial" => draft.left_out(device.line, device.tag(), "channels are not carried over"),
        _ => draft.lost(device.line, device.tag(), NO_KEY),
    }
}

/// The place in the guest that is said for a device.
fn placed(draft: &mut Draft<'_>, element: &ReadElement) {
    if element.attribute("type").is_none_or(|kind| kind == "pci") {
        draft.left_out(element.line, element.tag(), PLACED);
    }
}

fn graphics(draft: &mut Draft<'_>, device: &ReadElement, kind: &str) {
    match kind {
        "vnc" => {
            let on_socket = device.attribute("socket").is_some()
                || device.child("listen").is_some_and(|listen| listen.attribute("type") == Some("socket"));
            if !on_socket {
                draft.lost(device.line, device.tag(), "VNC is on a socket that only its owner can open");
            }
        }
        "egl-headless" => return draft.lost(device.line, device.tag(), NO_KEY),
        _ => draft.lost(device.line, device.tag(), ON_SOCKET),
    }
    draft.display = Some(Display::Vnc);
}

fn video(draft: &mut Draft<'_>, device: &ReadElement) {
    let model = device.child("model").and_then(|model| model.attribute("type")).unwrap_or_default();
    match model {
        "vga" => draft.display = Some(Display::Vnc),
        "none" => {}
        _ => {
            draft.display = Some(Display::Vnc);
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
    let model = device.child("model").and_then(|model| model.attribute("type"));
    draft.card(device.line, &device.tag(), Some(kind), model);
    for element in &device.children {
        match element.name.as_str() {
            // What it is on is said with the interface.
            "source" | "model" | "alias" | "target" => {}
            "mac" => draft.left_out(element.line, element.tag(), ADDRESS),
            "address" => placed(draft, element),
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
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
    let boot = device.child("boot").and_then(|boot| boot.attribute("order")?.parse().ok());
    draft.drive(DriveFound { line: device.line, path: path.to_owned(), format, is_disc, bus, boot });
    only(draft, device, &["type", "device"]);
    let discards = format == DiskFormat::Qcow2 && !is_disc;
    for element in &device.children {
        match element.name.as_str() {
            "target" | "boot" | "alias" | "backingStore" => {}
            "source" => only(draft, element, &["file", "dev", "index"]),
            "driver" if discards && element.attribute("discard") == Some("unmap") => {
                only(draft, element, &["name", "type", "discard"]);
            }
            "driver" => only(draft, element, &["name", "type"]),
            "readonly" if is_disc => {}
            "address" => placed(draft, element),
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}
