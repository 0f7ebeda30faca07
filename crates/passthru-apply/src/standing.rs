//! What stands at a path, in short: its kind, and for a file its digest, mode and owner.

use std::fs::File;
use std::io::{self, Read as _};

use passthru_model::plan::{Digest256, FileState};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::target::{Follow, Place, Target};
use crate::variable;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub(crate) enum Standing {
    /// Nothing.
    Absent,
    /// A regular file.
    File {
        /// The digest of its bytes.
        digest: Digest256,
        /// How many bytes.
        size: u64,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as written.
        target: String,
    },
    /// Something that no step may touch, such as "a directory".
    Other {
        /// What it is.
        what: String,
    },
}

impl Standing {
    /// What a planned state comes to.
    pub(crate) fn of(state: &FileState) -> Self {
        match state {
            FileState::Absent => Self::Absent,
            FileState::Link { target } => Self::Link { target: target.clone() },
            FileState::File { content, mode, uid, gid } => Self::File {
                digest: Digest256::of(&content.0),
                size: content.0.len() as u64,
                mode: *mode,
                uid: *uid,
                gid: *gid,
            },
        }
    }

    /// What stands at a path of the host now.
    pub(crate) fn at(target: &Target, path: &str, follow: Follow) -> io::Result<Self> {
        match target.place(path, follow) {
            Ok(place) => Self::in_place(&place),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Absent),
            Err(error) => Err(error),
        }
    }

    /// What stands in a place now.
    pub(crate) fn in_place(place: &Place) -> io::Result<Self> {
        let stat = match rustix::fs::statat(&place.directory, &place.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(error) if error == rustix::io::Errno::NOENT => return Ok(Self::Absent),
            Err(error) => return Err(error.into()),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let mut file = open(place)?;
                let stat = rustix::fs::fstat(&file)?;
                let (digest, size) = digest(&mut file)?;
                if variable::is_unset(place, size) {
                    return Ok(Self::Absent);
                }
                let mode = stat.st_mode & 0o7777;
                Ok(Self::File { digest, size, mode, uid: stat.st_uid, gid: stat.st_gid })
            }
            FileType::Symlink => {
                let link = rustix::fs::readlinkat(&place.directory, &place.name, Vec::new())?;
                Ok(match link.into_string() {
                    Ok(target) => Self::Link { target },
                    Err(_) => Self::Other { what: "a link to a name that is not UTF-8".to_owned() },
                })
            }
            FileType::Directory => Ok(Self::Other { what: "a directory".to_owned() }),
            _ => Ok(Self::Other { what: "neither a file nor a link".to_owned() }),
        }
    }

    /// How this differs from what is expected; `None` where it does not.
    pub(crate) fn differs_from(&self, expected: &Self) -> Option<String> {
        let difference = match (self, expected) {
            _ if self == expected => return None,
            (Self::Absent, _) => "it is not there".to_owned(),
            (Self::Other { what }, _) => format!("it is {what}"),
            (Self::Link { target }, Self::Link { .. } | Self::File { .. }) => {
                format!("it is a link to ‘{target}’")
            }
            (_, Self::Absent) => "it is there, and should not be".to_owned(),
            (Self::File { .. }, Self::Link { target }) => format!("it is a file, not a link to ‘{target}’"),
            (
                Self::File { digest, mode, uid, gid, .. },
                Self::File { digest: digest2, mode: mode2, uid: uid2, gid: gid2, .. },
            ) => {
                let mut words = Vec::new();
                if digest != digest2 {
                    words.push("its content differs".to_owned());
                }
                if mode != mode2 {
                    words.push(format!("its mode is {mode:04o}, not {mode2:04o}"));
                }
                if (uid, gid) != (uid2, gid2) {
                    words.push(format!("its owner is {uid}:{gid}, not {uid2}:{gid2}"));
                }
                words.join(", ")
            }
            _ => "it differs".to_owned(),
        };
        Some(difference)
    }

    /// Whether the bytes are the same, or both are absent, or both are the same link.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { digest: one, .. }, Self::File { digest: two, .. }) => one == two,
            _ => self == other,
        }
    }
}

/// Opens the file in a place for reading.
pub(crate) fn open(place: &Place) -> io::Result<File> {
    // Non-blocking, for the case that a pipe was put there since it was looked at.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(&place.directory, &place.name, flags, Mode::empty())?))
}

/// The digest and length of what is left to read.
pub(crate) fn digest(file: &mut File) -> io::Result<(Digest256, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let mut size = 0;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok((Digest256::from_raw(&hasher.finalize()), size)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
}

/// The bytes of a file, where there is one.
pub(crate) fn bytes(target: &Target, path: &str, follow: Follow) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    match target.place(path, follow).and_then(|place| open(&place)) {
        Ok(mut file) => file.read_to_end(&mut content).map(|_| Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
