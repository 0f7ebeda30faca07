//! Option ROMs: will OVMF show a picture with this one, and may it be read from the device?
//!
//! What OVMF does is EDK II's `PciOptionRomSupport.c` (MdeModulePkg/Bus/Pci/PciBusDxe): it walks the images from the first
//! byte on, and starts each UEFI image that is a driver for its machine. The picture comes from such a driver of a display
//! device; a legacy image is not run.

mod dump;

pub use dump::{DumpRefusal, PowerAndUse, may_dump};

use passthru_formats::option_rom::{Flaw, PrefixKind, Rom, RomImage, UefiPart};
use passthru_formats::pe;
use passthru_model::hex::{ClassCode, Hex16, PciId};
use passthru_model::pci::PciFunction;
use schemars::JsonSchema;
use serde::Serialize;

/// Where the legacy copy of the boot GPU's ROM lies, and how long it is (`pci_fixup_video`, `arch/x86/pci/fixup.c`).
const SHADOW_START: u64 = 0xc_0000;
const SHADOW_BYTES: usize = 128 << 10;
/// The range is that copy (`IORESOURCE_ROM_SHADOW`, `include/linux/ioport.h`).
const SHADOW_FLAG: u64 = 1 << 1;
/// The ROM's place among a function's ranges.
pub(crate) const ROM_INDEX: u8 = 6;

/// Whether OVMF shows a picture on a device before its driver is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Picture {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Not with what the device itself shows, but with another ROM given as a file.
    OnlyWithRomFile,
    /// It could not be found out.
    Unknown,
}

impl Picture {
    /// The answer in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::OnlyWithRomFile => "only with a ROM file",
            Self::Unknown => "unknown",
        }
    }
}

/// The answer, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RomVerdict {
    /// The answer.
    pub picture: Picture,
    /// Why, a sentence each.
    pub reasons: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// Judges a ROM in a file, for a device where one is given.
pub fn of_file(rom: &Rom, device: Option<&PciFunction>) -> RomVerdict {
    let mut notes = notes(rom);
    if device.is_none() && !rom.images.is_empty() {
        notes.push("its ids were compared with no device; --device ADDRESS does that".to_owned());
    }
    let (picture, reasons) = match usable(rom, device) {
        Ok(reason) => (Picture::Yes, vec![reason]),
        Err(reasons) => (Picture::No, reasons),
    };
    RomVerdict { picture, reasons, notes }
}

/// Judges what a device shows of its ROM. `read`: the ROM, or why it could not be read.
pub fn of_device(function: &PciFunction, read: Result<&Rom, &str>) -> RomVerdict {
    let mut notes = read.map(notes).unwrap_or_default();
    let (picture, reason) = if !function.class.is_display() {
        let what = function.class.name();
        (Picture::No, format!("the device is no display but {} {what}", article(what)))
    } else if !function.has_rom {
        let why =
            "the device shows no ROM; that of a GPU in the processor is a part of the machine’s firmware";
        (Picture::OnlyWithRomFile, why.to_owned())
    } else if is_shadow(function, read.ok()) {
        let why = "what the host reads is the shadow copy that the firmware made of the boot GPU’s legacy image, and may \
                   have changed; the card’s own ROM is not seen";
        notes.push(
            "make another card the primary one in the firmware’s setup, and the card’s own ROM can be read"
                .to_owned(),
        );
        (Picture::OnlyWithRomFile, why.to_owned())
    } else {
        match read {
            Err(why) => (Picture::Unknown, why.to_owned()),
            Ok(Rom { flaw: Some(error), .. }) if matches!(error.flaw, Flaw::Blank(_)) => {
                (Picture::Unknown, format!("{error}: the device is asleep, or does not show its ROM"))
            }
            Ok(rom) => match usable(rom, Some(function)) {
                Ok(reason) => (Picture::Yes, reason),
                Err(reasons) => {
                    return RomVerdict { picture: Picture::OnlyWithRomFile, reasons, notes };
                }
            },
        }
    };
    RomVerdict { picture, reasons: vec![reason], notes }
}

/// Whether what the host reads of a device's ROM is the copy of the boot GPU's legacy image at c0000.
///
/// The kernel says so in the flags of the range; where they could not be read, the boot GPU and a lone legacy image of no
/// more than the copy's length say it.
pub fn is_shadow(function: &PciFunction, rom: Option<&Rom>) -> bool {
    match function.resources.iter().find(|range| range.index == ROM_INDEX) {
        Some(range) => range.flags & SHADOW_FLAG != 0 || range.start == SHADOW_START,
        None => {
            function.boot_vga == Some(true)
                && rom.is_some_and(|rom| {
                    rom.size <= SHADOW_BYTES
                        && !rom.images.is_empty()
                        && rom.images.iter().all(|image| image.uefi.is_none())
                })
        }
    }
}

