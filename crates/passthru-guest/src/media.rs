//! Install images and disks, looked into as far as booting needs.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};
use std::path::Path;

use passthru_formats::media::{self, Media, MediaError, ReadAt};

/// An open image.
struct Image {
    file: File,
    size: u64,
}

impl ReadAt for Image {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), MediaError> {
        let count = u64::try_from(into.len()).unwrap_or(u64::MAX);
        if offset.checked_add(count).is_none_or(|end| end > self.size) {
            return Err(MediaError::Outside { offset });
        }
        let io = |error: std::io::Error| MediaError::Io { offset, why: error.to_string() };
        self.file.read_exact_at(into, offset).map_err(io)
    }
}

/// Looks into an image file or a block device; the error says why it cannot be done.
pub fn look(path: &Path) -> Result<Media, String> {
    let kind = std::fs::metadata(path).map_err(|error| error.to_string())?.file_type();
    // Anything else is not even opened: a pipe would wait for its writer.
    if !kind.is_file() && !kind.is_block_device() {
        return Err("it is neither a file nor a block device".to_owned());
    }
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    // A block device has its length here alone.
    let size = file.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    media::look(&Image { file, size }).map_err(|error| error.to_string())
}
