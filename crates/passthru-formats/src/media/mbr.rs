//! The master boot record (UEFI Specification 2.10, §5.2).

use super::read::{MediaError, ReadAt, bytes};
use crate::bytes::le32;

/// Bytes of a sector.
const SECTOR: u64 = 512;
/// The type of an EFI system partition.
const ESP: u8 = 0xef;
/// The type of a partition that stands for a GPT.
const PROTECTIVE: u8 = 0xee;

/// A primary partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its type.
    pub kind: u8,
    /// Whether it is marked as active.
    pub active: bool,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its length, in bytes.
    pub length: u64,
}

impl Partition {
    /// Whether it is an EFI system partition.
    pub fn is_esp(&self) -> bool {
        self.kind == ESP
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whether there is code for a BIOS to start.
    pub has_code: bool,
    /// The primary partitions, up to four.
    pub partitions: Vec<Partition>,
}

/// Reads the record; `None` where the first sector is none, or is the first of a file system.
pub fn read(image: &dyn ReadAt) -> Result<Option<Record>, MediaError> {
    Ok(parse(&bytes::<512>(image, 0)?))
}

/// The record in a disk's first sector.
pub fn parse(sector: &[u8; 512]) -> Option<Record> {
    if sector[510..] != [0x55, 0xaa] {
        return None;
    }
    let (entries, _) = sector[446..510].as_chunks::<16>();
    // Each begins with its mark: active or not. In the code of a file system's first sector stands something else.
    if entries.iter().any(|entry| entry[0] & 0x7f != 0) {
        return Some(Record { has_code: sector[..440] != [0; 440], partitions: Vec::new() });
    }
    let sectors = |entry: &[u8; 16], at| u64::from(le32(entry, at).unwrap_or(0)) * SECTOR;
    let partitions = entries
        .iter()
        .filter(|entry| entry[4] != 0 && entry[4] != PROTECTIVE && sectors(entry, 12) > 0)
        .map(|entry| Partition {
            kind: entry[4],
            active: entry[0] == 0x80,
            offset: sectors(entry, 8),
            length: sectors(entry, 12),
        })
        .collect();
    Some(Record { has_code: sector[..440] != [0; 440], partitions })
}
