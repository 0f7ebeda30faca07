//! Archives that are made here, of something that tells of a part of a machine: what is not in them is not known to be
//! absent.

use std::collections::{BTreeMap, BTreeSet};

use super::{Archive, Node, Note, split};
use crate::error::ReadErrorKind;

/// What such an archive was made of.
#[derive(Debug)]
pub(super) struct Partial {
    /// The source in words: "lspci's text".
    source: &'static str,
    /// Paths of which it tells that nothing is there.
    absent: BTreeSet<String>,
}

impl Archive {
    /// An empty one, made of what tells of a part.
    pub(crate) fn of(source: &'static str) -> Self {
        let root = ("/".to_owned(), Node::Directory(BTreeSet::new()));
        let mut archive = Self { nodes: BTreeMap::from([root]), note: Note::default(), partial: None };
        archive.make_partial(source);
        archive
    }

    /// From now on, what is not in here is unknown instead of absent.
    pub(crate) fn make_partial(&mut self, source: &'static str) {
        self.partial = Some(Partial { source, absent: BTreeSet::new() });
    }

    /// Adds a file.
    pub(crate) fn put(&mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Result<(), String> {
        self.put_node(path, Node::File { bytes: bytes.into(), mode: 0o444, uid: 0, gid: 0 })
    }

    /// Adds a link.
    pub(crate) fn put_link(&mut self, path: &str, target: impl Into<String>) -> Result<(), String> {
        self.put_node(path, Node::Link(target.into()))
    }

    /// Adds a directory.
    pub(crate) fn put_directory(&mut self, path: &str) -> Result<(), String> {
        self.directory(path)
    }

    /// Says that nothing is at a path.
    pub(crate) fn put_absent(&mut self, path: String) {
        if let Some(partial) = &mut self.partial {
            partial.absent.insert(path);
        }
    }

    /// Whether something is at a path, links not followed.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }

    fn put_node(&mut self, path: &str, node: Node) -> Result<(), String> {
        let (directory, name) = split(path);
        self.directory(directory)?;
        if self.nodes.contains_key(path) {
            return Err(format!("‘{path}’ would be there twice"));
        }
        if let Some(Node::Directory(names)) = self.nodes.get_mut(directory) {
            names.insert(name.to_owned());
        }
        self.nodes.insert(path.to_owned(), node);
        Ok(())
    }

    /// Why it is not known what is at a path that is not in here; `None` where nothing is.
    ///
    /// Of the settings below `/etc`, a report takes whole directories along: what is missing there is absent.
    pub(super) fn not_told(&self, path: &str) -> Option<ReadErrorKind> {
        let partial = self.partial.as_ref()?;
        let (directory, _) = split(path);
        let is_in_whole_directory = directory.starts_with("/etc/") && self.has(directory);
        (!partial.absent.contains(path) && !is_in_whole_directory)
            .then(|| ReadErrorKind::Other(format!("{} does not tell", partial.source)))
    }
}
