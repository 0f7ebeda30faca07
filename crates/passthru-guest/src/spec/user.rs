//! `run-as`: the user that QEMU becomes.

use std::fmt;
use std::str::FromStr;

use passthru_model::host_settings;
use serde::Deserialize;

/// The name of a user of the host, who is not root.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct UserName(host_settings::UserName);

/// Why a text is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// Root.
    #[error("QEMU runs as root by itself where root starts it; leave the key out")]
    Root,
    /// Other than names are.
    #[error(
        "a user's name has up to 32 letters of ASCII, digits, dots, dashes and underscores, and begins with a letter or an underscore"
    )]
    Shape,
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(text: &str) -> Result<Self, UserNameError> {
        if text == "root" {
            return Err(UserNameError::Root);
        }
        text.parse().map(Self).map_err(|_| UserNameError::Shape)
    }
}

impl TryFrom<String> for UserName {
    type Error = UserNameError;

    fn try_from(text: String) -> Result<Self, UserNameError> {
        text.parse()
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{UserName, UserNameError};
    use proptest::prelude::*;

    #[test]
    fn names_of_users_are_taken_and_nothing_that_qemu_would_read_otherwise() {
        for name in ["libvirt-qemu", "qemu", "_vm", "alice.b"] {
            assert_eq!(name.parse::<UserName>().expect("a name").to_string(), name);
        }
        assert_eq!("root".parse::<UserName>(), Err(UserNameError::Root));
        for no in ["", "0:0", "1000", "-x", "a,b", "a b", "ä", "a\u{1b}", &"a".repeat(33)] {
            assert_eq!(no.parse::<UserName>(), Err(UserNameError::Shape), "{no}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_kept_as_it_is(text in ".{0,40}") {
            if let Ok(name) = text.parse::<UserName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
