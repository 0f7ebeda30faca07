//! A directory of sysfs, opened once and read file by file.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use crate::error::{ReadError, ReadErrorKind};
use crate::host::{Host, MOST_FILE_BYTES, Source};
use crate::resolve::child;
use crate::tree::{Nodes, Tree};

/// A directory. Where the host is a tree of files, they are opened below a handle, so that the long path is looked up once.
#[derive(Debug)]
pub struct Directory<'a> {
    host: &'a Host,
    path: String,
    handle: Option<(OwnedFd, Nodes)>,
}

impl<'a> Directory<'a> {
    pub(crate) fn new(host: &'a Host, path: &str) -> Self {
        let handle = match &host.source {
            // A recorder wants to see each link on the way. Outside sysfs, links stand for files too often.
            Source::Tree(tree) if !host.is_recording() && path.starts_with("/sys/") => {
                tree.open_directory(path).ok()
            }
            _ => None,
        };
        Self { host, path: path.to_owned(), handle }
    }

    /// Opens a file in it below the handle. `None`: only the way from the root leads there, or tells what is there.
    fn open(&self, name: &str) -> Result<Option<OwnedFd>, ReadErrorKind> {
        Ok(match &self.handle {
            None => None,
            Some((handle, _)) if self.host.is_live() => Some(Tree::open_at(handle, name)?),
            Some((handle, nodes)) => Tree::open_file_at(handle, *nodes, name)?,
        })
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path of an entry.
    pub fn child(&self, name: &str) -> String {
        child(&self.path, name)
    }

    /// Reads a file in it, or in a directory of it.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, ReadError> {
        let at = |kind: ReadErrorKind| kind.at(&self.child(name));
        if let Some(file) = self.open(name).map_err(at)? {
            let read = Tree::read_attribute(&file, MOST_FILE_BYTES);
            if is_told(&file, read.as_deref()) {
                return read.map_err(at);
            }
        }
        self.host.read(&self.child(name))
    }

    /// Reads the first bytes of a file in it, and the rest only if these ask for it: to read all of a function's
    /// configuration space takes the kernel a thousand times longer than to read any other attribute.
    pub(crate) fn read_begin(
        &self,
        name: &str,
        begin: usize,
        go_on: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, ReadError> {
        let at = |kind: ReadErrorKind| kind.at(&self.child(name));
        if let Some(file) = self.open(name).map_err(at)? {
            let read = Tree::read_begin(&file, begin, &go_on);
            if is_told(&file, read.as_deref()) {
                return read.map_err(at);
            }
        }
        let mut bytes = self.host.read(&self.child(name))?;
        if !bytes.get(..begin).is_some_and(go_on) {
            bytes.truncate(begin);
        }
        Ok(bytes)
    }

    /// The target of a link in it.
    pub fn link(&self, name: &str) -> Result<String, ReadError> {
        // To read a link follows none, unless there are more directories on the way.
        match self.handle.as_ref().filter(|_| !name.contains('/')) {
            Some((handle, _)) => Tree::link_at(handle, name).map_err(|kind| kind.at(&self.child(name))),
            None => self.host.link(&self.child(name)),
        }
    }

    /// Whether it has an entry of this name.
    pub fn has(&self, name: &str) -> Result<bool, ReadError> {
        // To be a link and to lead somewhere are two things; to be a file or to be there is one.
        let handle = self.handle.as_ref().filter(|_| !name.contains('/'));
        match handle.map(|(handle, _)| rustix::fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW)) {
            Some(Ok(stat)) if !FileType::from_raw_mode(stat.st_mode).is_symlink() => Ok(true),
            Some(Err(Errno::NOENT)) => Ok(false),
            Some(Err(errno)) => Err(ReadErrorKind::from(errno).at(&self.child(name))),
            Some(Ok(_)) | None => self.host.exists(&self.child(name)),
        }
    }
}

/// Whether what was read is what a file says. Of a directory or a pipe, whose kind need not have been looked at before, nothing
/// can be read; then the long way says what it is.
fn is_told(file: &OwnedFd, read: Result<&[u8], &ReadErrorKind>) -> bool {
    read.is_ok_and(|bytes| !bytes.is_empty()) || Tree::is_file(file)
}
