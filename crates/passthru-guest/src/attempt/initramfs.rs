//! The initramfs of the tiny guest, built in memory.

use std::io;

use passthru_formats::cpio::{self, Entry};

/// An archive with this program as `/init`, the places it mounts things on, and the two devices it speaks through should
/// nothing be mountable.
pub(super) fn build(init: &[u8]) -> io::Result<Vec<u8>> {
    let entries = [
        Entry::directory("dev"),
        Entry::directory("proc"),
        Entry::directory("sys"),
        Entry::character_device("dev/console", 5, 1),
        Entry::character_device("dev/ttyS1", 4, 65),
        Entry::program("init", init.to_vec()),
    ];
    cpio::write(&entries).map_err(io::Error::other)
}
