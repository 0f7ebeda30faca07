//! A directory tree of the running system: `/` itself, or any directory taken for a root.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use passthru_model::plan::{Content, FileState};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawMode, ResolveFlags, Stat, StatVfsMountFlags};
use rustix::io::Errno;

use crate::error::ReadErrorKind;

/// One page: what a read of a sysfs attribute brings at most.
const PAGE: usize = 4096;

/// Longer than the target of nearly every link in sysfs, in bytes.
const LINK: usize = 256;

/// The permission bits of a mode, with set-user-id, set-group-id and sticky; above them is the kind of file.
const PERMISSIONS: RawMode = 0o7777;

/// How often a path is looked up before a storm of renames elsewhere is given way to.
const TRIES: usize = 4096;

/// How a file is opened that is known to be one: without following a link, waiting for a pipe or taking a terminal.
const BELOW: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Whether a file below a directory could be a device node that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nodes {
    /// It could.
    Possible,
    /// The mount does not let any be opened.
    Closed,
}

/// A tree of files that is read through the kernel.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The directory taken for the root; `None`: the root of this process, which needs no containing.
    root: Option<OwnedFd>,
    /// Whether no device node can be opened in the root's own mount (`nodev`, mount(8)).
    without_devices: bool,
}

impl Tree {
    /// The running system.
    pub(crate) fn live() -> Self {
        Self { root: None, without_devices: false }
    }

