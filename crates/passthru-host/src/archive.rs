//! A capture file, held in memory: a tar archive of files at their natural paths, plain or compressed with gzip, bzip2, xz,
//! zstd, lzma or lz4. What other tools gather (hwloc's `hwloc-gather-topology` with bzip2, sos with xz) has one directory above
//! these, which is taken away.
//!
//! It comes from outside, so nothing in it is trusted: it is never unpacked, its paths may not leave the root, it holds
//! nothing but files, directories and links, and it is read only up to a stated size. What is no archive may be a text
//! of which one is made; see [`crate::foreign`].

mod made;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read};

use passthru_formats::compression::Compression;
use passthru_model::plan::{Content, FileState};
use serde::{Deserialize, Serialize};
use tar::EntryType;

use crate::error::ReadErrorKind;
use crate::resolve::{child, join, resolve, split};

/// An archive may hold this many bytes, unpacked and with its headers.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// An archive may hold this many entries.
pub const MOST_ENTRIES: usize = 500_000;
/// A path in an archive may be this long, as in the kernel (`PATH_MAX`).
const MOST_PATH: usize = 4096;

/// The file in a capture that says what could not be read where it was made, so that it is not taken for absent.
pub(crate) const NOTE: &str = "/passthru-capture.json";

/// The content of [`NOTE`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// `passthru.capture/1`.
    pub(crate) schema: String,
    /// Whether names and numbers that point to a person or to one machine were replaced.
    pub(crate) redacted: bool,
    /// Paths that could not be read, and why.
    pub(crate) unreadable: BTreeMap<String, ReadErrorKind>,
    /// When files were changed last, in seconds since 1970, or where redacted since the first of these times.
    #[serde(default)]
    pub(crate) modified: BTreeMap<String, i64>,
}

#[derive(Debug)]
enum Node {
    Directory(BTreeSet<String>),
    File { bytes: Vec<u8>, mode: u32, uid: u32, gid: u32 },
    Link(String),
}

/// The archive's content, by absolute path.
#[derive(Debug)]
pub(crate) struct Archive {
    nodes: BTreeMap<String, Node>,
    note: Note,
    /// Where this was made of something that tells of a part of a machine alone; see [`made`].
    partial: Option<made::Partial>,
}

impl Archive {
    /// Reads an archive whole. The error says what is wrong and with which entry.
    pub(crate) fn read(input: impl Read) -> Result<Self, String> {
        Self::read_up_to(MOST_BYTES, input)
    }

    fn read_up_to(most: u64, input: impl Read) -> Result<Self, String> {
        let mut input = BufReader::new(input);
        let head = std::io::BufRead::fill_buf(&mut input).map_err(|error| error.to_string())?;
        if let Some(kind) = Compression::of(head) {
            Self::from_tar(most, kind.unpack(input).map_err(|error| error.to_string())?)
        } else if head.get(257..262) == Some(b"ustar") {
            Self::from_tar(most, input)
        } else {
            crate::foreign::text(input)
        }
    }

