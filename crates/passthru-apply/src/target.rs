//! The root directory that is changed: the live one, a mounted system's, or a test's tree.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::Error;

/// How often a path is looked up before a storm of renames elsewhere is given way to.
const TRIES: usize = 4096;

/// How many links are followed before a path is called circular, as in the kernel.
const MAXIMUM_LINKS: usize = 40;

/// A root directory. Every path is resolved inside it, so that an absolute link in a mounted system leads to that
/// system's file and never to ours.
#[derive(Debug)]
pub struct Target {
    root: OwnedFd,
    path: PathBuf,
}

/// Whether a link in the last component of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// To the file that it leads to.
    Links,
    /// The link itself is meant.
    Nothing,
}

/// A directory, and a name in it where a file is or will be.
#[derive(Debug)]
pub(crate) struct Place {
    /// The directory.
    pub(crate) directory: OwnedFd,
    /// The name.
    pub(crate) name: String,
    /// The path inside the root, with no link in it where the kernel says so.
    pub(crate) real: String,
}

impl Target {
    /// The running system.
    pub fn live() -> Result<Self, Error> {
        Self::open("/")
    }

    /// The system whose root directory this is.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&path, flags, Mode::empty())
            .map_err(|error| Error::at(path.to_string_lossy(), error))?;
        Ok(Self { root, path })
    }

    /// Where it is, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is the running system.
    pub fn is_live(&self) -> bool {
        self.path == Path::new("/")
    }

    /// The option by which a command is told of it, with a blank ahead: ` --root /mnt`; nothing for the running system.
    pub fn option(&self) -> String {
        if self.is_live() {
            String::new()
        } else {
            format!(" --root {}", passthru_model::program::quoted(&self.path.to_string_lossy()))
        }
    }

    /// Opens a path inside the root.
    pub(crate) fn open_at(&self, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        // The kernel asks for another try when anything at all was renamed or mounted meanwhile and there is a `..` on the way.
        for _ in 0..TRIES {
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(&self.root, path, flags | OFlags::CLOEXEC, mode, resolve) {
                Err(Errno::AGAIN) => std::thread::yield_now(),
                other => return other.map_err(Into::into),
            }
        }
        Err(Errno::AGAIN.into())
    }

    /// Opens a directory inside the root.
    pub(crate) fn directory(&self, path: &str) -> io::Result<OwnedFd> {
        self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }

    /// The place that a path means. [`io::ErrorKind::NotFound`] where its directory is not there.
    pub(crate) fn place(&self, path: &str, follow: Follow) -> io::Result<Place> {
        let mut path = path.to_owned();
        for _ in 0..MAXIMUM_LINKS {
            let (parent, name) = split(&path)?;
            let directory = self.directory(parent)?;
            let link = follow == Follow::Links
                && matches!(
                    rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW),
                    Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
                );
            if !link {
                let name = name.to_owned();
                let real = self.real(&directory).unwrap_or_else(|| parent.to_owned());
                let real = format!("{}/{name}", real.trim_end_matches('/'));
                return Ok(Place { directory, name, real });
            }
            let leads = rustix::fs::readlinkat(&directory, name, Vec::new())?;
            let leads =
                leads.into_string().map_err(|_| io::Error::other("a link on the way is not UTF-8"))?;
            path = if leads.starts_with('/') { leads } else { format!("{parent}/{leads}") };
        }
        Err(Errno::LOOP.into())
    }

    /// The path inside the root of an open directory, as the kernel knows it.
    fn real(&self, directory: &OwnedFd) -> Option<String> {
        use std::os::fd::AsRawFd as _;
        let known = |fd: i32| std::fs::read_link(format!("/proc/self/fd/{fd}")).ok();
        let root = known(self.root.as_fd().as_raw_fd())?;
        let directory = known(directory.as_raw_fd())?;
        let inside = directory.strip_prefix(&root).ok()?;
        Some(format!("/{}", inside.to_str()?))
    }
}

/// The directory and the last component of an absolute path.
pub(crate) fn split(path: &str) -> io::Result<(&str, &str)> {
    let unusable = || io::Error::new(io::ErrorKind::InvalidInput, format!("‘{path}’ names no file"));
    let (parent, name) = path.trim_end_matches('/').rsplit_once('/').ok_or_else(unusable)?;
    if name.is_empty() || name == "." || name == ".." || !path.starts_with('/') {
        return Err(unusable());
    }
    Ok((if parent.is_empty() { "/" } else { parent }, name))
}
