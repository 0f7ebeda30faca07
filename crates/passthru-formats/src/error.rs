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

/// Why a file is not edited, and what its owner can do about that. The caller adds the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}; {cure}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct Refused {
    /// The line, counted from 1; `None` where it is the file as a whole.
    pub line: Option<usize>,
    /// What cannot be edited for certain.
    pub reason: String,
    /// What to do, as an instruction.
    pub cure: String,
}

impl Refused {
    /// A refusal that has a line, counted from 1.
    pub(crate) fn at(line: usize, reason: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { line: Some(line), reason: reason.into(), cure: cure.into() }
    }

    /// A refusal of the file as a whole.
    pub fn whole(reason: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { line: None, reason: reason.into(), cure: cure.into() }
    }
}

/// The text of a file that is to be edited. Bytes that are no text are refused, for they could not come back as they were.
pub fn utf8(bytes: &[u8]) -> Result<&str, Refused> {
    let line = |at: usize| 1 + bytes.iter().take(at).filter(|byte| **byte == b'\n').count();
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Refused::at(
            line(error.valid_up_to()),
            "not text in UTF-8",
            "write the line anew, or save the file as UTF-8",
        )
    })?;
    match text.find('\0') {
        Some(at) => {
            Err(Refused::at(line(at), "a NUL byte", "take it out, for most programs read no further"))
        }
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::utf8;

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_line() {
        assert_eq!(utf8("é\r\n".as_bytes()), Ok("é\r\n"));
        let message = |bytes| utf8(bytes).map_err(|refused| refused.to_string());
        assert_eq!(
            message(b"a\nb\xff"),
            Err("line 2: not text in UTF-8; write the line anew, or save the file as UTF-8".to_owned())
        );
        assert_eq!(
            message(b"a\0"),
            Err("line 1: a NUL byte; take it out, for most programs read no further".to_owned())
        );
    }
}
