//! The version that a graphics card's maker wrote into its legacy image.

use crate::bytes::{le16, part};

/// Whose ROM it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// NVIDIA.
    Nvidia,
    /// AMD.
    Amd,
}

impl Maker {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nvidia => "NVIDIA",
            Self::Amd => "AMD",
        }
    }
}

/// A VBIOS, as far as it names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vbios {
    /// Whose it is.
    pub maker: Maker,
    /// Its version, such as `84.04.1f.00.02` (NVIDIA) or `017.001.000.000.005597` (AMD).
    pub version: Option<String>,
    /// AMD's part number, such as `113-D0000100-101`.
    pub part_number: Option<String>,
}

/// The longest text that is taken for one, in bytes; amdgpu takes 43 (`BIOS_STRING_LENGTH`, `atomfirmware.h`).
const LONGEST: usize = 43;

/// Looks for a maker's marks in a legacy image.
pub(super) fn find(image: &[u8]) -> Option<Vbios> {
    amd(image).or_else(|| nvidia(image))
}

/// ATOMBIOS: AMD's mark at 0x30, the place of its header at 0x48, and `ATOM` in that (`drivers/gpu/drm/amd/amdgpu/atom.c`).
fn amd(image: &[u8]) -> Option<Vbios> {
    if part(image, 0x30, 10)? != b" 761295520" {
        return None;
    }
    let header = usize::from(le16(image, 0x48)?);
    if part(image, header + 4, 4)? != b"ATOM" {
        return None;
    }
    // As amdgpu does: the version stands behind `ATOMBIOSBK-AMD VER`, the part number is the first of the strings.
    let anchor = b"ATOMBIOSBK-AMD";
    let at = image.windows(anchor.len()).position(|window| window == anchor);
    let version = at.and_then(|at| text(image, at + 18));
    let strings = image.get(0x2f).copied().unwrap_or(0);
    let place = if strings == 0 { 0x80 } else { usize::from(le16(image, 0x6e)?) };
    Some(Vbios { maker: Maker::Amd, version, part_number: text(image, place) })
}

/// NVIDIA writes `Version 84.04.1F.00.02` for the screen.
fn nvidia(image: &[u8]) -> Option<Vbios> {
    let anchor = b"Version ";
    let places = image.windows(anchor.len()).enumerate().filter(|(_, window)| window == anchor);
    let version = places.map(|(at, _)| at + anchor.len()).find_map(|at| {
        let text = part(image, at, 14)?;
        let shaped = text.chunks(3).all(|group| {
            matches!(group, [high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
                && matches!(rest, [] | [b'.']))
        });
        shaped.then(|| String::from_utf8_lossy(text).to_ascii_lowercase())
    })?;
    Some(Vbios { maker: Maker::Nvidia, version: Some(version), part_number: None })
}

/// The printable text at a place, without blanks around it; `None` where there is none.
fn text(image: &[u8], at: usize) -> Option<String> {
    let text: String = image
        .get(at..)?
        .iter()
        .take(LONGEST)
        .take_while(|byte| matches!(byte, 0x20..=0x7e))
        .map(|byte| char::from(*byte))
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
