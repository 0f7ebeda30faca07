//! `[audio]`: a sound card, and who plays what it is given.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::write::quoted;

/// Who plays the sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioBackend {
    /// Nobody: the guest has a card, and it is silent.
    None,
    /// The viewer of a SPICE display.
    Spice,
    /// JACK's server of the user that QEMU runs as.
    Jack,
    /// PipeWire, of the user whose runtime directory (`/run/user/UID`) this is.
    Pipewire(Option<PathBuf>),
    /// PulseAudio or what stands in for it, of the user whose runtime directory this is.
    Pulseaudio(Option<PathBuf>),
}

impl AudioBackend {
    /// The word in the file and in libvirt.
    pub fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Spice => "spice",
            Self::Jack => "jack",
            Self::Pipewire(_) => "pipewire",
            Self::Pulseaudio(_) => "pulseaudio",
        }
    }

    /// The name of QEMU's driver (`-audiodev`).
    pub fn driver(&self) -> &'static str {
        match self {
            Self::Pulseaudio(_) => "pa",
            other => other.word(),
        }
    }

    /// The runtime directory of the user whose sound server it is.
    pub fn runtime_directory(&self) -> Option<&Path> {
        match self {
            Self::Pipewire(directory) | Self::Pulseaudio(directory) => directory.as_deref(),
            Self::None | Self::Spice | Self::Jack => None,
        }
    }

    /// The socket of a server that is reached by one.
    pub fn socket(&self) -> Option<PathBuf> {
        let directory = self.runtime_directory()?;
        match self {
            Self::Pipewire(_) => Some(directory.join("pipewire-0")),
            Self::Pulseaudio(_) => Some(directory.join(PULSE_SOCKET)),
            Self::None | Self::Spice | Self::Jack => None,
        }
    }
}

/// Where PulseAudio listens, below the runtime directory.
pub const PULSE_SOCKET: &str = "pulse/native";

/// What the card has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AudioCodec {
    /// Line out and line in.
    #[default]
    Duplex,
    /// A loudspeaker and a microphone, which some programs want for talking.
    Micro,
}

impl AudioCodec {
    /// The word in the file and in libvirt.
    pub fn word(self) -> &'static str {
        match self {
            Self::Duplex => "duplex",
            Self::Micro => "micro",
        }
    }
}

/// A sound card.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Audio {
    /// Who plays it.
    pub backend: AudioBackend,
    /// What the card has.
    pub codec: AudioCodec,
}

/// The words of [`AudioBackend`].
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    None,
    Spice,
    Jack,
    Pipewire,
    Pulseaudio,
}

/// The keys of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Keys {
    backend: Word,
    #[serde(default)]
    codec: AudioCodec,
    runtime_directory: Option<PathBuf>,
}

impl TryFrom<Keys> for Audio {
    type Error = &'static str;

    fn try_from(keys: Keys) -> Result<Self, Self::Error> {
        let backend = match (keys.backend, keys.runtime_directory) {
            (Word::Pipewire, directory) => AudioBackend::Pipewire(directory),
            (Word::Pulseaudio, directory) => AudioBackend::Pulseaudio(directory),
            (_, Some(_)) => {
                return Err(
                    "runtime-directory is for backend = \"pipewire\" and \"pulseaudio\", which a user's session runs",
                );
            }
            (Word::None, None) => AudioBackend::None,
            (Word::Spice, None) => AudioBackend::Spice,
            (Word::Jack, None) => AudioBackend::Jack,
        };
        Ok(Self { backend, codec: keys.codec })
    }
}

/// The table.
pub(super) fn write(out: &mut String, audio: &Audio) {
    let _ = write!(out, "\n[audio]\nbackend = \"{}\"\n", audio.backend.word());
    if audio.codec != AudioCodec::default() {
        let _ = writeln!(out, "codec = \"{}\"", audio.codec.word());
    }
    if let Some(directory) = audio.backend.runtime_directory() {
        let _ = writeln!(out, "runtime-directory = {}", quoted(&directory.to_string_lossy()));
    }
}
