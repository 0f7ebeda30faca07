//! The hosts: captures of the laboratory, data of real machines, and published files laid on a capture.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use passthru_host::{Host, gather};
use passthru_model::HostFacts;

/// A host of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum On {
    /// A capture that `cargo xtask lab record` made: `fixtures/captures/SCENARIO/NAME.tar.gz`.
    Lab(String),
    /// Data of a real machine: a file or folder below `corpora`.
    Real(String),
    /// A published file below `corpora`, laid at a path of the capture of a host that has none there.
    Laid {
        /// The file below `corpora`.
        file: String,
        /// Where it is laid, without the leading slash.
        at: String,
        /// The capture, as in [`On::Lab`], or `workstation`, the host among the fixtures.
        on: String,
    },
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lab(name) => write!(f, "lab {name}"),
            Self::Real(name) => write!(f, "{name}"),
            Self::Laid { file, on, .. } => write!(f, "{file} on {on}"),
        }
    }
}

impl On {
    /// Whether it takes the folder of real machines' data, which is not part of the project.
    pub(crate) fn takes_corpora(&self) -> bool {
        !matches!(self, Self::Lab(_))
    }

    /// What is known of it.
    pub(crate) fn facts(&self) -> HostFacts {
        let host = match self {
            Self::Lab(name) => Host::open(&lab(name)),
            Self::Real(name) => Host::open(&corpora().join(name)),
            Self::Laid { file, at, on } => {
                let bytes = std::fs::read(corpora().join(file)).expect("reads");
                Ok(Host::from_archive(laid(unpacked(on), at, &bytes).as_slice()).expect("opens"))
            }
        };
        gather(&host.expect("opens"))
    }
}

fn lab(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/captures").join(name).with_extension("tar.gz")
}

/// The folder of real machines' data.
pub(crate) fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora")
}

/// A tar archive of a host that files are laid on.
pub(crate) fn unpacked(on: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if on == "workstation" {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hosts/workstation");
        let mut out = tar::Builder::new(bytes);
        out.follow_symlinks(false);
        out.append_dir_all("", folder).expect("packs");
        return out.into_inner().expect("ends");
    }
    let packed = std::fs::File::open(lab(on)).expect("opens");
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).expect("unpacks");
    bytes
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
