//! Hosts of other tools' making: texts of `lspci` and of udev's database, and reports of `sos`.
//!
//! Each becomes an archive with natural paths, as if a capture had been made of that machine, so that all else takes the same
//! way through the code. What the source does not tell of is unknown there, never absent.

mod lspci;
mod report;
mod udev;

use std::io::Read;

use passthru_formats::{lspci as lspci_text, udev_database};

use crate::archive::Archive;

pub(crate) use report::{complete, is_report, of_directory};

/// Texts may have this many bytes: a thousand times a desktop's.
const MOST_TEXT: u64 = 64 * 1024 * 1024;

/// Reads a text that is no archive.
pub(crate) fn text(input: impl Read) -> Result<Archive, String> {
    let mut bytes = Vec::new();
    input.take(MOST_TEXT + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > MOST_TEXT) {
        return Err(format!("it is no archive, and too long for a text (more than {MOST_TEXT} bytes)"));
    }
    let text = String::from_utf8_lossy(&bytes);
    if lspci_text::is_listing(&text) {
        let listing = lspci_text::parse(&text).map_err(|error| error.to_string())?;
        let mut archive = Archive::of("lspci's text");
        lspci::put(&mut archive, &listing)?;
        Ok(archive)
    } else if udev_database::is_database(&text) {
        let devices = udev_database::parse(&text).map_err(|error| error.to_string())?;
        udev::tree(&devices)
    } else {
        Err("it is neither a directory nor a capture (a tar archive, plain or compressed with gzip, bzip2, xz or zstd), nor a text \
             of lspci (best with -Dnnvvxxxx) or of udevadm info --export-db"
            .to_owned())
    }
}
