//! What was read of a host, remembered, so that a capture holds exactly that.

use std::collections::BTreeMap;

use passthru_model::plan::FileState;

use crate::error::ReadErrorKind;
use crate::resolve::{child, split};

/// One thing that was looked at, by its path without links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It is there, and its content was not read.
    Seen,
    /// A directory that was passed through or looked for.
    Directory,
    /// A directory that was listed.
    Listed(Vec<String>),
    /// A file that was read.
    File { bytes: Vec<u8>, mode: u32, uid: u32, gid: u32 },
    /// A symbolic link that was read or followed.
    Link(String),
}

impl Entry {
    /// How much it says; an entry gives way only to one that says more.
    fn weight(&self) -> u8 {
        match self {
            Self::Seen => 0,
            Self::Directory => 1,
            Self::Listed(_) | Self::Link(_) => 2,
            // Read as an attribute, a file has no mode; looked at as a file to edit, it has.
            Self::File { mode, .. } => 2 + u8::from(*mode != DEFAULT_MODE),
        }
    }
}

/// The mode of files whose mode was not looked at: attributes of sysfs and the like.
pub(crate) const DEFAULT_MODE: u32 = 0o444;

/// Everything that was read of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) unreadable: BTreeMap<String, ReadErrorKind>,
    /// When files were changed last, in seconds since 1970: of those alone that were asked for it.
    pub(crate) modified: BTreeMap<String, i64>,
}

impl Recording {
    /// Remembers what stands at a path.
    pub(crate) fn add(&mut self, path: &str, entry: Entry) {
        match self.entries.get_mut(path) {
            Some(known) if known.weight() >= entry.weight() => {}
            Some(known) => *known = entry,
            None => {
                self.entries.insert(path.to_owned(), entry);
            }
        }
    }

    /// Remembers that a path could not be read. Absence needs no memory: what is not in a capture is absent.
    pub(crate) fn fail(&mut self, path: &str, kind: &ReadErrorKind) {
        if *kind != ReadErrorKind::NotFound {
            self.unreadable.insert(path.to_owned(), kind.clone());
        }
    }

    /// Remembers when a file was changed last, in seconds since 1970.
    pub(crate) fn changed(&mut self, path: &str, seconds: i64) {
        self.modified.insert(path.to_owned(), seconds);
    }

    /// Remembers the state of a file.
    pub(crate) fn state(&mut self, path: &str, state: &FileState) {
        match state {
            FileState::Absent => {}
            FileState::Link { target } => self.add(path, Entry::Link(target.clone())),
            FileState::File { content, mode, uid, gid } => {
                let bytes = content.0.clone();
                self.add(path, Entry::File { bytes, mode: *mode, uid: *uid, gid: *gid });
            }
        }
    }

    /// All entries, with an empty one for each name that was listed and not looked at further.
    pub(crate) fn complete(&self) -> BTreeMap<String, Entry> {
        let mut all = self.entries.clone();
        for (path, entry) in &self.entries {
            let Entry::Listed(names) = entry else { continue };
            for name in names {
                all.entry(child(path, name)).or_insert(Entry::Seen);
            }
        }
        // A thing that has others below it is a directory, even if only its name was seen.
        let parents: Vec<String> = all.keys().map(|path| split(path).0.to_owned()).collect();
        for parent in parents {
            if let Some(entry @ Entry::Seen) = all.get_mut(&parent) {
                *entry = Entry::Directory;
            }
        }
        all
    }

    /// Paths of the files and links that were read, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|(_, entry)| entry.weight() > 1).map(|(path, _)| path.as_str())
    }
}
