//! What a guest shares with somebody who sits at the host: keyboards and mice, sound, the memory of a picture.

use passthru_model::virtualisation::DomainElement;
use serde_json::json;

use super::{address, behind, element, path};
use crate::layout::{Layout, SHARED_SLOT, SOUND_SLOT};
use crate::machine::{Machine, Shared};
use crate::spec::{Audio, AudioBackend, AudioCodec, SharedMemory};

/// The host's keyboards and mice, and those that the guest sees.
pub(super) fn inputs(machine: &Machine, layout: &Layout<'_>) -> Vec<DomainElement> {
    let hosts = machine.inputs.iter().map(|input| {
        let mut source = element("source", &[("dev", &path(&input.path))]);
        if input.grab_all {
            source.attributes.push(("grab", "all".to_owned()));
        }
        if input.repeat {
            source.attributes.push(("repeat", "on".to_owned()));
        }
        source.attributes.push(("grabToggle", input.toggle.word().to_owned()));
        element("input", &[("type", "evdev")]).with([source])
    });
    let seen = ["keyboard", "mouse"].into_iter().zip(layout.input.into_iter().flatten());
    let seen = seen
        .map(|(kind, port)| element("input", &[("type", kind), ("bus", "virtio")]).with([behind(port, 0)]));
    hosts.chain(seen).collect()
}

/// The sound card, and who plays it.
pub(super) fn audio(audio: &Audio) -> [DomainElement; 2] {
    let mut card = element("sound", &[("model", "ich9")]);
    // A duplex codec is there by itself.
    if audio.codec != AudioCodec::Duplex {
        card.children.push(element("codec", &[("type", audio.codec.word())]));
    }
    card.children.push(element("audio", &[("id", "1")]));
    card.children.push(address(0, usize::from(SOUND_SLOT), 0));
    let mut server = element("audio", &[("id", "1"), ("type", audio.backend.word())]);
    match &audio.backend {
        AudioBackend::Pipewire(Some(directory)) => server.attributes.push(("runtimeDir", path(directory))),
        AudioBackend::Pulseaudio(_) => {
            server.attributes.extend(audio.backend.socket().map(|socket| ("serverName", path(&socket))));
        }
        _ => {}
    }
    [card, server]
}

/// Memory shared with Looking Glass, where libvirt has an element for it: a file in `/dev/shm`.
pub(super) fn shared(shared: &Shared) -> Option<DomainElement> {
    let SharedMemory::File(name) = &shared.memory else { return None };
    let size = element("size", &[("unit", "M")]).with_text(shared.mib.to_string());
    let model = element("model", &[("type", "ivshmem-plain")]);
    Some(element("shmem", &[("name", name)]).with([model, size, address(0, usize::from(SHARED_SLOT), 0)]))
}

/// And where it has none: a device of kvmfr, in QEMU's own words. They are JSON, as libvirt's own are, so that QEMU places them alike.
pub(super) fn shared_words(shared: &Shared) -> Vec<String> {
    let SharedMemory::Kvmfr(_) = shared.memory else { return Vec::new() };
    let memory = json!({
        "qom-type": "memory-backend-file",
        "id": "looking-glass",
        "mem-path": path(&shared.memory.path()),
        "size": shared.mib << 20,
        "share": true,
    });
    let device = json!({
        "driver": "ivshmem-plain",
        "id": "shmem0",
        "memdev": "looking-glass",
        "bus": "pcie.0",
        "addr": format!("{SHARED_SLOT:#x}"),
    });
    vec!["-object".to_owned(), memory.to_string(), "-device".to_owned(), device.to_string()]
}
