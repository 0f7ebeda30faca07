//! The hosts: captures of the laboratory, data of real machines, and published files laid on a capture.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use passthru_formats::compression::Compression;
use passthru_host::{Host, gather};
use passthru_model::HostFacts;

/// A host by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Base {
    /// A capture that `cargo xtask lab record` made: `fixtures/captures/SCENARIO/NAME.tar.gz`.
    Lab(String),
    /// Data of a real machine: a file or folder below `corpora`.
    Real(String),
}

/// A published file below `corpora`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Published {
    /// The file, below `corpora` or in an archive.
    pub(crate) file: String,
    /// The archive below `corpora` that has it: files of one real machine.
    pub(crate) archive: Option<String>,
}

/// A host of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum On {
    /// One as it is.
    Base(Base),
    /// One with a published file that it had not, or had another of.
    Laid {
        /// The file.
        file: Published,
        /// Where it is laid, without the leading slash; below the one directory that is above everything, where the host has one.
        at: String,
        /// The host.
        base: Base,
    },
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lab(name) => write!(f, "lab {name}"),
            Self::Real(name) => write!(f, "{name}"),
        }
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base(base) => write!(f, "{base}"),
            Self::Laid { file: Published { file, archive: None }, base, .. } => write!(f, "{file} on {base}"),
            Self::Laid { file: Published { file, archive: Some(archive) }, base, .. } => {
                write!(f, "{file} in {archive} on {base}")
            }
        }
    }
}

impl On {
    /// Whether it takes the folder of real machines' data, which is not part of the project.
    pub(crate) fn takes_corpora(&self) -> bool {
        !matches!(self, Self::Base(Base::Lab(_)))
    }

    /// What is known of it.
    pub(crate) fn facts(&self) -> HostFacts {
        let host = match self {
            Self::Base(base) => Host::open(&base.path()).expect("opens"),
            Self::Laid { file, at, base } => {
                Host::from_archive(laid(base.unpacked(), at, &file.bytes()).as_slice()).expect("opens")
            }
        };
        gather(&host)
    }
}

impl Published {
    fn bytes(&self) -> Vec<u8> {
        match &self.archive {
            None => std::fs::read(corpora().join(&self.file)).expect("reads"),
            Some(archive) => {
                let host = Host::open(&corpora().join(archive)).expect("opens");
                host.read(&format!("/{}", self.file)).expect("has it")
            }
        }
    }
}

impl Base {
    fn path(&self) -> PathBuf {
        let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/captures");
        match self {
            Self::Lab(name) => captures.join(name).with_extension("tar.gz"),
            Self::Real(name) => corpora().join(name),
        }
    }

    /// Its tar archive, for files to be laid on.
    pub(crate) fn unpacked(&self) -> Vec<u8> {
        let packed = std::fs::read(self.path()).expect("reads");
        let kind = Compression::of(&packed).expect("is compressed");
        let mut bytes = Vec::new();
        kind.unpack(packed.as_slice()).and_then(|mut tar| tar.read_to_end(&mut bytes)).expect("unpacks");
        bytes
    }
}

/// The folder of real machines' data.
pub(crate) fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora")
}

/// An archive with one more file at its end, where it counts more than one of the same path before.
pub(crate) fn laid(mut bytes: Vec<u8>, at: &str, file: &[u8]) -> Vec<u8> {
    let mut archive = tar::Archive::new(bytes.as_slice());
    let end = archive
        .entries()
        .expect("reads")
        .map(|entry| {
            let entry = entry.expect("an entry");
            entry.raw_file_position() + entry.size().next_multiple_of(512)
        })
        .last()
        .expect("has entries");
    bytes.truncate(usize::try_from(end).expect("fits"));
    let mut out = tar::Builder::new(bytes);
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(u64::try_from(file.len()).expect("fits"));
    out.append_data(&mut header, at, file).expect("fits");
    out.into_inner().expect("ends")
}

/// A word to whoever reads the tests' output.
pub(crate) fn say(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}
