//! `[looking-glass]`: memory that guest and host share, in which the guest's picture is shown on the host
//! (<https://looking-glass.io/docs/>).

use std::fmt;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use crate::size::MemorySize;

/// A picture's width and height in pixels, `2560x1440`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    width: u64,
    height: u64,
}

/// The largest picture that any card of today drives, in pixels a side.
const MOST_PIXELS: u64 = 16_384;

impl Resolution {
    /// How much memory the picture takes, in MiB: three frames of four bytes a pixel, lines on 256 bytes, and 4 MiB for the rest, to
    /// the next power of two (`doc/install_libvirt.rst` of Looking Glass).
    pub fn mib(self) -> u64 {
        let line = (self.width * 4).next_multiple_of(256);
        let bytes = line * self.height * 3 + (4 << 20);
        bytes.div_ceil(1 << 20).next_power_of_two()
    }
}

impl FromStr for Resolution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "‘{}’ is no resolution: write it as 2560x1440, each side at most {MOST_PIXELS}",
                text.escape_debug()
            )
        };
        let side = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|side| is_number && (1..=MOST_PIXELS).contains(side)).ok_or_else(wrong)
        };
        let (width, height) = text.split_once('x').ok_or_else(wrong)?;
        Ok(Self { width: side(width)?, height: side(height)? })
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// What says how large the memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedSize {
    /// The largest picture that the guest shows.
    Resolution(Resolution),
    /// The size itself, a power of two.
    Memory(MemorySize),
}

/// What the memory is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedMemory {
    /// A file in `/dev/shm`, by its name.
    File(String),
    /// A device of the kvmfr module, by its number; pictures need not be copied from it.
    Kvmfr(u8),
}

impl SharedMemory {
    /// Its path.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::File(name) => Path::new("/dev/shm").join(name),
            Self::Kvmfr(number) => PathBuf::from(format!("/dev/kvmfr{number}")),
        }
    }

    /// What a path means, where it is one that Looking Glass can share.
    pub fn of_path(path: &str) -> Option<Self> {
        if let Some(number) = path.strip_prefix("/dev/kvmfr") {
            let number: u8 = number.parse().ok()?;
            return (path == format!("/dev/kvmfr{number}")).then_some(Self::Kvmfr(number));
        }
        let name = path.strip_prefix("/dev/shm/")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain);
        is_name.then(|| Self::File(name.to_owned()))
    }
}

impl Default for SharedMemory {
    fn default() -> Self {
        Self::File("looking-glass".to_owned())
    }
}

/// What a guest shares with Looking Glass.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct LookingGlass {
    /// How large it is.
    pub size: SharedSize,
    /// What it is made of.
    pub memory: SharedMemory,
}

impl LookingGlass {
    /// Its size in MiB, a power of two as a BAR has it.
    pub fn mib(&self) -> u64 {
        match self.size {
            SharedSize::Resolution(resolution) => resolution.mib(),
            SharedSize::Memory(size) => size.mib(),
        }
    }
}

/// The keys of the table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    resolution: Option<String>,
    size: Option<MemorySize>,
    memory: Option<String>,
}

impl TryFrom<Keys> for LookingGlass {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let size = match (keys.resolution, keys.size) {
            (Some(resolution), None) => SharedSize::Resolution(resolution.parse()?),
            (None, Some(size)) if size.mib().is_power_of_two() => SharedSize::Memory(size),
            (None, Some(size)) => {
                return Err(format!("size = \"{size}\" is no power of two, which shared memory comes in"));
            }
            _ => {
                return Err(
                    "say resolution = \"2560x1440\", the guest's largest, or size = \"64M\"".to_owned()
                );
            }
        };
        let memory = keys.memory.map_or_else(
            || Ok(SharedMemory::default()),
            |path| {
                let wrong = || {
                    format!(
                        "memory = \"{}\": it is a file right in /dev/shm, or /dev/kvmfr0",
                        path.escape_debug()
                    )
                };
                SharedMemory::of_path(&path).ok_or_else(wrong)
            },
        )?;
        Ok(Self { size, memory })
    }
}

/// The table.
pub(super) fn write(out: &mut String, glass: &LookingGlass) {
    out.push_str("\n[looking-glass]\n");
    let _ = match glass.size {
        SharedSize::Resolution(resolution) => writeln!(out, "resolution = \"{resolution}\""),
        SharedSize::Memory(size) => writeln!(out, "size = \"{size}\""),
    };
    if glass.memory != SharedMemory::default() {
        let _ = writeln!(out, "memory = \"{}\"", glass.memory.path().display());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Resolution, SharedMemory};

    #[test]
    fn pictures_take_what_looking_glass_says() {
        let sizes = [("1920x1080", 32), ("2560x1440", 64), ("3840x2160", 128), ("5120x2880", 256)];
        for (text, mib) in sizes {
            assert_eq!(text.parse::<Resolution>().map(Resolution::mib), Ok(mib), "{text}");
        }
    }

    #[test]
    fn memory_is_a_name_in_dev_shm_or_a_device_of_kvmfr() {
        let shown = [
            "/dev/shm/looking-glass",
            "/dev/kvmfr0",
            "/dev/kvmfr00",
            "/dev/shm/a/b",
            "/dev/shm/..",
            "/tmp/x",
        ]
        .map(|path| SharedMemory::of_path(path).is_some());
        assert_eq!(shown, [true, true, false, false, false, false]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_resolution_that_reads_back_or_none(text in "[0-9x ]{0,12}", any in ".{0,8}") {
            for text in [text, any] {
                if let Ok(resolution) = text.parse::<Resolution>() {
                    prop_assert_eq!(resolution.to_string().parse(), Ok(resolution));
                    prop_assert!(resolution.mib().is_power_of_two());
                }
            }
        }
    }
}
