//! What a guest shares with somebody who sits at the host: keyboards and mice, sound, the memory of a picture.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use passthru_model::HostFacts;
use passthru_model::virtualisation::Kvmfr;

use super::{BuildError, resources};
use crate::look::{Looked, Seen};
use crate::machine::Shared;
use crate::spec::{Audio, AudioBackend, Display, GuestSpec, PULSE_SOCKET, SharedMemory};

/// Says what is wrong with the input devices.
pub(super) fn inputs(spec: &GuestSpec, looked: &Looked, wrong: &mut Vec<BuildError>) {
    let mut seen = BTreeSet::new();
    for input in &spec.inputs {
        if !seen.insert(&input.path) {
            wrong.push(BuildError::InputTwice(input.path.clone()));
            continue;
        }
        let fault = resources::path(&input.path).or_else(|| match looked.files.get(&input.path)? {
            Seen::Input => None,
            Seen::File | Seen::BlockDevice | Seen::InUse(_) | Seen::Other => {
                Some(BuildError::NotInput(input.path.clone()))
            }
            Seen::Missing => Some(BuildError::FileMissing(input.path.clone())),
            Seen::Unreadable(why) => {
                Some(BuildError::FileUnreadable { path: input.path.clone(), why: why.clone() })
            }
        });
        wrong.extend(fault);
    }
}

/// The sound card, played by the user whose server was found where none is said.
pub(super) fn audio(
    spec: &GuestSpec,
    display: Display,
    facts: &HostFacts,
    wrong: &mut Vec<BuildError>,
) -> Option<Audio> {
    let audio = spec.audio.as_ref()?;
    let backend = match &audio.backend {
        AudioBackend::Spice if display != Display::Spice => {
            wrong.push(BuildError::SpiceAudio);
            AudioBackend::None
        }
        AudioBackend::Pipewire(directory) => {
            if let Some(have) = facts.virtualisation.qemu_version().filter(|have| *have < (8, 1)) {
                wrong.push(BuildError::PipewireTooNew { have });
            }
            AudioBackend::Pipewire(server(directory.as_deref(), "pipewire-0", facts, wrong))
        }
        AudioBackend::Pulseaudio(directory) => {
            AudioBackend::Pulseaudio(server(directory.as_deref(), PULSE_SOCKET, facts, wrong))
        }
        other => other.clone(),
    };
    Some(Audio { backend, codec: audio.codec })
}

/// The runtime directory of the user whose server plays: the one that is said, else the one in which a server listens. Where nobody
/// is found, it is that of whoever QEMU runs as.
fn server(
    said: Option<&Path>,
    socket: &str,
    facts: &HostFacts,
    wrong: &mut Vec<BuildError>,
) -> Option<PathBuf> {
    if let Some(directory) = said {
        wrong.extend(resources::path(directory));
        return Some(directory.to_owned());
    }
    let sockets = facts.virtualisation.sound_sockets.value().map(Vec::as_slice).unwrap_or_default();
    let directory = |path: &String| path.strip_suffix(socket)?.strip_suffix('/').map(PathBuf::from);
    let all: BTreeSet<PathBuf> = sockets.iter().filter_map(directory).collect();
    if all.len() > 1 {
        wrong.push(BuildError::SeveralSoundServers(all.iter().cloned().collect()));
    }
    all.into_iter().next()
}

/// The memory shared with Looking Glass.
pub(super) fn shared(spec: &GuestSpec, facts: &HostFacts, wrong: &mut Vec<BuildError>) -> Option<Shared> {
    let glass = spec.looking_glass.as_ref()?;
    let mib = glass.mib();
    // The facts are of the first device.
    if glass.memory == SharedMemory::Kvmfr(0) {
        match facts.virtualisation.kvmfr.value() {
            Some(Kvmfr::Absent) => wrong.push(BuildError::KvmfrAbsent { mib }),
            Some(Kvmfr::PlainFile) => wrong.push(BuildError::KvmfrPlainFile { mib }),
            Some(Kvmfr::Device) | None => {}
        }
    }
    Some(Shared { memory: glass.memory.clone(), mib })
}
