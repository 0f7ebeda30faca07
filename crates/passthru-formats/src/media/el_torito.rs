//! The boot catalog of a disc ("El Torito" Bootable CD-ROM Format Specification 1.0, chapter 2; UEFI Specification 2.10,
//! §13.3.2.1).

use super::iso9660::SECTOR;
use super::read::{MediaError, ReadAt};
use crate::bytes::{le16, le32};

/// Bytes of an entry.
const ENTRY: usize = 32;
/// Entries that are read: two sectors of them. A real catalog has three or four.
const MOST: usize = 128;

/// Whose firmware an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// 0: a PC's BIOS.
    X86,
    /// 0xef: UEFI.
    Efi,
    /// 1: PowerPC, 2: Macintosh, and what has no meaning.
    Other(u8),
}

impl From<u8> for Platform {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::X86,
            0xef => Self::Efi,
            other => Self::Other(other),
        }
    }
}

/// An entry that firmware can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub platform: Platform,
    /// Whether it is marked as bootable (0x88).
    pub bootable: bool,
    /// 0: no emulation, 1 to 3: a floppy, 4: a hard disk.
    pub emulation: u8,
    /// How many sectors of 512 bytes a BIOS loads. UEFI takes the file system's word for its length.
    pub sectors: u16,
    /// Where its image begins, in sectors of 2048 bytes.
    pub sector: u32,
}

/// Reads the catalog that begins at a sector.
pub fn read(image: &dyn ReadAt, sector: u32) -> Result<Vec<Entry>, MediaError> {
    let offset = u64::from(sector) * SECTOR;
    // The second sector is read only where the disc has it.
    let left = image.size().saturating_sub(offset);
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(MOST * ENTRY);
    if count < 2 * ENTRY {
        return Err(MediaError::Outside { offset });
    }
    let mut bytes = vec![0; count];
    image.read_at(offset, &mut bytes)?;
    parse(&bytes).map_err(|why| MediaError::Wrong { offset, why })
}

/// The entries of a catalog.
pub fn parse(bytes: &[u8]) -> Result<Vec<Entry>, &'static str> {
    let (entries, _) = bytes.as_chunks::<ENTRY>();
    let [validation, initial, rest @ ..] = entries else { return Err("it ends too soon") };
    if validation[0] != 1 || validation[30..] != [0x55, 0xaa] {
        return Err("it does not begin with a validation entry");
    }
    let words = (0..ENTRY).step_by(2).filter_map(|at| le16(validation, at));
    if words.fold(0u16, u16::wrapping_add) != 0 {
        return Err("its validation entry does not add up to 0");
    }
    let mut found = vec![entry(Platform::from(validation[1]), initial)];
    let mut platform = Platform::Other(0xff);
    let mut left = 0u16;
    for bytes in rest.iter().take(MOST) {
        match (left, bytes[0]) {
            // An entry's extension, which says under which conditions it is meant.
            (_, 0x44) => {}
            (1.., _) => {
                found.push(entry(platform, bytes));
                left -= 1;
            }
            // 0x90: the header of a section, 0x91: of the last one.
            (0, 0x90 | 0x91) => {
                platform = Platform::from(bytes[1]);
                left = le16(bytes, 2).unwrap_or(0);
            }
            (0, _) => break,
        }
    }
    Ok(found)
}

fn entry(platform: Platform, bytes: &[u8; ENTRY]) -> Entry {
    Entry {
        platform,
        bootable: bytes[0] == 0x88,
        emulation: bytes[1] & 0x0f,
        sectors: le16(bytes, 6).unwrap_or(0),
        sector: le32(bytes, 8).unwrap_or(0),
    }
}
