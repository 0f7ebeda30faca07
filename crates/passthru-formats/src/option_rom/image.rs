//! One image: its header, its PCI Data Structure, and what NVIDIA adds to that.

use crate::bytes::{le16, part};

use super::uefi::{self, UefiPart};
use super::{BLOCK, Flaw, RomError};

/// What an image begins with.
pub(super) const SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// The PCI Data Structure without what revision 3 added, in bytes.
const STRUCTURE: usize = 0x18;
/// More ids than this are no list but a missing end.
const MOST_IDS: usize = 256;

/// For whom an image is (code type of the PCI Data Structure).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeType {
    /// 0: code for a PC's BIOS.
    Legacy,
    /// 1: Open Firmware.
    OpenFirmware,
    /// 2: PA-RISC.
    PaRisc,
    /// 3: UEFI.
    Uefi,
    /// A number without a meaning here; NVIDIA uses 0x70 and 0xe0 for its own.
    Other(u8),
}

impl CodeType {
    /// The number in the data structure.
    pub fn number(self) -> u8 {
        match self {
            Self::Legacy => 0,
            Self::OpenFirmware => 1,
            Self::PaRisc => 2,
            Self::Uefi => 3,
            Self::Other(number) => number,
        }
    }

    /// What such an image is called.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Legacy => "legacy BIOS image",
            Self::OpenFirmware => "Open Firmware image",
            Self::PaRisc => "PA-RISC image",
            Self::Uefi => "UEFI image",
            Self::Other(_) => "maker's own image",
        }
    }
}

impl From<u8> for CodeType {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Legacy,
            1 => Self::OpenFirmware,
            2 => Self::PaRisc,
            3 => Self::Uefi,
            other => Self::Other(other),
        }
    }
}

/// NVIDIA's extension of the data structure (`NPDE`, revisions 1.0 and 1.1; `NV_PCI_DATA_EXT_STRUCT` of NVIDIA's open
/// kernel modules), which has a chain of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorExtension {
    /// The image's length in that chain, in bytes.
    pub length: usize,
    /// Whether the chain ends with this image.
    pub is_last: bool,
}

/// One image of a ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RomImage {
    /// Where it begins, in bytes from the ROM's begin.
    pub offset: usize,
    /// Its length in bytes, a multiple of 512.
    pub length: usize,
    /// What its own header says of its length, in bytes: the part that firmware loads or a BIOS adds up. 0: nothing.
    pub loaded: usize,
    /// Who made the device that it is for.
    pub vendor: u16,
    /// The device that it is for.
    pub device: u16,
    /// Further devices that it is for (from revision 3 of the data structure).
    pub further_devices: Vec<u16>,
    /// The class of the device, 24 bits.
    pub class: u32,
    /// The revision of the data structure: 0, or 3 from PCI 3.0 on.
    pub structure_revision: u8,
    /// The maker's revision of the code.
    pub revision: u16,
    /// For whom it is.
    pub code: CodeType,
    /// Whether it says that it is the last.
    pub is_last: bool,
    /// Whether it stands behind the last, where only the card's own tools look.
    pub is_private: bool,
    /// Whether the data structure begins at a multiple of 4, without which UEFI ends its walk.
    pub is_aligned: bool,
    /// For legacy images, whether the bytes add up to 0 as a BIOS demands; `None` for others, which have no checksum.
    pub checksum_is_right: Option<bool>,
    /// What UEFI reads of a UEFI image.
    pub uefi: Option<UefiPart>,
    /// NVIDIA's extension.
    pub extension: Option<VendorExtension>,
}

impl RomImage {
    /// Whether it is for a device of these ids.
    pub fn is_for(&self, vendor: u16, device: u16) -> bool {
        self.vendor == vendor && (self.device == device || self.further_devices.contains(&device))
    }
}

/// Which chain is followed: firmware's, or the one of NVIDIA's own images, which have other signatures too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    Public,
    Private,
}

