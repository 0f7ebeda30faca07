//! A directory of sysfs, opened once and read file by file.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, OFlags};

use crate::error::{ReadError, ReadErrorKind};
use crate::host::{Host, MOST_FILE_BYTES, Source};
use crate::resolve::child;
use crate::tree::Tree;

/// A directory. Where the host is a tree of files, they are opened below a handle, so that the long path is looked up once.
#[derive(Debug)]
pub struct Directory<'a> {
    host: &'a Host,
    path: String,
    handle: Option<OwnedFd>,
}

impl<'a> Directory<'a> {
    pub(crate) fn new(host: &'a Host, path: &str) -> Self {
        let handle = match &host.source {
            // A recorder wants to see each link on the way. Outside sysfs, links stand for files too often.
            Source::Tree(tree) if !host.is_recording() && path.starts_with("/sys/") => {
                tree.open(path, OFlags::PATH | OFlags::DIRECTORY).ok()
            }
            _ => None,
        };
        Self { host, path: path.to_owned(), handle }
    }

    /// The handle, if an entry can be opened below it without leaving the root or waking anything up: in sysfs itself no
    /// attribute is a link, a pipe or a device; in another tree one may be, and goes the long way.
    fn short_cut(&self, name: &str) -> Result<Option<&OwnedFd>, ReadErrorKind> {
        let Some(handle) = &self.handle else { return Ok(None) };
        if self.host.is_live() {
            return Ok(Some(handle));
        }
        if name.contains('/') {
            return Ok(None);
        }
        let stat = rustix::fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(Some(handle).filter(|_| FileType::from_raw_mode(stat.st_mode).is_file()))
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path of an entry.
    pub fn child(&self, name: &str) -> String {
        child(&self.path, name)
    }

    /// Reads a file in it.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, ReadError> {
        match self.short_cut(name).map_err(|kind| kind.at(&self.child(name)))? {
            Some(handle) => {
                Tree::read_at(handle, name, MOST_FILE_BYTES).map_err(|kind| kind.at(&self.child(name)))
            }
            None => self.host.read(&self.child(name)),
        }
    }

    /// Reads the first bytes of a file in it, and the rest only if these ask for it: to read all of a function's
    /// configuration space takes the kernel a thousand times longer than to read any other attribute.
    pub(crate) fn read_begin(
        &self,
        name: &str,
        begin: usize,
        go_on: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, ReadError> {
        if let Some(handle) = self.short_cut(name).map_err(|kind| kind.at(&self.child(name)))? {
            return Tree::read_begin_at(handle, name, begin, go_on)
                .map_err(|kind| kind.at(&self.child(name)));
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
            Some(handle) => Tree::link_at(handle, name).map_err(|kind| kind.at(&self.child(name))),
            None => self.host.link(&self.child(name)),
        }
    }

    /// Whether it has an entry of this name.
    pub fn has(&self, name: &str) -> Result<bool, ReadError> {
        match self.short_cut(name) {
            // In a directory of sysfs, to be a file or to be there is the same, and a look at it costs less than a way to it.
            Ok(Some(handle)) => match rustix::fs::statat(handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => Ok(true),
                Err(rustix::io::Errno::NOENT) => Ok(false),
                Err(errno) => Err(ReadErrorKind::from(errno).at(&self.child(name))),
            },
            Err(ReadErrorKind::NotFound) => Ok(false),
            Err(kind) => Err(kind.at(&self.child(name))),
            Ok(None) => self.host.exists(&self.child(name)),
        }
    }
}