    fn from_tar(most: u64, input: impl Read) -> Result<Self, String> {
        let root = ("/".to_owned(), Node::Directory(BTreeSet::new()));
        let mut archive = Self { nodes: BTreeMap::from([root]), note: Note::default(), partial: None };
        let mut tar = tar::Archive::new(input.take(most));
        let mut left = most;
        let too_many = || format!("it holds more than {most} bytes");
        for (count, entry) in tar.entries().map_err(|error| error.to_string())?.enumerate() {
            let mut entry = entry.map_err(|error| format!("the archive is damaged: {error}"))?;
            if count >= MOST_ENTRIES {
                return Err(format!("it holds more than {MOST_ENTRIES} entries"));
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            archive
                .add(&name, &mut entry, &mut left)
                .map_err(|reason| format!("entry ‘{name}’: {reason}"))?;
        }
        if tar.into_inner().limit() == 0 {
            return Err(too_many());
        }
        archive.lift();
        if let Some(Node::File { bytes, .. }) = archive.nodes.get(NOTE) {
            archive.note =
                serde_json::from_slice(bytes).map_err(|error| format!("entry ‘{NOTE}’: {error}"))?;
        }
        crate::foreign::complete(&mut archive);
        Ok(archive)
    }

    fn add(
        &mut self,
        name: &str,
        entry: &mut tar::Entry<'_, impl Read>,
        left: &mut u64,
    ) -> Result<(), String> {
        if name.starts_with('/') || name.split('/').any(|part| part == "..") {
            return Err("its path leaves the root".to_owned());
        }
        if name.len() > MOST_PATH || name.contains('\0') {
            return Err("its path is not one".to_owned());
        }
        let path = join("/", name);
        let target = |entry: &tar::Entry<'_, _>| {
            let target = entry.link_name_bytes().ok_or("it is a link without a target")?;
            String::from_utf8(target.into_owned()).map_err(|_| "its target is not UTF-8".to_owned())
        };
        let node = match entry.header().entry_type() {
            EntryType::Directory => return self.directory(&path),
            EntryType::Symlink => Node::Link(target(entry)?),
            EntryType::Link => {
                let first = join("/", &target(entry)?);
                match self.nodes.get(&first) {
                    Some(Node::File { bytes, mode, uid, gid }) => {
                        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                        *left = left.checked_sub(size).ok_or("the archive unpacks to too many bytes")?;
                        Node::File { bytes: bytes.clone(), mode: *mode, uid: *uid, gid: *gid }
                    }
                    _ => return Err(format!("it is a hard link to ‘{first}’, which is no file before it")),
                }
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mut bytes = Vec::new();
                entry
                    .take(left.saturating_add(1))
                    .read_to_end(&mut bytes)
                    .map_err(|error| error.to_string())?;
                let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                *left = left.checked_sub(size).ok_or("the archive unpacks to too many bytes")?;
                let header = entry.header();
                let number =
                    |value: std::io::Result<u64>| value.ok().and_then(|value| u32::try_from(value).ok());
                Node::File {
                    bytes,
                    mode: header.mode().unwrap_or(0o644) & 0o7777,
                    uid: number(header.uid()).unwrap_or(0),
                    gid: number(header.gid()).unwrap_or(0),
                }
            }
            // Global headers describe the archive; what they set does not matter here.
            EntryType::XGlobalHeader => return Ok(()),
            other => return Err(format!("it is no file, directory or link (type {other:?})")),
        };
        let (directory, last) = split(&path);
        self.directory(directory)?;
        if let Some(Node::Directory(names)) = self.nodes.get_mut(directory) {
            names.insert(last.to_owned());
        }
        match self.nodes.insert(path, node) {
            Some(Node::Directory(_)) => Err("it is in the archive twice, once as a directory".to_owned()),
            _ => Ok(()),
        }
    }

