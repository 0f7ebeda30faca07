//! The initramfs of a fast machine: a cpio archive in the kernel's format, written without root or scratch trees.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::{Context, Result};

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

/// An archive under construction.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    directories: BTreeSet<String>,
}

impl Archive {
    /// Adds a file, and the directories above it.
    pub(super) fn file(&mut self, path: &str, permissions: u32, content: &[u8]) -> Result<()> {
        self.above(path)?;
        self.entry(path, FILE | permissions, content)
    }

    /// Adds a symbolic link, and the directories above it.
    pub(super) fn link(&mut self, path: &str, to: &str) -> Result<()> {
        self.above(path)?;
        self.entry(path, LINK, to.as_bytes())
    }

    /// Adds a directory, and those above it.
    pub(super) fn directory(&mut self, path: &str) -> Result<()> {
        self.above(path)?;
        if self.directories.insert(path.to_owned()) {
            self.entry(path, DIRECTORY, &[])?;
        }
        Ok(())
    }

    /// The finished archive.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.entry("TRAILER!!!", 0, &[])?;
        Ok(self.bytes)
    }

    fn above(&mut self, path: &str) -> Result<()> {
        for (at, _) in path.match_indices('/') {
            let directory = &path[..at];
            if self.directories.insert(directory.to_owned()) {
                self.entry(directory, DIRECTORY, &[])?;
            }
        }
        Ok(())
    }

    /// One entry in the format "newc": eight hexadecimal digits a field, name and content padded to four bytes.
    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.entries += 1;
        let size = u32::try_from(content.len()).context("too large a file for an initramfs")?;
        let name = u32::try_from(path.len() + 1)?;
        write!(self.bytes, "070701")?;
        // inode, mode, uid, gid, links, mtime, size, four device numbers, length of the name, checksum
        for field in [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0] {
            write!(self.bytes, "{field:08x}")?;
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_once_and_before_their_files() {
        let mut archive = Archive::default();
        archive.file("usr/bin/one", 0o755, b"1").expect("fits");
        archive.file("usr/bin/two", 0o755, b"22").expect("fits");
        let text = String::from_utf8(archive.finish().expect("fits")).expect("ASCII");
        assert_eq!(text.matches("usr/bin\0").count(), 1);
        assert!(text.find("usr\0") < text.find("usr/bin\0"));
        assert!(text.len().is_multiple_of(4));
    }
}
