//! One change of one word, made to a command line that a file may hold in several pieces.

use super::{CommandLine, append, remove, replace};
use crate::error::Refused;

/// A text that is exactly one word of a kernel command line, and no more than a word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parameter(String);

/// A text that would be no word, or more than one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "‘{0}’ is not one kernel parameter: give one word, with double quotes around a value that has blanks"
)]
pub struct NotAParameter(String);

impl Parameter {
    /// Takes a word such as `intel_iommu=on` or `dyndbg="file x +p"`.
    pub fn new(text: &str) -> Result<Self, NotAParameter> {
        let words: Vec<&str> = CommandLine::new(text).words().map(super::Token::text).collect();
        let closed = text.matches('"').count().is_multiple_of(2);
        let fine = words == [text] && text != "--" && closed && !text.chars().any(char::is_control);
        if fine { Ok(Self(text.to_owned())) } else { Err(NotAParameter(text.to_owned())) }
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is done to one word. Other words stay as they are, where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds it after the others, ahead of `--`, unless it stands there exactly so.
    Add(Parameter),
    /// Takes it out wherever it is written exactly so.
    Remove(Parameter),
    /// Writes it in another way wherever it is written exactly so.
    Replace {
        /// As it is written.
        old: Parameter,
        /// As it is to be written.
        new: Parameter,
    },
}

/// A piece of a command line, and the line of the file that it begins on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) line: usize,
    pub(crate) value: String,
}

impl Change {
    /// Makes the change to the pieces that are one command line together, in this order.
    ///
    /// A quote that is open at the end of a piece is refused: what is added would be part of the quoted text. There must be a
    /// piece for something to be added.
    pub(crate) fn make(&self, pieces: &mut [Piece]) -> Result<(), Refused> {
        if let Some(open) = pieces.iter().find(|piece| !piece.value.matches('"').count().is_multiple_of(2)) {
            return Err(Refused::at(
                open.line,
                "a double quote is opened and not closed on the line",
                "close it on the same line",
            ));
        }
        // What follows `--` is init's, in all pieces.
        let ends = |piece: &Piece| CommandLine::new(&piece.value).words().any(|word| word.text() == "--");
        let end = pieces.iter().position(ends).map_or(pieces.len(), |at| at + 1);
        let pieces = &mut pieces[..end];
        match self {
            Self::Add(new) => {
                let there = pieces.iter().any(|piece| append(&piece.value, new.as_str()).is_none());
                if let (false, Some(last)) = (there, pieces.last_mut())
                    && let Some(splice) = append(&last.value, new.as_str())
                {
                    last.value = splice.apply(&last.value);
                }
            }
            Self::Remove(old) => {
                for Piece { value, .. } in pieces {
                    while let Some(splice) = remove(value, old.as_str()) {
                        *value = splice.apply(value);
                    }
                }
            }
            Self::Replace { old, new } if old != new => {
                for Piece { value, .. } in pieces {
                    while let Some(splice) = replace(value, old.as_str(), new.as_str()) {
                        *value = splice.apply(value);
                    }
                }
            }
            Self::Replace { .. } => {}
        }
        Ok(())
    }
}

/// The text with these parts of it, which do not overlap and are in order, written anew.
pub(crate) fn with_parts(
    text: &str,
    parts: impl IntoIterator<Item = (std::ops::Range<usize>, String)>,
) -> String {
    let mut written = String::with_capacity(text.len() + 32);
    let mut at = 0;
    for (range, new) in parts {
        written.push_str(text.get(at..range.start).unwrap_or_default());
        written.push_str(&new);
        at = range.end;
    }
    written.push_str(text.get(at..).unwrap_or_default());
    written
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Change, Parameter, Piece};

    pub(crate) fn parameter(text: &str) -> Parameter {
        Parameter::new(text).expect("one parameter")
    }

    pub(crate) fn add(text: &str) -> Change {
        Change::Add(parameter(text))
    }

    pub(crate) fn remove(text: &str) -> Change {
        Change::Remove(parameter(text))
    }

    pub(crate) fn replace(old: &str, new: &str) -> Change {
        Change::Replace { old: parameter(old), new: parameter(new) }
    }

    fn made(change: &Change, values: &[&str]) -> Vec<String> {
        let mut pieces: Vec<Piece> = values
            .iter()
            .enumerate()
            .map(|(index, value)| Piece { line: index + 1, value: (*value).to_owned() })
            .collect();
        change.make(&mut pieces).expect("its quotes are closed");
        pieces.into_iter().map(|piece| piece.value).collect()
    }

    #[test]
    fn a_parameter_is_one_word() {
        for text in ["quiet", "dyndbg=\"file x +p\"", "\"a b=c\"", "é=1"] {
            assert_eq!(Parameter::new(text).map(|one| one.as_str().to_owned()), Ok(text.to_owned()));
        }
        for text in ["", " ", "a b", " a", "a\n", "--", "a=\"b", "a\u{1b}[m"] {
            assert!(Parameter::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_pieces_of_a_line_are_one_line() {
        assert_eq!(made(&add("x"), &["a", "b"]), ["a", "b x"]);
        assert_eq!(made(&add("a"), &["a", "b"]), ["a", "b"]);
        assert_eq!(made(&add("x"), &["a -- i", "x"]), ["a x -- i", "x"], "what follows -- is for init");
        assert_eq!(made(&remove("x"), &["x a x", "x=1 x", "-- x"]), ["a", "x=1", "-- x"]);
        assert_eq!(made(&replace("x", "y"), &["x a", "x x"]), ["y a", "y y"]);
        assert_eq!(made(&replace("x", "x"), &["x"]), ["x"]);
    }

    #[test]
    fn an_open_quote_is_refused_with_its_line() {
        let mut pieces =
            [(1, "a"), (3, "b=\"c d")].map(|(line, value)| Piece { line, value: value.to_owned() });
        let refused = add("x").make(&mut pieces).expect_err("a quote is open");
        assert_eq!(
            refused.to_string(),
            "line 3: a double quote is opened and not closed on the line; close it on the same line"
        );
    }
}