/// The place of the data structure, from the image's begin, and the bytes from there on.
fn structure(rest: &[u8], chain: Chain) -> Result<(usize, &[u8]), Flaw> {
    let begin: [u8; 2] = part(rest, 0, 2).and_then(|two| two.try_into().ok()).ok_or(Flaw::EndsInImage)?;
    let of_maker = chain == Chain::Private && matches!(begin, [0x56, 0x4e] | [0x77, 0xbb]);
    if begin != SIGNATURE && !of_maker {
        return Err(Flaw::NoSignature(begin));
    }
    let pointer = usize::from(le16(rest, 0x18).ok_or(Flaw::EndsInImage)?);
    let data = rest.get(pointer..).filter(|data| data.len() >= STRUCTURE);
    let data = data.ok_or(Flaw::StructureOutside(pointer))?;
    match part(data, 0, 4) {
        Some(b"PCIR") => Ok((pointer, data)),
        Some(b"NPDS" | b"RGIS") if chain == Chain::Private => Ok((pointer, data)),
        _ => Err(Flaw::NoStructure(pointer)),
    }
}

/// Whether an image begins here: signature, data structure and a length.
pub(super) fn is_sound_head(bytes: &[u8], offset: usize) -> bool {
    let rest = bytes.get(offset..).unwrap_or_default();
    structure(rest, Chain::Public).is_ok_and(|(_, data)| le16(data, 0x10).is_some_and(|blocks| blocks > 0))
}

/// One image, which begins with 55 aa and points to its data structure at 0x18.
pub(super) fn read(bytes: &[u8], offset: usize, chain: Chain) -> Result<RomImage, RomError> {
    let wrong = |flaw| RomError { offset, flaw };
    let rest = bytes.get(offset..).filter(|rest| !rest.is_empty()).ok_or(wrong(Flaw::NoLastImage))?;
    let (pointer, data) = structure(rest, chain).map_err(wrong)?;
    let word = |at| le16(data, at).unwrap_or(0);
    let byte = |at: usize| data.get(at).copied().unwrap_or(0);
    let length = usize::from(word(0x10)) * BLOCK;
    if length == 0 {
        return Err(wrong(Flaw::NoLength));
    }
    let code = CodeType::from(byte(0x14));
    let whole = rest.get(..length).ok_or(wrong(Flaw::CutShort { code, length, left: rest.len() }))?;
    let blocks = match code {
        // A UEFI image counts in two bytes, the others in one.
        CodeType::Uefi => le16(rest, 2).unwrap_or(0),
        _ => rest.get(2).copied().unwrap_or(0).into(),
    };
    let loaded = usize::from(blocks) * BLOCK;
    Ok(RomImage {
        offset,
        length,
        loaded,
        vendor: word(0x04),
        device: word(0x06),
        further_devices: if byte(0x0c) >= 3 { ids(data, word(0x08)) } else { Vec::new() },
        class: u32::from_le_bytes([byte(0x0d), byte(0x0e), byte(0x0f), 0]),
        structure_revision: byte(0x0c),
        revision: word(0x12),
        code,
        is_last: byte(0x15) & 0x80 != 0,
        is_private: false,
        is_aligned: pointer % 4 == 0 && pointer != 0,
        checksum_is_right: (code == CodeType::Legacy).then(|| adds_up(rest, whole, loaded)),
        uefi: (code == CodeType::Uefi).then(|| uefi::read(whole, loaded)),
        extension: extension(rest, pointer + usize::from(word(0x0a))),
    })
}

/// Whether a legacy image adds up to 0. The BIOS adds up what the image's own header says, which can be more or less than
/// the data structure does.
fn adds_up(rest: &[u8], whole: &[u8], loaded: usize) -> bool {
    let summed = if loaded == 0 { whole } else { rest.get(..loaded).unwrap_or(whole) };
    summed.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0
}

/// The list of further devices, which ends with 0. Its place is counted from the begin of the data structure.
fn ids(data: &[u8], at: u16) -> Vec<u16> {
    if at == 0 {
        return Vec::new();
    }
    let ids = (usize::from(at)..).step_by(2).map_while(|at| le16(data, at)).take_while(|id| *id != 0);
    ids.take(MOST_IDS).collect()
}

/// NVIDIA's extension, which stands behind the data structure at the next multiple of 16.
fn extension(rest: &[u8], end: usize) -> Option<VendorExtension> {
    let data = rest.get(end.next_multiple_of(16)..)?;
    if part(data, 0, 4)? != b"NPDE" || !matches!(le16(data, 4)?, 0x0100 | 0x0101) {
        return None;
    }
    let length = usize::from(le16(data, 8)?) * BLOCK;
    Some(VendorExtension { length, is_last: data.get(0x0a)? & 0x80 != 0 })
}
