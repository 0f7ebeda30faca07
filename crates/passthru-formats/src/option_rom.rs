//! PCI option ROMs: which images a ROM holds (PCI Firmware Specification 3.3, chapter 5; UEFI Specification 2.10, §14.4.2).
//!
//! The walk is the one of firmware: from the first image, by the lengths that the images state, to the one that says it is
//! the last. What firmware steps over or never reaches is told as well: bytes before the first image, as the files of
//! NVIDIA's tools have, images for the card's own use behind the last, and what follows then.

mod flaw;
mod image;
mod uefi;
mod vbios;

pub use flaw::{Flaw, RomError};
pub use image::{CodeType, RomImage, VendorExtension};
pub use uefi::{Compression, PackedProgramError, UefiPart};
pub use vbios::{Maker, Vbios};

use crate::bytes::{part, uniform};
use image::Chain;

/// Bytes in which a ROM counts its lengths.
pub const BLOCK: usize = 512;
/// How far the first image is looked for. The longest header known before one is 0x9400 bytes (NVIDIA, from Ampere on).
const MOST_PREFIX: usize = 1 << 20;

/// What the bytes before the first image are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixKind {
    /// NVIDIA's initialisation for the flash chip (`NVGI`), which the card itself hides and its tools save.
    Nvidia,
    /// Anything else.
    Unknown,
}

/// Bytes before the first image: firmware finds no image in such a ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// How many there are.
    pub length: usize,
    /// What they are.
    pub kind: PrefixKind,
}

/// Bytes behind the last image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailing {
    /// How many there are.
    pub length: usize,
    /// The byte that they all are; `None`: they are data.
    pub padding: Option<u8>,
}

/// What was found in a ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rom {
    /// Bytes in all.
    pub size: usize,
    /// What stands before the first image.
    pub prefix: Option<Prefix>,
    /// The images that are whole, in their order.
    pub images: Vec<RomImage>,
    /// What ended the walk before an image that says it is the last; `None` for a sound ROM.
    pub flaw: Option<RomError>,
    /// What stands behind the last image of a sound ROM.
    pub trailing: Option<Trailing>,
    /// The version that the card's maker wrote into it.
    pub vbios: Option<Vbios>,
}

impl Rom {
    /// The images that firmware sees.
    pub fn public(&self) -> impl Iterator<Item = &RomImage> {
        self.images.iter().filter(|image| !image.is_private)
    }
}

/// Walks the images.
pub fn parse(bytes: &[u8]) -> Rom {
    let mut rom =
        Rom { size: bytes.len(), prefix: None, images: Vec::new(), flaw: None, trailing: None, vbios: None };
    // A device that is asleep, or that does not decode its ROM, reads as ff; memory that nobody filled, as 00.
    if let Some(byte @ (0x00 | 0xff)) = uniform(bytes) {
        rom.flaw = Some(RomError { offset: 0, flaw: Flaw::Blank(byte) });
        return rom;
    }
    let start = start(bytes);
    if start > 0 {
        let kind = if bytes.starts_with(b"NVGI") { PrefixKind::Nvidia } else { PrefixKind::Unknown };
        rom.prefix = Some(Prefix { length: start, kind });
    }
    match public(bytes, start, &mut rom.images) {
        Ok(()) => {
            let end = private(bytes, &mut rom.images);
            let rest = bytes.get(end..).unwrap_or_default();
            rom.trailing =
                (!rest.is_empty()).then(|| Trailing { length: rest.len(), padding: uniform(rest) });
        }
        Err(error) => rom.flaw = Some(error),
    }
    let legacy = rom.images.iter().find(|image| image.code == CodeType::Legacy);
    rom.vbios = legacy.and_then(|image| vbios::find(part(bytes, image.offset, image.length)?));
    rom
}

/// Where the first image begins: at 0, or behind a prefix; 0 where there is none at all.
fn start(bytes: &[u8]) -> usize {
    if bytes.starts_with(&image::SIGNATURE) {
        return 0;
    }
    let searched = bytes.get(..bytes.len().min(MOST_PREFIX)).unwrap_or_default();
    let begins = searched.windows(2).enumerate().filter(|(_, two)| *two == image::SIGNATURE);
    begins.map(|(at, _)| at).find(|at| image::is_sound_head(bytes, *at)).unwrap_or(0)
}

/// The images up to the one that says it is the last.
fn public(bytes: &[u8], start: usize, images: &mut Vec<RomImage>) -> Result<(), RomError> {
    let mut offset = start;
    loop {
        let found = image::read(bytes, offset, Chain::Public).or_else(|error| {
            // Firmware steps on by blocks where no image begins (`LoadOpRomImage` of EDK II), so the next one counts.
            let skip = matches!(error.flaw, Flaw::NoSignature(_)) && !images.is_empty();
            let at = if skip { next(bytes, offset) } else { None };
            at.map_or(Err(error), |at| image::read(bytes, at, Chain::Public))
        })?;
        // A length is never 0, so that the walk goes on and ends.
        offset = found.offset + found.length;
        let is_last = found.is_last;
        images.push(found);
        if is_last {
            return Ok(());
        }
    }
}

/// The next whole number of blocks behind `offset` at which a sound image begins.
fn next(bytes: &[u8], offset: usize) -> Option<usize> {
    (offset..bytes.len()).step_by(BLOCK).skip(1).find(|at| image::is_sound_head(bytes, *at))
}

/// Images behind the last, which NVIDIA's extension of the data structure leads to. Returns where the images end.
fn private(bytes: &[u8], images: &mut Vec<RomImage>) -> usize {
    let mut end = images.last().map_or(0, |image| image.offset + image.length);
    while let Some(last) = images.last()
        && let Some(VendorExtension { length, is_last: false }) = last.extension
    {
        let at = last.offset + length.max(BLOCK);
        let Ok(mut found) = image::read(bytes, at, Chain::Private) else { break };
        found.is_private = true;
        end = end.max(found.offset + found.length);
        images.push(found);
    }
    end.min(bytes.len())
}

#[cfg(test)]
mod tests;
