//! What can be wrong with a ROM, and where.

use super::CodeType;

/// What is wrong with a ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset:#x}: {flaw}")]
pub struct RomError {
    /// Where, in bytes from the ROM's begin.
    pub offset: usize,
    /// What.
    pub flaw: Flaw,
}

/// A kind of flaw. Lengths are bytes; pointers are bytes from the image's begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Every byte is this one.
    #[error("every byte is {0:02x}")]
    Blank(u8),
    /// No image said that it is the last.
    #[error("the ROM ends without a last image")]
    NoLastImage,
    /// The ROM ends within the header of an image.
    #[error("the ROM ends within an image")]
    EndsInImage,
    /// Something else stands where an image should begin.
    #[error("an image begins with 55 aa, not {:02x} {:02x}", .0[0], .0[1])]
    NoSignature([u8; 2]),
    /// The data structure would lie behind the end.
    #[error("the data structure at {0:#x} lies outside of the ROM")]
    StructureOutside(usize),
    /// Something else stands where the data structure should be: a ROM for ISA, or a broken one.
    #[error("there is no PCIR at {0:#x}")]
    NoStructure(usize),
    /// The data structure says that the image has no length.
    #[error("the image has no length")]
    NoLength,
    /// The file was cut short, or the image states a wrong length.
    #[error("the {} is {length:#x} bytes long, and the ROM has only {left:#x} more", code.noun())]
    CutShort {
        /// For whom the image is.
        code: CodeType,
        /// What it says of its length.
        length: usize,
        /// What there is.
        left: usize,
    },
}
