//! The name of a guest, which is also a file's and a directory's.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest name. It becomes part of socket paths, which the kernel limits to 107 bytes.
pub const LONGEST: usize = 64;

/// A name made of letters, digits, `.`, `_` and `-`, that begins with a letter or digit.
///
/// It can be used as it is in paths, QEMU options, XML and terminals: nothing in it has a meaning there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct GuestName(String);

/// Why a text is no name for a guest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a guest needs a name")]
    Empty,
    /// Too long.
    #[error("a guest's name has at most {LONGEST} characters; this one has {0}")]
    TooLong(usize),
    /// A first character that would make it a hidden file, `..`, or an option.
    #[error("a guest's name begins with a letter or a digit; ‘{}’ does not", .0.escape_debug())]
    Start(String),
    /// A character outside the set. The text is shown escaped: it may hold terminal controls.
    #[error("a guest's name is made of letters, digits, ‘.’, ‘_’ and ‘-’; ‘{}’ has another character", .0.escape_debug())]
    Character(String),
}

impl GuestName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the file of its specification.
    pub fn file_name(&self) -> String {
        format!("{}.toml", self.0)
    }
}

impl FromStr for GuestName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        match text.chars().next() {
            None => Err(NameError::Empty),
            Some(_) if !text.chars().all(allowed) => Err(NameError::Character(text.to_owned())),
            Some(_) if text.len() > LONGEST => Err(NameError::TooLong(text.len())),
            Some(first) if !first.is_ascii_alphanumeric() => Err(NameError::Start(text.to_owned())),
            Some(_) => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for GuestName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<GuestName> for String {
    fn from(name: GuestName) -> Self {
        name.0
    }
}

impl fmt::Display for GuestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{GuestName, LONGEST, NameError};
    use proptest::prelude::*;

    #[test]
    fn names_that_would_mean_something_elsewhere_are_refused() {
        for text in
            ["", ".", "..", "-rf", ".hidden", "a/b", "a b", "a,b", "a\"b", "a\u{1b}[2J", "größe", "a\n"]
        {
            assert!(text.parse::<GuestName>().is_err(), "{text:?}");
        }
        assert_eq!("x".repeat(65).parse::<GuestName>(), Err(NameError::TooLong(65)));
    }

    #[test]
    fn a_terminal_escape_is_shown_and_not_obeyed() {
        let error = "a\u{1b}[2J".parse::<GuestName>().expect_err("not a name").to_string();
        assert!(error.chars().all(|c| !c.is_control()), "{error:?}");
    }

    proptest! {
        #[test]
        fn whatever_is_a_name_is_one_plain_path_component(text in ".{0,80}") {
            if let Ok(name) = text.parse::<GuestName>() {
                prop_assert_eq!(name.as_str(), text.as_str());
                prop_assert!(name.as_str().len() <= LONGEST);
                let path = std::path::Path::new(name.as_str());
                prop_assert_eq!(path.components().count(), 1);
                prop_assert!(matches!(path.components().next(), Some(std::path::Component::Normal(_))));
            }
        }

        #[test]
        fn plain_words_are_names(text in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}") {
            prop_assert!(text.parse::<GuestName>().is_ok());
        }
    }
}
