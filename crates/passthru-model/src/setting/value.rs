//! What a place of the running kernel holds.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cpu_set::CpuSet;

/// A value in the one form that each value has, so that equal values are equal texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Value(String);

/// Why a text is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("‘{}’ is no value of the kernel's: it has characters that no such value has", .0.escape_debug())]
pub struct NoValue(String);

impl Value {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A word that is a value of some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Of a governor, or of a preference: as fast as can be.
    Performance,
    /// Of a control group: it is there.
    Made,
    /// Of a partition: none.
    Member,
    /// Of a partition: the CPUs are the group's alone.
    Root,
    /// Of a controller: handed down.
    On,
    /// Of a controller: not handed down.
    Off,
}

impl From<Word> for Value {
    fn from(word: Word) -> Self {
        let text = match word {
            Word::Performance => "performance",
            Word::Made => "made",
            Word::Member => "member",
            Word::Root => "root",
            Word::On => "on",
            Word::Off => "off",
        };
        Self(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl From<&CpuSet> for Value {
    fn from(cpus: &CpuSet) -> Self {
        Self(cpus.to_string())
    }
}

impl TryFrom<String> for Value {
    type Error = NoValue;

    fn try_from(text: String) -> Result<Self, NoValue> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ,-_.()".contains(&byte));
        if plain && text.trim() == text { Ok(Self(text)) } else { Err(NoValue(text)) }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "nothing" } else { &self.0 })
    }
}
