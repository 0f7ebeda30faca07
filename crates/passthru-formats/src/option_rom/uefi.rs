//! What UEFI reads of an image (UEFI Specification 2.10, §14.4.2, "PCI Option ROMs").

use crate::bytes::{le16, le32};
use crate::efi_compression::{self, UnpackError};
use crate::pe::{self, Program, ProgramError};

/// The signature of a UEFI image, `EFI_PCI_EXPANSION_ROM_HEADER_EFISIGNATURE`.
const SIGNATURE: u32 = 0x0ef1;
/// Unpacked bytes in which the header of a program is looked for.
const HEADER_BYTES: usize = 4096;

/// How a program is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// 0: as it is.
    None,
    /// 1: packed as the UEFI specification has it.
    Standard,
    /// A number that UEFI does not know, so that it cannot load the program.
    Unknown(u16),
}

/// Why the program of an image cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackedProgramError {
    /// The header points behind the end of the image, or of what it says is loaded.
    #[error("its program at {0:#x} lies outside of the image")]
    Outside(usize),
    /// The image says that more is to be loaded than it holds.
    #[error("it says that {0:#x} bytes are to be loaded, which are more than it has")]
    TooLong(usize),
    /// See [`Compression::Unknown`].
    #[error("it is packed in a way that UEFI does not know ({0})")]
    Compression(u16),
    /// Packed, and not to be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// No program.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// What UEFI reads of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UefiPart {
    /// Whether the signature is UEFI's, 0x0ef1.
    pub signature_is_right: bool,
    /// 11: boot service driver, 12: runtime driver; UEFI loads no other.
    pub subsystem: u16,
    /// The machine it is for, as the image's header says.
    pub machine: u16,
    /// How the program is stored.
    pub compression: Compression,
    /// What the program itself says.
    pub program: Result<Program, PackedProgramError>,
}

impl UefiPart {
    /// The machine that it is for: the program's word counts, where it can be read.
    pub fn real_machine(&self) -> u16 {
        self.program.map_or(self.machine, |program| program.machine)
    }
}

/// Reads it. `loaded`: what the header says of the length, in bytes.
pub(super) fn read(whole: &[u8], loaded: usize) -> UefiPart {
    let word = |at| le16(whole, at).unwrap_or(0);
    let compression = match word(0x0c) {
        0 => Compression::None,
        1 => Compression::Standard,
        other => Compression::Unknown(other),
    };
    UefiPart {
        signature_is_right: le32(whole, 4) == Some(SIGNATURE),
        subsystem: word(8),
        machine: word(0x0a),
        compression,
        program: program(whole, loaded, usize::from(word(0x16)), compression),
    }
}

/// The header of the program. As UEFI does, nothing behind the loaded part is looked at (`LocalLoadFile2` of EDK II).
fn program(
    whole: &[u8],
    loaded: usize,
    at: usize,
    compression: Compression,
) -> Result<Program, PackedProgramError> {
    let held = whole.get(..loaded).ok_or(PackedProgramError::TooLong(loaded))?;
    let stored = held.get(at..).filter(|rest| !rest.is_empty()).ok_or(PackedProgramError::Outside(at))?;
    match compression {
        Compression::None => Ok(pe::parse(stored)?),
        Compression::Standard => Ok(pe::parse(&efi_compression::unpack_begin(stored, HEADER_BYTES)?)?),
        Compression::Unknown(number) => Err(PackedProgramError::Compression(number)),
    }
}
