//! The volume descriptors of a disc (ECMA-119, chapter 8), as far as booting needs them.

use super::read::{MediaError, ReadAt, bytes};
use crate::bytes::{le32, part};

/// Bytes of a sector of a disc.
pub const SECTOR: u64 = 2048;
/// The first descriptor's sector.
const FIRST: u64 = 16;
/// Descriptors that are read; a real disc has four or five.
const MOST: u64 = 64;

/// A disc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name, without the blanks behind it.
    pub name: String,
    /// The sector of its El Torito boot catalog.
    pub catalog: Option<u32>,
}

/// Reads the descriptors; `None` of what is no disc.
pub fn read(image: &dyn ReadAt) -> Result<Option<Volume>, MediaError> {
    let mut volume = None;
    let mut catalog = None;
    for sector in FIRST..FIRST + MOST {
        let Ok(descriptor) = bytes::<2048>(image, sector * SECTOR) else { break };
        if part(&descriptor, 1, 5) != Some(b"CD001") {
            break;
        }
        match descriptor.first() {
            // A boot record. El Torito 1.0, figure 7: the name of the system, and the catalog's sector at 0x47.
            Some(0) if part(&descriptor, 7, 23) == Some(b"EL TORITO SPECIFICATION") => {
                catalog = catalog.or(le32(&descriptor, 0x47));
            }
            Some(1) => {
                let name = part(&descriptor, 40, 32).unwrap_or_default();
                let name: String = name.iter().map(|byte| char::from(*byte)).collect();
                volume = volume.or(Some(name.trim_end_matches([' ', '\0']).to_owned()));
            }
            // The end of the descriptors.
            Some(255) => break,
            _ => {}
        }
    }
    Ok(volume.map(|name| Volume { name, catalog }))
}
