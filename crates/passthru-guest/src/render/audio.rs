//! The sound card.

use super::{Arguments, path};
use crate::layout::SOUND_SLOT;
use crate::spec::{Audio, AudioBackend};

/// A card of ICH9 with one codec, and who plays it.
pub(super) fn audio(out: &mut Arguments, audio: &Audio) {
    let server = match (&audio.backend, audio.backend.socket()) {
        (AudioBackend::Pulseaudio(_), Some(socket)) => format!(",server={}", path(&socket)),
        // PipeWire's library looks into the environment.
        _ => String::new(),
    };
    out.option("-audiodev", format!("{},id=audio0{server}", audio.backend.driver()));
    out.option("-device", format!("ich9-intel-hda,id=sound0,bus=pcie.0,addr={SOUND_SLOT:#x}"));
    out.option("-device", format!("hda-{},bus=sound0.0,cad=0,audiodev=audio0", audio.codec.word()));
}
