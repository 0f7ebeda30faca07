//! The host being looked at. Every path is absolute, UTF-8, and seen from the host's own root.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use passthru_model::facts::HostKind;
use passthru_model::plan::FileState;
use rustix::fs::FileType;

use crate::archive::Archive;
use crate::directory::Directory;
use crate::error::{OpenError, ReadError, ReadErrorKind};
use crate::foreign;
use crate::record::{DEFAULT_MODE, Entry, Recording};
use crate::resolve::resolve;
use crate::tree::Tree;

/// No file that facts are read from is larger than this, in bytes; a GRUB menu or a `modules.dep` is far smaller.
pub const MOST_FILE_BYTES: u64 = 32 * 1024 * 1024;

/// A machine to be read: the live one, a directory, or a capture held in memory.
#[derive(Debug)]
pub struct Host {
    pub(crate) source: Source,
    kind: HostKind,
    recording: Option<Mutex<Recording>>,
}

#[derive(Debug)]
pub(crate) enum Source {
    Tree(Tree),
    Archive(Archive),
}

/// Who owns a file, and what its mode lets others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// Mode bits, the type of file among them.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
}

impl Host {
    /// The machine that this runs on.
    pub fn live() -> Self {
        Self { source: Source::Tree(Tree::live()), kind: HostKind::Live, recording: None }
    }