    /// A directory. Links in it are followed as if it were the root, so none leads out.
    pub(crate) fn below(directory: &Path) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(directory, flags, Mode::empty())?;
        let mount = rustix::fs::fstatvfs(&root);
        let without_devices = mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NODEV));
        Ok(Self { root: Some(root), without_devices })
    }

    /// Opens an absolute path.
    pub(crate) fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        self.open_within(path, flags, ResolveFlags::empty())
    }

    /// Opens a directory that files are opened below, and says whether one of these could be a device node.
    pub(crate) fn open_directory(&self, path: &str) -> Result<(OwnedFd, Nodes), Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        if self.without_devices
            && let Ok(directory) = self.open_within(path, flags, ResolveFlags::NO_XDEV)
        {
            return Ok((directory, Nodes::Closed));
        }
        Ok((self.open(path, flags)?, Nodes::Possible))
    }

    /// Opens an absolute path, and follows it no further than is allowed.
    fn open_within(&self, path: &str, flags: OFlags, limits: ResolveFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        let Some(root) = &self.root else {
            return rustix::fs::open(path, flags, Mode::empty());
        };
        let relative = path.trim_start_matches('/');
        let relative = if relative.is_empty() { "." } else { relative };
        let contained = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | limits;
        // The kernel says EAGAIN where a rename elsewhere kept it from proving that `..` stays inside.
        let mut tries = 0;
        loop {
            match rustix::fs::openat2(root, relative, flags, Mode::empty(), contained) {
                Err(Errno::AGAIN) if tries < TRIES => {
                    tries += 1;
                    std::thread::yield_now();
                }
                result => return result,
            }
        }
    }

    /// Opens a file for reading without waiting for a pipe's writer and without taking a terminal.
    fn open_file(&self, path: &str, more: OFlags) -> Result<(OwnedFd, Option<Stat>), ReadErrorKind> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | more;
        if self.root.is_none() && (path.starts_with("/sys/") || path.starts_with("/proc/")) {
            return Ok((self.open(path, flags)?, None));
        }
        // Only regular files are opened: to open a device node can already do something.
        let kind = rustix::fs::fstat(self.open(path, OFlags::PATH | more)?)?;
        must_be_file(&kind)?;
        let file = self.open(path, flags)?;
        let stat = rustix::fs::fstat(&file)?;
        must_be_file(&stat)?;
        Ok((file, Some(stat)))
    }

    /// Reads a file whole.
    pub(crate) fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, ReadErrorKind> {
        let (file, stat) = self.open_file(path, OFlags::empty())?;
        let size = stat.and_then(|stat| usize::try_from(stat.st_size).ok());
        drain(&file, limit, size, path.starts_with("/sys/"))
    }

    /// Opens a file below an opened directory of the live sysfs, where none is a link, a pipe or a device.
    pub(crate) fn open_at(directory: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(directory, name, BELOW, Mode::empty())
    }

    /// Opens a file below an opened directory of another tree. `None`: something else is there, or on the way, and only the
    /// long way from the root can tell what it means.
    ///
    /// What it is, is looked at first where it could be a device node, for to open one can already do something.
    pub(crate) fn open_file_at(
        directory: &OwnedFd,
        nodes: Nodes,
        name: &str,
    ) -> Result<Option<OwnedFd>, Errno> {
        let mut contained = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match nodes {
            Nodes::Closed => contained |= ResolveFlags::NO_XDEV,
            Nodes::Possible => match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_file() => {}
                // Whether a link on the way led there is not known yet.
                Err(errno) if !name.contains('/') => return Err(errno),
                Ok(_) | Err(_) => return Ok(None),
            },
        }
        match rustix::fs::openat2(directory, name, BELOW, Mode::empty(), contained) {
            Ok(file) => Ok(Some(file)),
            Err(errno @ Errno::NOENT) if !name.contains('/') => Err(errno),
            // A link, another mount, a device, a socket.
            Err(_) if nodes == Nodes::Closed => Ok(None),
            Err(Errno::LOOP | Errno::XDEV | Errno::AGAIN) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Whether what was opened is a regular file.
    pub(crate) fn is_file(opened: &OwnedFd) -> bool {
        rustix::fs::fstat(opened).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
    }

    /// Reads an opened attribute of sysfs whole.
    pub(crate) fn read_attribute(file: &OwnedFd, limit: u64) -> Result<Vec<u8>, ReadErrorKind> {
        drain(file, limit, None, true)
    }

    /// Reads the first bytes of an opened file of sysfs, and the rest only if these ask for it.
    pub(crate) fn read_begin(
        file: &OwnedFd,
        begin: usize,
        go_on: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, ReadErrorKind> {
        let mut bytes = vec![0; begin];
        let count = rustix::io::read(file, bytes.as_mut_slice())?;
        bytes.truncate(count);
        if count == begin && go_on(&bytes) {
            bytes.extend(drain(file, u64::MAX, None, true)?);
        }
        Ok(bytes)
    }

    /// The target of a link below an opened directory.
    pub(crate) fn link_at(directory: &OwnedFd, name: &str) -> Result<String, ReadErrorKind> {
        // Targets in sysfs are short, and fit on the stack.
        let mut space = [MaybeUninit::<u8>::uninit(); LINK];
        let (target, _) = rustix::fs::readlinkat_raw(directory, name, &mut space)?;
        if target.len() == LINK {
            return utf8(rustix::fs::readlinkat(directory, name, Vec::new())?.as_bytes());
        }
        utf8(target)
    }

    /// The target of a link, `None` where something else stands.
    pub(crate) fn link(&self, path: &str) -> Result<Option<String>, ReadErrorKind> {
        let target = if self.root.is_none() {
            rustix::fs::readlinkat(CWD, path, Vec::new())
        } else {
            let place = self.open(path, OFlags::PATH | OFlags::NOFOLLOW)?;
            if !FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode).is_symlink() {
                return Ok(None);
            }
            rustix::fs::readlinkat(&place, "", Vec::new())
        };
        match target {
            Err(Errno::INVAL) => Ok(None),
            other => utf8(other?.as_bytes()).map(Some),
        }
    }

    /// The names in a directory, sorted. Names that are not UTF-8 are left out: no path of interest has one.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<String>, ReadErrorKind> {
        let directory = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(directory)? {
            match entry?.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        names.sort();
        Ok(names)
    }

    /// What kind of thing a path leads to, links followed.
    pub(crate) fn kind(&self, path: &str) -> Result<FileType, ReadErrorKind> {
        Ok(FileType::from_raw_mode(self.stat(path)?.st_mode))
    }

    /// What the kernel says of what a path leads to, links followed.
    pub(crate) fn stat(&self, path: &str) -> Result<Stat, ReadErrorKind> {
        Ok(match &self.root {
            None => rustix::fs::statat(CWD, path, rustix::fs::AtFlags::empty())?,
            Some(_) => rustix::fs::fstat(self.open(path, OFlags::PATH)?)?,
        })
    }

    /// When the content of what a path leads to was changed last, in seconds since 1970.
    pub(crate) fn modified(&self, path: &str) -> Result<i64, ReadErrorKind> {
        Ok(self.stat(path)?.st_mtime)
    }

    /// What stands at a path, the last link not followed.
    pub(crate) fn state(&self, path: &str, limit: u64) -> Result<FileState, ReadErrorKind> {
        match self.link(path) {
            Ok(Some(target)) => return Ok(FileState::Link { target }),
            Ok(None) => {}
            Err(ReadErrorKind::NotFound | ReadErrorKind::NotADirectory) => return Ok(FileState::Absent),
            Err(other) => return Err(other),
        }
        let (file, stat) = self.open_file(path, OFlags::NOFOLLOW)?;
        let stat = stat.map_or_else(|| rustix::fs::fstat(&file), Ok)?;
        let content = drain(&file, limit, usize::try_from(stat.st_size).ok(), false)?;
        let mode = stat.st_mode & PERMISSIONS;
        Ok(FileState::File { content: Content(content), mode, uid: stat.st_uid, gid: stat.st_gid })
    }
}

