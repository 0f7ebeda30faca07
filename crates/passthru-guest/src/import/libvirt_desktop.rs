//! USB devices, keyboards and mice, sound and shared memory of a domain.

use passthru_formats::libvirt_domain::{self, ReadElement};
use passthru_model::usb::UsbId;

use super::desktop;
use super::draft::Draft;
use super::libvirt::only;
use super::libvirt_devices::placed;
use super::reasons::{ICH9, NO_KEY, NO_SHARED, VIRTIO_INPUT};
use crate::spec::{AudioCodec, GrabToggle, InputDevice, UsbChoice, UsbDevice};

/// A USB device of the host: by what it is, or by where it is now.
pub(super) fn usb(draft: &mut Draft<'_>, device: &ReadElement) {
    let source = device.child("source");
    let half = |name: &str| source?.child(name)?.attribute("id")?.parse().ok();
    let id = half("vendor").zip(half("product")).map(|(vendor, product)| UsbId { vendor, product });
    let address = source.and_then(|source| source.child("address"));
    let number = |name: &str| address?.attribute(name)?.parse::<u16>().ok();
    let at = number("bus").zip(number("device"));
    let choice = match (at, id) {
        (Some((bus, number)), id) => {
            let Some(port) = draft.usb_port(bus, number, id) else {
                let why = format!(
                    "bus {bus} has no such device {number} now, and a device gets another number each time it is plugged in; see: passthru usb"
                );
                return draft.lost(device.line, device.tag(), why);
            };
            UsbChoice::Port { port, id }
        }
        (None, Some(id)) => UsbChoice::Id(id),
        (None, None) => return draft.lost(device.line, device.tag(), "its <source> names no USB device"),
    };
    let policy = source.and_then(|source| source.attribute("startupPolicy"));
    draft.usb.push(UsbDevice { choice, optional: matches!(policy, Some("optional" | "requisite")) });
    only(draft, device, &["mode", "type", "managed"]);
    for element in
        device.children.iter().chain(source.map(|source| source.children.as_slice()).unwrap_or_default())
    {
        match element.name.as_str() {
            "alias" | "vendor" | "product" => {}
            "source" => only(draft, element, &["startupPolicy"]),
            // Where it is on the host was read, and where it is in the guest is passthru's to say.
            "address" => placed(draft, element),
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}

/// A keyboard, a mouse, or one of the host's by evdev.
pub(super) fn input(draft: &mut Draft<'_>, device: &ReadElement) {
    let bus = device.attribute("bus");
    match device.attribute("type").unwrap_or_default() {
        "evdev" => evdev(draft, device),
        "mouse" | "keyboard" if bus == Some("virtio") => {
            draft.left_out(device.line, device.tag(), VIRTIO_INPUT);
        }
        "mouse" | "keyboard" => {
            draft.left_out(device.line, device.tag(), "the board has a PS/2 mouse and keyboard");
        }
        "tablet" if bus == Some("usb") => draft.left_out(device.line, device.tag(), super::reasons::TABLET),
        _ => draft.lost(device.line, device.tag(), NO_KEY),
    }
}

fn evdev(draft: &mut Draft<'_>, device: &ReadElement) {
    let source = device.child("source");
    let Some((source, path)) = source.and_then(|source| Some((source, source.attribute("dev")?))) else {
        return draft.lost(device.line, device.tag(), "its <source> names no input device");
    };
    let toggle = toggle(draft, source.line, source.attribute("grabToggle"));
    draft.inputs.push(InputDevice {
        path: path.into(),
        grab_all: source.attribute("grab") == Some("all"),
        repeat: source.attribute("repeat") == Some("on"),
        toggle,
    });
    only(draft, device, &["type"]);
    only(draft, source, &["dev", "grab", "repeat", "grabToggle"]);
}

/// The keys that hand a device over, by their word.
pub(super) fn toggle(draft: &mut Draft<'_>, line: usize, word: Option<&str>) -> GrabToggle {
    let Some(word) = word else { return GrabToggle::default() };
    let known = GrabToggle::ALL.into_iter().find(|toggle| toggle.word() == word);
    if known.is_none() {
        draft.lost(line, word, NO_KEY);
    }
    known.unwrap_or_default()
}

/// A sound card.
pub(super) fn card(draft: &mut Draft<'_>, device: &ReadElement) {
    match device.attribute("model") {
        Some("ich9") => {}
        Some("ich6") => draft.left_out(device.line, device.tag(), ICH9),
        _ => return draft.lost(device.line, device.tag(), ICH9),
    }
    if draft.sound.card.is_some() {
        return draft.lost(device.line, device.tag(), "a guest has one sound card");
    }
    let codec = device.child("codec").and_then(|codec| codec.attribute("type"));
    let codec = if codec == Some("micro") { AudioCodec::Micro } else { AudioCodec::Duplex };
    let id = device.child("audio").and_then(|audio| audio.attribute("id")).map(str::to_owned);
    draft.sound.card = Some((codec, id));
    only(draft, device, &["model"]);
    for element in &device.children {
        match element.name.as_str() {
            "audio" | "alias" => {}
            "codec" if matches!(element.attribute("type"), Some("micro" | "duplex")) => {}
            "address" => placed(draft, element),
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}

/// Who plays.
pub(super) fn audio(draft: &mut Draft<'_>, device: &ReadElement) {
    let kind = device.attribute("type").unwrap_or_default();
    let place = device.attribute("serverName").or_else(|| device.attribute("runtimeDir"));
    let played = desktop::backend(draft, device.line, &device.tag(), kind, place);
    draft.sound.backends.insert(device.attribute("id").unwrap_or_default().to_owned(), played);
    only(draft, device, &["id", "type", "serverName", "runtimeDir"]);
    for element in &device.children {
        draft.lost(element.line, element.tag(), NO_KEY);
    }
}

/// Memory shared with Looking Glass.
pub(super) fn shared(draft: &mut Draft<'_>, device: &ReadElement) {
    let name = device.attribute("name").unwrap_or_default();
    let model = device.child("model").and_then(|model| model.attribute("type"));
    let bytes = device.child("size").and_then(|size| libvirt_domain::size(size, "MiB"));
    if model != Some("ivshmem-plain") {
        return draft.lost(device.line, device.tag(), NO_SHARED);
    }
    desktop::shared(draft, device.line, &device.tag(), &format!("/dev/shm/{name}"), bytes);
    only(draft, device, &["name"]);
    for element in &device.children {
        match element.name.as_str() {
            "model" | "size" | "alias" => {}
            "address" => placed(draft, element),
            _ => draft.lost(element.line, element.tag(), NO_KEY),
        }
    }
}
