//! The ACS override, a parameter that only patched kernels know.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hex::PciId;

/// The words of `pcie_acs_override=`, a parameter that only patched kernels know.
///
/// It makes the kernel believe that devices keep others apart where nothing says that they do. A device that has Access
/// Control Services, or is not PCI Express, is never changed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct AcsOverride {
    /// `downstream`: root ports and switches' downstream ports.
    pub downstream: bool,
    /// `multifunction`: endpoints and upstream ports that are one of several functions.
    pub multifunction: bool,
    /// `id:vvvv:dddd`: devices by their PCI ID.
    pub ids: Vec<PciId>,
}

/// Why a text is no list of words for the override.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("‘{0}’ is not a word of the ACS override: it knows downstream, multifunction and id:vvvv:dddd")]
pub struct OverrideError(String);

impl FromStr for AcsOverride {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        let mut found = Self { downstream: false, multifunction: false, ids: Vec::new() };
        for word in text.split(',') {
            match word.strip_prefix("id:") {
                Some(id) => found.ids.push(id.parse().map_err(|_| OverrideError(word.to_owned()))?),
                None if word == "downstream" => found.downstream = true,
                None if word == "multifunction" => found.multifunction = true,
                None => return Err(OverrideError(word.to_owned())),
            }
        }
        Ok(found)
    }
}

impl fmt::Display for AcsOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.downstream {
            words.push("downstream".to_owned());
        }
        if self.multifunction {
            words.push("multifunction".to_owned());
        }
        words.extend(self.ids.iter().map(|id| format!("id:{id}")));
        f.write_str(&words.join(","))
    }
}

impl TryFrom<String> for AcsOverride {
    type Error = OverrideError;

    fn try_from(text: String) -> Result<Self, OverrideError> {
        text.parse()
    }
}

impl From<AcsOverride> for String {
    fn from(words: AcsOverride) -> Self {
        words.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::AcsOverride;

    #[test]
    fn the_words_of_the_override_are_read_and_written_back() {
        for text in ["downstream", "multifunction", "downstream,multifunction,id:8086:a110", "id:10de:13c2"] {
            assert_eq!(text.parse::<AcsOverride>().map(|read| read.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "down", "id:8086", "downstream,", "downstream, multifunction"] {
            assert!(text.parse::<AcsOverride>().is_err(), "{text}");
        }
    }
}