/// The reason why OVMF shows a picture, or all reasons why it does not.
fn usable(rom: &Rom, device: Option<&PciFunction>) -> Result<String, Vec<String>> {
    let mut reasons = Vec::new();
    if let Some(prefix) = rom.prefix {
        let what = match prefix.kind {
            PrefixKind::Nvidia => "NVIDIA’s header",
            PrefixKind::Unknown => "something else",
        };
        reasons.push(format!(
            "its first {} bytes are {what}, and OVMF looks for the first image at the begin; cut them off: \
             tail -c +{} OLD > NEW",
            prefix.length,
            prefix.length + 1
        ));
    }
    if let Some(error) = rom.flaw.filter(|_| rom.images.is_empty()) {
        return Err(vec![error.to_string()]);
    }
    let uefi: Vec<(&RomImage, &UefiPart)> =
        rom.public().filter_map(|image| Some((image, image.uefi.as_ref()?))).collect();
    if uefi.is_empty() {
        reasons.push("it has no UEFI image, and OVMF runs no legacy one".to_owned());
        reasons.extend(rom.flaw.map(|error| error.to_string()));
        return Err(reasons);
    }
    let mut obstacles = Vec::new();
    let mut found = None;
    for (image, part) in uefi {
        let against = obstacles_of(rom, image, part, device);
        if against.is_empty() {
            found = found.or(Some((image, part)));
        } else {
            let at = image.offset;
            obstacles.extend(against.into_iter().map(|why| format!("the UEFI image at {at:#x}: {why}")));
        }
    }
    match found {
        Some((image, _)) if reasons.is_empty() => {
            Ok(format!("its UEFI image at {:#x} is a driver for x86-64", image.offset))
        }
        Some(_) => Err(reasons),
        None => {
            reasons.extend(obstacles);
            Err(reasons)
        }
    }
}

/// What keeps OVMF from getting a picture from a UEFI image.
fn obstacles_of(rom: &Rom, image: &RomImage, part: &UefiPart, device: Option<&PciFunction>) -> Vec<String> {
    let mut against = Vec::new();
    let misaligned = |other: &&RomImage| !other.is_aligned && other.offset <= image.offset;
    if let Some(other) = rom.public().find(misaligned) {
        against.push(format!(
            "the data structure of the image at {:#x} is not at a multiple of 4, where OVMF ends its walk",
            other.offset
        ));
    }
    if !part.signature_is_right {
        against.push("its header lacks the signature of UEFI (0ef1)".to_owned());
    }
    if !matches!(part.subsystem, 11 | 12) {
        against.push(format!("it is no driver (subsystem {})", part.subsystem));
    }
    if part.real_machine() != pe::X86_64 {
        let name = pe::machine_name(part.real_machine());
        against.push(format!("it is for {name} ({:#06x}), not for x86-64", part.real_machine()));
    }
    if let Err(error) = part.program {
        against.push(error.to_string());
    }
    if image.class >> 16 != 3 && !device.is_some_and(|device| device.class.is_display()) {
        let what = ClassCode::new(image.class).unwrap_or_default().name();
        against.push(format!("it is for {} {what}, which shows no picture", article(what)));
    }
    if let Some(device) = device.filter(|device| !image.is_for(device.id.vendor.0, device.id.device.0)) {
        let id = PciId { vendor: Hex16(image.vendor), device: Hex16(image.device) };
        against.push(format!("it is for {id}, and {} is {}", device.address, device.id));
    }
    against
}

/// What is worth knowing of a ROM, whatever the answer.
fn notes(rom: &Rom) -> Vec<String> {
    let mut notes = Vec::new();
    for image in rom.public() {
        let at = image.offset;
        if image.checksum_is_right == Some(false) {
            notes.push(format!(
                "the legacy image at {at:#x} does not add up to 0, as a BIOS demands; that can be a sign of a copy that was \
                 changed"
            ));
        }
        if let Some(Ok(program)) = image.uefi.map(|part| part.program)
            && !program.signed
        {
            notes.push(format!(
                "the UEFI image at {at:#x} is not signed: OVMF with Secure Boot on does not run it"
            ));
        }
        if let Some(part) = image.uefi
            && let Ok(program) = part.program
            && (program.machine, program.subsystem) != (part.machine, part.subsystem)
        {
            notes.push(format!(
                "the header of the UEFI image at {at:#x} and its program contradict each other"
            ));
        }
    }
    if let Some(error) = rom.flaw.filter(|_| !rom.images.is_empty()) {
        notes.push(format!("it is not whole: {error}"));
    }
    if let Some(trailing) = rom.trailing.filter(|trailing| trailing.padding.is_none()) {
        notes.push(format!(
            "{} bytes of data, which firmware does not look at, follow the last image",
            trailing.length
        ));
    }
    notes
}

/// "A" or "an", by how the class's name sounds: a USB controller, an NVMe controller.
fn article(noun: &str) -> &'static str {
    let sounds = ["a", "e", "i", "o", "E", "I", "NVMe", "SD", "SM"];
    if sounds.iter().any(|begin| noun.starts_with(begin)) { "an" } else { "a" }
}

#[cfg(test)]
mod tests;
