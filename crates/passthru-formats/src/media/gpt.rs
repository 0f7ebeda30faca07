//! The GUID partition table (UEFI Specification 2.10, §5.3).

use super::read::{MediaError, ReadAt, bytes};
use crate::bytes::{le32, le64, part};

/// The type of an EFI system partition, C12A7328-F81F-11D2-BA4B-00A0C93EC93B, as it is stored.
const ESP: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
/// Entries of a table that are taken for possible; 128 are usual.
const MOST_ENTRIES: u32 = 1024;
/// The smallest header and the largest that a sector can hold.
const HEADER: std::ops::RangeInclusive<usize> = 92..=512;

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The GUID of its type, as it is stored.
    pub kind: [u8; 16],
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

/// Reads the table, or its copy at the end where the first is broken, as firmware does; ESPs come first. `None` where
/// there is none.
pub fn read(image: &dyn ReadAt) -> Result<Option<Vec<Partition>>, MediaError> {
    let mut broken = None;
    // Sectors are of 512 bytes nearly always, and of 4096 on some disks.
    for sector in [512, 4096] {
        let copy = image.size().saturating_sub(sector) / sector * sector;
        for offset in [sector, copy] {
            match table(image, offset, sector) {
                Ok(Some(mut partitions)) => {
                    partitions.sort_by_key(|partition| !partition.is_esp());
                    return Ok(Some(partitions));
                }
                Ok(None) => {}
                Err(error) => broken = broken.or(Some(error)),
            }
        }
    }
    broken.map_or(Ok(None), Err)
}

/// The table whose header is at a place; `None` where there is no header, or nothing at all.
fn table(image: &dyn ReadAt, offset: u64, sector: u64) -> Result<Option<Vec<Partition>>, MediaError> {
    let wrong = |why| MediaError::Wrong { offset, why };
    let header: [u8; 512] = match bytes(image, offset) {
        Ok(header) => header,
        Err(MediaError::Outside { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if part(&header, 0, 8) != Some(b"EFI PART") {
        return Ok(None);
    }
    let number = |at| le32(&header, at).unwrap_or(0);
    let length = usize::try_from(number(12)).unwrap_or(0);
    if !HEADER.contains(&length) {
        return Err(wrong("the header states an impossible length"));
    }
    let mut summed = header;
    summed[16..20].fill(0);
    if crc32(summed.get(..length).unwrap_or_default()) != number(16) {
        return Err(wrong("the header’s checksum is wrong"));
    }
    let (count, size) = (number(80), number(84));
    if count > MOST_ENTRIES || !matches!(size, 128 | 256 | 512) {
        return Err(wrong("the header states an impossible number or size of entries"));
    }
    let at = le64(&header, 72)
        .and_then(|block| block.checked_mul(sector))
        .ok_or(wrong("the entries have no place"))?;
    let size = usize::try_from(size).unwrap_or(128);
    let mut entries = vec![0; usize::try_from(count).unwrap_or(0) * size];
    image.read_at(at, &mut entries)?;
    if crc32(&entries) != number(88) {
        return Err(wrong("the checksum of the entries is wrong"));
    }
    Ok(Some(entries.chunks_exact(size).filter_map(|entry| partition(entry, sector)).collect()))
}

/// An entry that is used and makes sense.
fn partition(entry: &[u8], sector: u64) -> Option<Partition> {
    let kind: [u8; 16] = part(entry, 0, 16)?.try_into().ok()?;
    let (first, last) = (le64(entry, 32)?, le64(entry, 40)?);
    let length = last.checked_sub(first)?.checked_add(1)?.checked_mul(sector)?;
    (kind != [0; 16]).then_some(Partition { kind, offset: first.checked_mul(sector)?, length })
}

/// The checksum of GPT (ITU-T V.42, reflected, as UEFI's `CalculateCrc32`).
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