    /// Makes a directory and those above it.
    fn directory(&mut self, path: &str) -> Result<(), String> {
        match self.nodes.get(path) {
            Some(Node::Directory(_)) => return Ok(()),
            Some(_) => return Err(format!("‘{path}’ is in the archive twice, once as no directory")),
            None => {}
        }
        let mut parent = String::from("/");
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let next = child(&parent, part);
            match self.nodes.get_mut(&parent) {
                Some(Node::Directory(names)) => names.insert(part.to_owned()),
                _ => return Err(format!("‘{parent}’ is in the archive twice, once as no directory")),
            };
            self.nodes.entry(next.clone()).or_insert_with(|| Node::Directory(BTreeSet::new()));
            parent = next;
        }
        match self.nodes.get(path) {
            Some(Node::Directory(_)) => Ok(()),
            _ => Err(format!("‘{path}’ is in the archive twice, once as no directory")),
        }
    }

    /// Takes the one directory away that is above everything, where it is what holds `sys` or `proc`.
    fn lift(&mut self) {
        let Some(Node::Directory(top)) = self.nodes.get("/") else { return };
        let mut names = top.iter();
        let (Some(only), None) = (names.next(), names.next()) else { return };
        // A capture of /proc alone has /proc/sys.
        if only == "proc" {
            return;
        }
        let above = format!("/{only}");
        match self.nodes.get(&above) {
            Some(Node::Directory(names)) if names.contains("sys") || names.contains("proc") => {}
            _ => return,
        }
        self.nodes.remove("/");
        self.nodes = std::mem::take(&mut self.nodes)
            .into_iter()
            .filter_map(|(path, node)| {
                let rest = path.strip_prefix(&above)?;
                Some((if rest.is_empty() { "/".to_owned() } else { rest.to_owned() }, node))
            })
            .collect();
    }

    fn node(&self, path: &str) -> Result<&Node, ReadErrorKind> {
        if let Some(kind) = self.note.unreadable.get(path) {
            return Err(kind.clone());
        }
        let found = self.nodes.get(path);
        found.ok_or_else(|| match self.nodes.get(split(path).0) {
            Some(Node::File { .. }) => ReadErrorKind::NotADirectory,
            _ => self.not_told(path).unwrap_or(ReadErrorKind::NotFound),
        })
    }

    /// The target of a link at a path without links above it, `None` where something else stands.
    pub(crate) fn link(&self, path: &str) -> Result<Option<String>, ReadErrorKind> {
        match self.nodes.get(path) {
            Some(Node::Link(target)) => Ok(Some(target.clone())),
            // What cannot be read can still be passed through, as a directory that may not be listed.
            Some(_) => Ok(None),
            None => self.node(path).map(|_| None),
        }
    }

    fn resolved(&self, path: &str) -> Result<&Node, ReadErrorKind> {
        self.node(&resolve(path, true, |path, _| self.link(path))?)
    }

    /// When the file at a path was changed last, where that was kept.
    pub(crate) fn modified(&self, path: &str) -> Result<i64, ReadErrorKind> {
        let real = resolve(path, true, |path, _| self.link(path))?;
        self.node(&real)?;
        let kept = self.note.modified.get(&real);
        kept.copied().ok_or_else(|| ReadErrorKind::Other("this capture has no times of files".to_owned()))
    }

    /// Reads a file whole.
    pub(crate) fn file(&self, path: &str, limit: u64) -> Result<Vec<u8>, ReadErrorKind> {
        match self.resolved(path)? {
            Node::File { bytes, .. } if u64::try_from(bytes.len()).is_ok_and(|size| size <= limit) => {
                Ok(bytes.clone())
            }
            Node::File { .. } => Err(ReadErrorKind::TooLarge(limit)),
            _ => Err(ReadErrorKind::Other("it is a directory".to_owned())),
        }
    }

    /// The names in a directory, sorted.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<String>, ReadErrorKind> {
        match self.resolved(path)? {
            Node::Directory(names) => Ok(names.iter().cloned().collect()),
            _ => Err(ReadErrorKind::NotADirectory),
        }
    }

    /// Whether a path leads to a directory; an error where it leads nowhere.
    pub(crate) fn is_directory(&self, path: &str) -> Result<bool, ReadErrorKind> {
        let real = resolve(path, true, |path, _| self.link(path))?;
        match self.nodes.get(&real) {
            Some(node) => Ok(matches!(node, Node::Directory(_))),
            None => self.node(&real).map(|_| false),
        }
    }

    /// What stands at a path, the last link not followed.
    pub(crate) fn state(&self, path: &str) -> Result<FileState, ReadErrorKind> {
        let real = match resolve(path, false, |path, _| self.link(path)) {
            Err(ReadErrorKind::NotFound | ReadErrorKind::NotADirectory) => return Ok(FileState::Absent),
            other => other?,
        };
        match self.node(&real) {
            Ok(Node::Link(target)) => Ok(FileState::Link { target: target.clone() }),
            Ok(Node::File { bytes, mode, uid, gid }) => {
                Ok(FileState::File { content: Content(bytes.clone()), mode: *mode, uid: *uid, gid: *gid })
            }
            Ok(Node::Directory(_)) => Err(ReadErrorKind::Other("it is a directory".to_owned())),
            Err(ReadErrorKind::NotFound | ReadErrorKind::NotADirectory) => Ok(FileState::Absent),
            Err(other) => Err(other),
        }
    }
}

