//! How the program ends: exit codes, and the one shape of an error that a user sees.

use std::fmt;

pub(crate) use passthru_model::causes::chain;

/// The documented exit codes (DESIGN, "The commands"; the help of `passthru` lists them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// A check failed, or the answer is no.
    No = 1,
    /// Wrong use.
    Usage = 2,
    /// Refused for safety.
    Refused = 3,
    /// The host changed since the plan was made.
    Drift = 4,
    /// A program failed; what was done has been rolled back.
    RolledBack = 5,
    /// Rolled back only in part.
    PartlyRolledBack = 6,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// An error as its user sees it: what went wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What, where and why, in one message.
    pub(crate) message: String,
    /// What to do, a line each.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    /// A failure without a hint.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hints: Vec::new() }
    }

    /// The answer is no.
    pub(crate) fn no(message: impl Into<String>) -> Self {
        Self::new(Exit::No, message)
    }

    /// The command was used wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// It would not be safe.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
