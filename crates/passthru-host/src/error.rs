//! Why something of a host could not be read.

use serde::{Deserialize, Serialize};

/// What stood in the way of reading a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadErrorKind {
    /// Nothing is there.
    NotFound,
    /// It is there, and this user may not read it.
    Denied,
    /// A part of the path is no directory, or what should be listed is none.
    NotADirectory,
    /// It holds more than this many bytes.
    TooLarge(u64),
    /// Anything else, in words.
    Other(String),
}

/// A path that could not be read, and why. Displays as a clause: "/x is not there".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} {}", self.kind.clause())]
pub struct ReadError {
    /// The path on the host, as it was asked for.
    pub path: String,
    /// What stood in the way.
    pub kind: ReadErrorKind,
}

/// A thing that is no host: neither a directory nor a capture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct OpenError {
    /// What was to be opened.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl ReadErrorKind {
    /// The rest of a sentence that begins with the path.
    pub fn clause(&self) -> String {
        match self {
            Self::NotFound => "is not there".to_owned(),
            Self::Denied => passthru_model::fact::DENIED.to_owned(),
            Self::NotADirectory => "is not a directory, or lies below something that is none".to_owned(),
            Self::TooLarge(limit) => format!("holds more than {limit} bytes"),
            Self::Other(reason) => format!("could not be read: {reason}"),
        }
    }

    /// The error of a path.
    pub(crate) fn at(self, path: &str) -> ReadError {
        ReadError { path: path.to_owned(), kind: self }
    }
}

impl ReadError {
    /// Whether nothing is there.
    pub fn is_not_found(&self) -> bool {
        self.kind == ReadErrorKind::NotFound
    }
}

impl From<rustix::io::Errno> for ReadErrorKind {
    fn from(errno: rustix::io::Errno) -> Self {
        use rustix::io::Errno;
        match errno {
            Errno::NOENT => Self::NotFound,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::NOTDIR => Self::NotADirectory,
            other => Self::Other(std::io::Error::from(other).to_string()),
        }
    }
}

impl From<ReadError> for String {
    fn from(error: ReadError) -> Self {
        error.to_string()
    }
}
