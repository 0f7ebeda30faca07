//! One thing known of a host, or why it is not known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a fact was read: a path of the host, and what stood there (shortened).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The path on the host that was looked at, absolute.
    pub path: String,
    /// What was found there, in one short line.
    pub value: String,
}

impl Evidence {
    /// Evidence of one path.
    pub fn new(path: impl Into<String>, value: impl Into<String>) -> Self {
        Self { path: path.into(), value: value.into() }
    }
}

/// How a reason ends where a file is there and only others may read it: then, and only then, it helps to be root.
pub const DENIED: &str = "may not be read by this user";

/// A thing known, with the file that said so, or unknown with the reason.
///
/// "The file is not there" is knowledge where absence has a meaning (no DMAR table: no VT-d offered); it is `Unknown`
/// only where the place itself could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// The value and where it came from.
    Known(T, Evidence),
    /// Why it could not be read, as the rest of the sentence "unknown, because …".
    Unknown(String),
}

impl<T> Fact<T> {
    /// A known fact.
    pub fn known(value: T, path: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::Known(value, Evidence::new(path, seen))
    }

    /// An unknown one.
    pub fn unknown(because: impl Into<String>) -> Self {
        Self::Unknown(because.into())
    }

    /// The value, where it is known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Known(value, _) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The evidence, where the value is known.
    pub fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Known(_, evidence) => Some(evidence),
            Self::Unknown(_) => None,
        }
    }

    /// Why it is unknown, where it is.
    pub fn because(&self) -> Option<&str> {
        match self {
            Self::Known(..) => None,
            Self::Unknown(because) => Some(because),
        }
    }
}