fn must_be_file(stat: &Stat) -> Result<(), ReadErrorKind> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(ReadErrorKind::Other("it is a directory".to_owned())),
        _ => Err(ReadErrorKind::Other("it is not a regular file".to_owned())),
    }
}

fn utf8(target: &[u8]) -> Result<String, ReadErrorKind> {
    let text = std::str::from_utf8(target);
    text.map(str::to_owned).map_err(|_| ReadErrorKind::Other("the link's target is not UTF-8".to_owned()))
}

/// Reads to the end, or to the limit. `one_page`: a sysfs attribute, which comes whole in one read unless it fills a page
/// (`kernfs_fop_read_iter`, `fs/kernfs/file.c`), so that the read which would bring nothing can be spared.
fn drain(file: &OwnedFd, limit: u64, size: Option<usize>, one_page: bool) -> Result<Vec<u8>, ReadErrorKind> {
    if one_page {
        // Nearly all attributes are a few bytes long: they are read on the stack and copied out, without a buffer to clear.
        let mut page = [MaybeUninit::<u8>::uninit(); PAGE];
        let begin = loop {
            match rustix::io::read(file, &mut page) {
                Err(Errno::INTR) => {}
                Ok((begin, _)) => break begin.to_vec(),
                Err(errno) => return Err(errno.into()),
            }
        };
        if begin.len() < PAGE {
            return Ok(begin);
        }
        let rest = drain(file, limit, None, false)?;
        if begin.len().saturating_add(rest.len()) > usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(ReadErrorKind::TooLarge(limit));
        }
        return Ok([begin, rest].concat());
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let chunk = size
        .map_or(2 * PAGE, |size| size.saturating_add(1))
        .clamp(2 * PAGE, most.saturating_add(1).max(2 * PAGE));
    let mut bytes = vec![0; chunk];
    let mut filled = 0;
    loop {
        if filled == bytes.len() {
            bytes.resize(bytes.len().saturating_mul(2), 0);
        }
        let Some(rest) = bytes.get_mut(filled..) else { break };
        let count = match rustix::io::read(file, rest) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        filled += count;
        if filled > most {
            return Err(ReadErrorKind::TooLarge(limit));
        }
        if count == 0 {
            break;
        }
    }
    bytes.truncate(filled);
    bytes.shrink_to_fit();
    Ok(bytes)
}