    /// A directory taken for a root, a capture file, or what other tools made of a machine: a report of sos, packed or not, what
    /// hwloc gathered, a text of lspci or of udev's database; `/` is the live host.
    ///
    /// Absolute links and `..` in the directory stay below it (`openat2` with `RESOLVE_IN_ROOT`, Linux 5.6).
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let wrong = |reason: String| OpenError { path: path.display().to_string(), reason };
        let canonical = std::fs::canonicalize(path).map_err(|error| wrong(error.to_string()))?;
        if canonical == Path::new("/") {
            return Ok(Self::live());
        }
        let kind = std::fs::metadata(&canonical).map_err(|error| wrong(error.to_string()))?.file_type();
        if kind.is_dir() && foreign::is_report(&canonical) {
            let archive = foreign::of_directory(&canonical).map_err(wrong)?;
            Ok(Self { source: Source::Archive(archive), kind: HostKind::Capture, recording: None })
        } else if kind.is_dir() {
            let tree = Tree::below(&canonical).map_err(|error| wrong(error.to_string()))?;
            // Where openat2 is missing or forbidden, every later answer would be wrong or misleading.
            tree.open("/", rustix::fs::OFlags::PATH)
                .map_err(|error| wrong(format!("it cannot be read as a root with openat2: {error}")))?;
            Ok(Self { source: Source::Tree(tree), kind: HostKind::Directory, recording: None })
        } else if kind.is_file() {
            let file = std::fs::File::open(&canonical).map_err(|error| wrong(error.to_string()))?;
            Self::from_archive(file).map_err(wrong)
        } else {
            Err(wrong("it is neither a directory nor a file".to_owned()))
        }
    }

    /// A capture, read whole from its bytes. The error says which entry is wrong.
    pub fn from_archive(input: impl std::io::Read) -> Result<Self, String> {
        let archive = Archive::read(input)?;
        Ok(Self { source: Source::Archive(archive), kind: HostKind::Capture, recording: None })
    }

    /// The same host, which from now on remembers what is read of it.
    #[must_use]
    pub fn recording(self) -> Self {
        Self { recording: Some(Mutex::new(Recording::default())), ..self }
    }

    /// What was read so far, where the host was asked to remember.
    pub fn recorded(&self) -> Option<Recording> {
        let recording = self.recording.as_ref()?;
        Some(recording.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// What kind of host this is.
    pub fn kind(&self) -> HostKind {
        self.kind
    }

    /// Whether this is the machine that runs us.
    pub fn is_live(&self) -> bool {
        self.kind == HostKind::Live
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    fn remember(&self, what: impl FnOnce(&mut Recording)) {
        if let Some(recording) = &self.recording {
            what(&mut recording.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Reads a file without remembering it; `None` where it cannot be read.
    pub(crate) fn peek(&self, path: &str) -> Option<Vec<u8>> {
        match &self.source {
            Source::Tree(tree) => tree.read(path, MOST_FILE_BYTES).ok(),
            Source::Archive(archive) => archive.file(path, MOST_FILE_BYTES).ok(),
        }
    }

    /// Reads a link whose directory has no links; `None` where something else stands.
    fn plain_link(&self, path: &str) -> Result<Option<String>, ReadErrorKind> {
        match &self.source {
            // This link is another one for each process, and means the same to all.
            Source::Tree(_) if path == "/proc/self" => Ok(None),
            Source::Tree(tree) => tree.link(path),
            Source::Archive(archive) => archive.link(path),
        }
    }

    /// The path to work on. While recording, links on the way are followed by hand, so that each is remembered.
    fn reach<'a>(&self, path: &'a str, follow_last: bool) -> Result<Cow<'a, str>, ReadErrorKind> {
        if !path.starts_with('/') {
            return Err(ReadErrorKind::Other("it is not an absolute path".to_owned()));
        }
        if !self.is_recording() {
            return Ok(Cow::Borrowed(path));
        }
        let real = resolve(path, follow_last, |step, goes_on| {
            let found = self.plain_link(step);
            self.remember(|recording| match &found {
                Ok(Some(target)) => recording.add(step, Entry::Link(target.clone())),
                Ok(None) if goes_on => recording.add(step, Entry::Directory),
                Ok(None) => recording.add(step, Entry::Seen),
                Err(kind) => recording.fail(step, kind),
            });
            found
        })?;
        Ok(Cow::Owned(real))
    }

    /// Reads a file whole, up to [`MOST_FILE_BYTES`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.read_as(path, MOST_FILE_BYTES, |bytes| bytes)
    }

    /// Reads a file of at most `limit` bytes of which only a part matters. A capture holds what `reduce` leaves of it, which
    /// must leave the same of its own result: so a capture holds neither what is large nor what is nobody's business.
    pub(crate) fn read_reduced(
        &self,
        path: &str,
        limit: u64,
        reduce: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Result<Vec<u8>, ReadError> {
        self.read_as(path, limit, |bytes| reduce(&bytes))
    }

    /// Reads a file of at most `limit` bytes, and remembers what `keep` makes of it, which is the answer.
    fn read_as(
        &self,
        path: &str,
        limit: u64,
        keep: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) -> Result<Vec<u8>, ReadError> {
        let attempt = || {
            let real = self.reach(path, true)?;
            let bytes = match &self.source {
                Source::Tree(tree) => tree.read(&real, limit),
                Source::Archive(archive) => archive.file(&real, limit),
            };
            let bytes = bytes.map(keep);
            self.remember(|recording| match &bytes {
                Ok(bytes) => recording
                    .add(&real, Entry::File { bytes: bytes.clone(), mode: DEFAULT_MODE, uid: 0, gid: 0 }),
                Err(kind) => recording.fail(&real, kind),
            });
            bytes
        };
        attempt().map_err(|kind| kind.at(path))
    }

    /// Reads a file as text; bytes that are not UTF-8 are replaced.
    pub fn read_text(&self, path: &str) -> Result<String, ReadError> {
        self.read(path).map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// The names in a directory, sorted.
    pub fn list(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let attempt = || {
            let real = self.reach(path, true)?;
            let names = match &self.source {
                Source::Tree(tree) => tree.list(&real),
                Source::Archive(archive) => archive.list(&real),
            };
            self.remember(|recording| match &names {
                Ok(names) => recording.add(&real, Entry::Listed(names.clone())),
                Err(kind) => recording.fail(&real, kind),
            });
            names
        };
        attempt().map_err(|kind| kind.at(path))
    }

    /// The target of a symbolic link, as it is written there.
    pub fn link(&self, path: &str) -> Result<String, ReadError> {
        let attempt = || {
            let real = match &self.source {
                Source::Archive(_) if !self.is_recording() => {
                    Cow::Owned(resolve(path, false, |step, _| self.plain_link(step))?)
                }
                _ => self.reach(path, false)?,
            };
            let found = self.plain_link(&real);
            self.remember(|recording| match &found {
                Ok(Some(target)) => recording.add(&real, Entry::Link(target.clone())),
                Ok(None) => recording.add(&real, Entry::Seen),
                Err(kind) => recording.fail(&real, kind),
            });
            found?.ok_or_else(|| ReadErrorKind::Other("it is not a symbolic link".to_owned()))
        };
        attempt().map_err(|kind| kind.at(path))
    }

    /// The path without any symbolic link in it. An error where it leads to nothing.
    pub fn real_path(&self, path: &str) -> Result<String, ReadError> {
        let found = if self.is_recording() {
            self.reach(path, true).map(Cow::into_owned)
        } else {
            resolve(path, true, |step, _| self.plain_link(step))
        };
        found.map_err(|kind| kind.at(path))
    }

    /// Whether something is at a path, links followed. An error where that cannot be looked at.
    pub fn exists(&self, path: &str) -> Result<bool, ReadError> {
        let attempt = || {
            let real = self.reach(path, true)?;
            let is_directory = match &self.source {
                Source::Tree(tree) => tree.kind(&real).map(FileType::is_dir),
                Source::Archive(archive) => archive.is_directory(&real),
            };
            self.remember(|recording| match &is_directory {
                Ok(true) => recording.add(&real, Entry::Directory),
                Ok(false) => recording.add(&real, Entry::Seen),
                Err(kind) => recording.fail(&real, kind),
            });
            is_directory
        };
        match attempt() {
            Ok(_) => Ok(true),
            Err(ReadErrorKind::NotFound | ReadErrorKind::NotADirectory) => Ok(false),
            Err(kind) => Err(kind.at(path)),
        }
    }

    /// Who owns what is at a path, links followed; `None` where that cannot be looked at, as in captures, which do not
    /// keep it of what was not read.
    pub fn ownership(&self, path: &str) -> Option<Ownership> {
        let Source::Tree(tree) = &self.source else { return None };
        let stat = tree.stat(&self.reach(path, true).ok()?).ok()?;
        Some(Ownership { mode: stat.st_mode, uid: stat.st_uid, gid: stat.st_gid })
    }

    /// What stands at a path, the last link not followed: what a plan compares before it edits.
    ///
    /// A directory, a device or a pipe there is an error: no plan edits one.
    pub fn file_state(&self, path: &str) -> Result<FileState, ReadError> {
        self.file_state_kept(path, FileState::clone)
    }

    /// The same of a file that is edited whole and in which passwords may stand: a capture holds what `reduce` leaves of its bytes.
    pub(crate) fn file_state_reduced(
        &self,
        path: &str,
        reduce: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Result<FileState, ReadError> {
        self.file_state_kept(path, |state| match state.content() {
            Some(bytes) => state.with_content(reduce(bytes)),
            None => state.clone(),
        })
    }

    /// What stands at a path; `keep` says what a capture holds of it.
    fn file_state_kept(
        &self,
        path: &str,
        keep: impl Fn(&FileState) -> FileState,
    ) -> Result<FileState, ReadError> {
        let attempt = || {
            let real = self.reach(path, false)?;
            let state = match &self.source {
                Source::Tree(tree) => tree.state(&real, MOST_FILE_BYTES),
                Source::Archive(archive) => archive.state(&real),
            };
            self.remember(|recording| match &state {
                Ok(state) => recording.state(&real, &keep(state)),
                Err(kind) => recording.fail(&real, kind),
            });
            state
        };
        match attempt() {
            Err(ReadErrorKind::NotFound | ReadErrorKind::NotADirectory) => Ok(FileState::Absent),
            other => other.map_err(|kind| kind.at(path)),
        }
    }

    /// When a file was changed last, in seconds since 1970; in a redacted capture, since the first of the times in it.
    ///
    /// A capture has the times of the files that were asked for it when it was made: an error for others.
    pub(crate) fn modified(&self, path: &str) -> Result<i64, ReadError> {
        let attempt = || {
            let real = self.reach(path, true)?;
            let seconds = match &self.source {
                Source::Tree(tree) => tree.modified(&real),
                Source::Archive(archive) => archive.modified(&real),
            }?;
            self.remember(|recording| recording.changed(&real, seconds));
            Ok(seconds)
        };
        attempt().map_err(|kind: ReadErrorKind| kind.at(path))
    }

    /// A directory whose files are read one after another.
    pub fn directory(&self, path: &str) -> Directory<'_> {
        Directory::new(self, path)
    }
}
