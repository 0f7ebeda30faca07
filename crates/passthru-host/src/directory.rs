//! A directory of sysfs, opened once and read file by file.

use std::os::fd::OwnedFd;

use rustix::fs::OFlags;

use crate::error::ReadError;
use crate::host::{Host, MOST_FILE_BYTES, Source};
use crate::resolve::child;
use crate::tree::Tree;

/// A directory. On the live host its files are opened below a handle, so that the long path is looked up once.
#[derive(Debug)]
pub struct Directory<'a> {
    host: &'a Host,
    path: String,
    handle: Option<OwnedFd>,
}

impl<'a> Directory<'a> {
    pub(crate) fn new(host: &'a Host, path: &str) -> Self {
        let handle = match &host.source {
            // The short cut holds for sysfs alone, where no attribute is a link, a pipe or a device.
            Source::Tree(tree) if host.is_live() && !host.is_recording() && path.starts_with("/sys/") => {
                tree.open(path, OFlags::PATH | OFlags::DIRECTORY).ok()
            }
            _ => None,
        };
        Self { host, path: path.to_owned(), handle }
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
        match &self.handle {
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
        if let Some(handle) = &self.handle {
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
        match &self.handle {
            Some(handle) => Tree::link_at(handle, name).map_err(|kind| kind.at(&self.child(name))),
            None => self.host.link(&self.child(name)),
        }
    }

    /// Whether it has an entry of this name.
    pub fn has(&self, name: &str) -> Result<bool, ReadError> {
        match &self.handle {
            Some(handle) => match rustix::fs::statat(handle, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => Ok(true),
                Err(rustix::io::Errno::NOENT) => Ok(false),
                Err(errno) => Err(crate::error::ReadErrorKind::from(errno).at(&self.child(name))),
            },
            None => self.host.exists(&self.child(name)),
        }
    }
}
