//! `run-as`: whom QEMU becomes.

use std::fmt;
use std::str::FromStr;

use passthru_model::host_settings::UserName;
use serde::Deserialize;

/// The account that QEMU has while the guest runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Account {
    /// Root's: QEMU keeps all of its rights.
    Root,
    /// That of a user who is not root.
    User(UserName),
}

/// A text is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user's name has up to 32 letters of ASCII, digits, dots, dashes and underscores, and begins with a letter or an underscore"
)]
pub struct AccountError;

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        match text {
            "root" => Ok(Self::Root),
            name => name.parse().map(Self::User).map_err(|_| AccountError),
        }
    }
}

impl TryFrom<String> for Account {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Self, AccountError> {
        text.parse()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::User(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, AccountError};
    use proptest::prelude::*;

    #[test]
    fn names_of_users_are_taken_and_nothing_that_qemu_would_read_otherwise() {
        for name in ["libvirt-qemu", "qemu", "_vm", "alice.b"] {
            assert!(matches!(name.parse(), Ok(Account::User(user)) if user.to_string() == name), "{name}");
        }
        assert_eq!("root".parse(), Ok(Account::Root));
        for no in ["", "0:0", "1000", "-x", "a,b", "a b", "ä", "a\u{1b}", &"a".repeat(33)] {
            assert_eq!(no.parse::<Account>(), Err(AccountError), "{no}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_kept_as_it_is(text in ".{0,40}") {
            if let Ok(name) = text.parse::<Account>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
