//! What is wrong with a text, and on which line.

/// A text that is not what it should be. The caller adds the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of {what}: {reason}")]
pub struct FormatError {
    /// The kind of text, such as `mountinfo`.
    pub what: &'static str,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl FormatError {
    /// An error on a line, counted from 1.
    pub(crate) fn new(what: &'static str, line: usize, reason: impl Into<String>) -> Self {
        Self { what, line, reason: reason.into() }
    }
}
