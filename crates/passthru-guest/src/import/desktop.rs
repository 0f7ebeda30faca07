//! What a guest shares with somebody who sits at the host, as two programs write it: sound, the memory of a picture.

use std::collections::BTreeMap;
use std::path::PathBuf;

use passthru_formats::qemu_command::{self, Properties, QemuOption};

use super::draft::Draft;
use super::reasons::{ICH9, NO_KEY, NO_SERVER, NO_SHARED, PLACED};
use crate::size::{MIB, MemorySize};
use crate::spec::{
    Audio, AudioBackend, AudioCodec, Display, LookingGlass, PULSE_SOCKET, SharedMemory, SharedSize,
};

/// The sound of a guest as it is found: cards and who plays them are said apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Sound {
    /// The codec of the first card, and the id of who plays it, where that is said.
    pub(super) card: Option<(AudioCodec, Option<String>)>,
    /// Who plays, by id.
    pub(super) backends: BTreeMap<String, AudioBackend>,
}

impl Sound {
    /// The sound card. Where nobody is said to play it, it is the viewer of a SPICE display, or nobody.
    pub(super) fn finish(self, display: Option<Display>) -> Option<Audio> {
        let (codec, id) = self.card?;
        let by_itself =
            if display == Some(Display::Spice) { AudioBackend::Spice } else { AudioBackend::None };
        let said = match id {
            Some(id) => self.backends.get(&id),
            None => self.backends.values().next(),
        };
        Some(Audio { backend: said.cloned().unwrap_or(by_itself), codec })
    }
}

/// Who plays the sound, by the word of QEMU or of libvirt; `place` is what is said of where.
pub(super) fn backend(
    draft: &mut Draft<'_>,
    line: usize,
    what: &str,
    word: &str,
    place: Option<&str>,
) -> AudioBackend {
    let directory = |draft: &mut Draft<'_>, suffix: &str| {
        let place = place?;
        let path = place.strip_prefix("unix:").unwrap_or(place);
        let found = path.strip_suffix(suffix).filter(|path| path.starts_with('/'));
        if found.is_none() {
            draft.lost(
                line,
                format!("{what}: {place}"),
                "a sound server is found by its user's runtime directory",
            );
        }
        found.map(|path| PathBuf::from(path.strip_suffix('/').unwrap_or(path)))
    };
    match word {
        "none" => AudioBackend::None,
        "spice" => AudioBackend::Spice,
        "jack" => AudioBackend::Jack,
        "pipewire" => AudioBackend::Pipewire(directory(draft, "")),
        "pa" | "pulseaudio" => AudioBackend::Pulseaudio(directory(draft, PULSE_SOCKET)),
        _ => {
            draft.lost(line, what, NO_SERVER);
            AudioBackend::None
        }
    }
}

/// The sound that QEMU's options say; whether an option is about it.
pub(super) fn sound_option(draft: &mut Draft<'_>, option: &QemuOption) -> bool {
    let said = option.properties("driver");
    let driver = said.get("driver").unwrap_or_default();
    let what = format!("-{} {driver}", option.name);
    let known: &[&str] = match (option.name.as_str(), driver) {
        ("audiodev", _) => {
            let played = backend(draft, option.line, &what, driver, said.get("server"));
            draft.sound.backends.insert(said.get("id").unwrap_or_default().to_owned(), played);
            &["driver", "id", "server"]
        }
        ("device", "ich9-intel-hda") => &["driver", "id", "bus", "addr"],
        ("device", "intel-hda") => {
            draft.left_out(option.line, &what, ICH9);
            &["driver", "id", "bus", "addr"]
        }
        ("device", "hda-duplex" | "hda-micro") => {
            let codec = if driver == "hda-micro" { AudioCodec::Micro } else { AudioCodec::Duplex };
            if draft.sound.card.is_some() {
                draft.lost(option.line, &what, "a guest has one sound card");
            } else {
                draft.sound.card = Some((codec, said.get("audiodev").map(str::to_owned)));
            }
            &["driver", "id", "bus", "cad", "audiodev"]
        }
        _ => return false,
    };
    rest(draft, option, &said, known);
    true
}

/// Says which properties of an option are not among those that are understood.
pub(super) fn rest(draft: &mut Draft<'_>, option: &QemuOption, said: &Properties, known: &[&str]) {
    for (name, value) in said.iter().filter(|(name, _)| !known.contains(name)) {
        draft.lost(option.line, format!("-{} {}", option.name, option.words_of(name, value)), NO_KEY);
    }
}

/// The memory that QEMU's options share with Looking Glass, by its object's id; such a device and its object are no others.
pub(super) fn shared_ids(options: &[QemuOption]) -> Vec<String> {
    let ids = options.iter().filter(|option| option.name == "device").filter_map(|option| {
        let said = option.properties("driver");
        (said.get("driver") == Some("ivshmem-plain")).then(|| said.get("memdev").map(str::to_owned))?
    });
    ids.collect()
}

/// Memory shared by QEMU's options; whether an option is about it.
pub(super) fn shared_option(draft: &mut Draft<'_>, option: &QemuOption, ids: &[String]) -> bool {
    match option.name.as_str() {
        "object" => {
            let said = option.properties("qom-type");
            let is_shared = said.get("id").is_some_and(|id| ids.iter().any(|known| known == id));
            if said.get("qom-type") != Some("memory-backend-file") || !is_shared {
                return false;
            }
            let path = said.get("mem-path").unwrap_or_default();
            let bytes = qemu_command::size(said.get("size").unwrap_or_default(), 1);
            shared(draft, option.line, &option.words(), path, bytes);
            rest(draft, option, &said, &["qom-type", "id", "mem-path", "size", "share"]);
            true
        }
        "device" => {
            let said = option.properties("driver");
            if said.get("driver") != Some("ivshmem-plain") {
                return false;
            }
            for (name, value) in said.iter().filter(|(name, _)| matches!(*name, "bus" | "addr")) {
                draft.left_out(option.line, option.words_of(name, value), PLACED);
            }
            rest(draft, option, &said, &["driver", "id", "memdev", "bus", "addr"]);
            true
        }
        _ => false,
    }
}

/// Memory shared at a path.
pub(super) fn shared(draft: &mut Draft<'_>, line: usize, what: &str, path: &str, bytes: Option<u64>) {
    let size =
        bytes.filter(|bytes| bytes.is_power_of_two()).and_then(|bytes| MemorySize::from_mib(bytes / MIB));
    let (Some(memory), Some(size)) = (SharedMemory::of_path(path), size) else {
        return draft.lost(line, what, NO_SHARED);
    };
    if draft.looking_glass.is_some() {
        return draft.lost(line, what, "a guest shares one memory with Looking Glass");
    }
    draft.looking_glass = Some(LookingGlass { size: SharedSize::Memory(size), memory });
}
