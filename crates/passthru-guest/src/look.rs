//! What a specification names outside of the facts, looked at once, so that building stays pure.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use passthru_formats::media::Media;

use crate::media;
use crate::spec::{DiskFormat, GuestSpec};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A regular file.
    File,
    /// A block device.
    BlockDevice,
    /// A directory, socket or the like, which is no disk.
    Other,
    /// Nothing.
    Missing,
    /// It could not be looked at, and why.
    Unreadable(String),
}

/// What was looked at. What is not in it was not looked at and is not judged, as for a captured host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Bytes of memory of the host.
    pub memory_total: Option<u64>,
    /// Paths of disks and media.
    pub files: BTreeMap<PathBuf, Seen>,
    /// What media and raw disks hold to boot, or why they could not be looked into.
    pub media: BTreeMap<PathBuf, Result<Media, String>>,
}

impl Looked {
    /// Looks at this machine.
    pub fn here(spec: &GuestSpec) -> Self {
        let paths =
            spec.disks.iter().map(|disk| &disk.path).chain(spec.media.iter().map(|medium| &medium.path));
        let raw = spec.disks.iter().filter(|disk| disk.format == DiskFormat::Raw).map(|disk| &disk.path);
        let bootable = raw.chain(spec.media.iter().map(|medium| &medium.path));
        let info = rustix::system::sysinfo();
        Self {
            memory_total: Some(info.totalram.saturating_mul(u64::from(info.mem_unit))),
            files: paths.map(|path| (path.clone(), seen(path))).collect(),
            media: bootable.map(|path| (path.clone(), media::look(path))).collect(),
        }
    }
}

/// Looks at one path, through links.
fn seen(path: &Path) -> Seen {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Seen::File,
        Ok(metadata) if metadata.file_type().is_block_device() => Seen::BlockDevice,
        Ok(_) => Seen::Other,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Seen::Missing,
        Err(error) => Seen::Unreadable(error.to_string()),
    }
}