#[cfg(test)]
#[path = "../../passthru-formats/src/compression/programs.rs"]
mod programs;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::Archive;
    use super::programs::{PROGRAMS, packed};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, EntryType, Header};

    const MOST: u64 = 1 << 20;

    /// An entry of this kind that says it has this many bytes, and zeros without end, compressed.
    fn swelling(kind: EntryType, size: u64) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.set_path("a").expect("short");
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        let mut bytes = GzEncoder::new(Vec::new(), Compression::best());
        bytes.write_all(header.as_bytes()).expect("writes");
        bytes.write_all(&vec![0; 4 << 20]).expect("writes");
        bytes.finish().expect("writes")
    }

    #[test]
    fn an_archive_that_swells_is_stopped_whatever_swells() {
        for kind in [EntryType::Regular, EntryType::GNULongName, EntryType::XHeader, EntryType::Directory] {
            for size in [2 * MOST, u64::MAX / 2] {
                let bytes = swelling(kind, size);
                assert!(bytes.len() < 10_000);
                assert!(Archive::read_up_to(MOST, bytes.as_slice()).is_err(), "{kind:?} of {size}");
            }
        }
    }

    #[test]
    fn a_sparse_file_of_a_terabyte_is_stopped() {
        let mut header = Header::new_gnu();
        header.set_path("a").expect("short");
        header.set_entry_type(EntryType::GNUSparse);
        header.set_size(0);
        if let Some(gnu) = header.as_gnu_mut() {
            gnu.realsize[..12].copy_from_slice(b"177777777777");
            gnu.sparse[0].offset[..12].copy_from_slice(b"177777777777");
            gnu.sparse[0].numbytes[..12].copy_from_slice(b"00000000000\0");
        }
        header.set_cksum();
        let bytes = [header.as_bytes().as_slice(), &[0; 1024]].concat();
        assert!(Archive::read_up_to(MOST, bytes.as_slice()).is_err());
    }

    /// An archive of empty files.
    fn of_files(names: &[&str]) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for name in names {
            let mut header = Header::new_gnu();
            header.set_size(0);
            tar.append_data(&mut header, name, std::io::empty()).expect("writes");
        }
        tar.into_inner().expect("writes")
    }

    #[test]
    fn the_one_directory_above_everything_is_taken_away() {
        for (names, path) in [
            (&["machine/sys/a", "machine/proc/b"][..], "/sys/a"),
            (&["./machine/proc/b"], "/proc/b"),
            (&["sys/a", "proc/b"], "/sys/a"),
            (&["proc/sys/a"], "/proc/sys/a"),
            (&["sys/a"], "/sys/a"),
            (&["machine/sys/a", "note"], "/machine/sys/a"),
        ] {
            let archive = Archive::read_up_to(MOST, of_files(names).as_slice()).expect("reads");
            assert_eq!(archive.file(path, 0), Ok(Vec::new()), "{names:?}");
        }
    }

    #[test]
    fn every_compression_is_read_and_stopped_where_it_swells() {
        let mut header = Header::new_gnu();
        header.set_path("a").expect("short");
        header.set_size(2 * MOST);
        header.set_cksum();
        let swelling = [header.as_bytes().as_slice(), &vec![0; 4 << 20]].concat();
        for (program, arguments) in PROGRAMS {
            let Some(small) = packed(program, arguments, &of_files(&["m/sys/a"])) else { continue };
            let archive = Archive::read_up_to(MOST, small.as_slice()).expect(program);
            assert_eq!(archive.file("/sys/a", 0), Ok(Vec::new()), "{program}");
            let large = packed(program, arguments, &swelling).expect("as before");
            assert!(large.len() < 30_000, "{program}: {}", large.len());
            assert!(Archive::read_up_to(MOST, large.as_slice()).is_err(), "{program}");
            // A legacy frame of lz4 has no end that could be missing.
            let cut = Archive::read_up_to(MOST, &small[..small.len() / 2]);
            assert!(cut.is_err() || program == "lz4", "{program}, cut");
        }
        assert!(Archive::read_up_to(MOST, b"BZh9 and nothing of the kind".as_slice()).is_err());
    }

    #[test]
    fn an_archive_within_the_limit_is_read() {
        let mut tar = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(3);
        tar.append_data(&mut header, "a/b", b"abc".as_slice()).expect("writes");
        let bytes = tar.into_inner().expect("writes");
        let archive = Archive::read_up_to(MOST, bytes.as_slice()).expect("reads");
        assert_eq!(archive.file("/a/b", 3), Ok(b"abc".to_vec()));
        assert!(archive.file("/a/b", 2).is_err());
    }
}
