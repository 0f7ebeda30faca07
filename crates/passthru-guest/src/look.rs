//! What a specification names outside of the facts, looked at once, so that building stays pure.

mod account;
mod in_use;

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use passthru_formats::media::Media;
use passthru_model::host_settings::UserName;

use crate::media;
use crate::spec::{DiskFormat, GuestSpec, Rom};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A regular file.
    File,
    /// A block device.
    BlockDevice,
    /// A disk that the host uses, and what for.
    InUse(String),
    /// A keyboard, mouse or the like, by evdev.
    Input,
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
    /// Paths of disks, media and input devices.
    pub files: BTreeMap<PathBuf, Seen>,
    /// What media and raw disks hold to boot, or why they could not be looked into.
    pub media: BTreeMap<PathBuf, Result<Media, String>>,
    /// Whom QEMU becomes where root starts it and the specification names nobody.
    pub starter: Starter,
}

/// Who starts QEMU, as far as it matters to whom it becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Starter {
    /// Whoever it is, it stays that user.
    #[default]
    Anybody,
    /// Root, on a host that has this user for it.
    Root(Option<UserName>),
}

impl Looked {
    /// Looks at this machine.
    pub fn here(spec: &GuestSpec) -> Self {
        let paths =
            spec.disks.iter().map(|disk| &disk.path).chain(spec.media.iter().map(|medium| &medium.path));
        let paths = paths.chain(spec.inputs.iter().map(|input| &input.path));
        let roms = spec.roms.values().filter_map(|rom| match rom {
            Rom::File(path) => Some(path),
            Rom::Off => None,
        });
        let paths = paths.chain(roms);
        let raw = spec.disks.iter().filter(|disk| disk.format == DiskFormat::Raw).map(|disk| &disk.path);
        let bootable = raw.chain(spec.media.iter().map(|medium| &medium.path));
        let info = rustix::system::sysinfo();
        Self {
            memory_total: Some(info.totalram.saturating_mul(u64::from(info.mem_unit))),
            files: paths.map(|path| (path.clone(), seen(path))).collect(),
            media: bootable.map(|path| (path.clone(), media::look(path))).collect(),
            starter: Starter::Anybody,
        }
    }

    /// The same for a guest that this process starts, or would start.
    #[must_use]
    pub fn by_this_user(mut self) -> Self {
        if rustix::process::geteuid().is_root() {
            self.starter = Starter::Root(account::for_qemu());
        }
        self
    }
}

/// Looks at one path, through links.
fn seen(path: &Path) -> Seen {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => in_use::file(path).map_or(Seen::File, Seen::InUse),
        Ok(metadata) if metadata.file_type().is_block_device() => {
            in_use::device(metadata.rdev()).map_or(Seen::BlockDevice, Seen::InUse)
        }
        Ok(metadata) if metadata.file_type().is_char_device() && is_evdev(metadata.rdev()) => Seen::Input,
        Ok(_) => Seen::Other,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Seen::Missing,
        Err(error) => Seen::Unreadable(error.to_string()),
    }
}

/// Whether a device number is that of an evdev node: the first 32 from minor 64 on, the rest from 256 on
/// (`drivers/input/evdev.c`, `drivers/input/input.c`, `include/uapi/linux/major.h`).
fn is_evdev(number: u64) -> bool {
    let minor = rustix::fs::minor(number);
    rustix::fs::major(number) == 13 && ((64..96).contains(&minor) || minor >= 256)
}

#[cfg(test)]
mod tests {
    use super::is_evdev;

    #[test]
    fn nodes_of_evdev_are_told_from_those_of_mice_and_joysticks() {
        let of = |minor| is_evdev(rustix::fs::makedev(13, minor));
        assert_eq!(
            [0, 32, 63, 64, 95, 96, 256, 300].map(of),
            [false, false, false, true, true, false, true, true]
        );
        assert!(!is_evdev(rustix::fs::makedev(8, 64)));
    }
}
