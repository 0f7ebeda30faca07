//! The kernel command line: words, what they mean, and edits of one word at a time.
//!
//! Words are cut as the kernel cuts them (`lib/cmdline.c`, `next_arg`): blanks separate, double quotes keep blanks
//! together. In names `-` and `_` are the same letter (`kernel/params.c`, `parameq`). What follows a word `--` belongs to
//! init and is no parameter of the kernel. Nothing here sorts, joins or rewrites: the order of words has a meaning
//! (`console=`, for one), and a user's spelling is his own.

use std::ops::Range;

pub(crate) mod change;

pub use change::{Change, NotAParameter, Parameter};
pub(crate) use change::{Piece, with_parts};

/// One word of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Token<'a> {
    /// The word as it is written, with its quotes.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// Where it stands: bytes of the whole text.
    pub fn range(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// The word without the quotes around the whole of it, and where its `=` is.
    fn parts(self) -> (&'a str, Option<usize>) {
        let inner = match self.text.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"').unwrap_or(rest),
            None => self.text,
        };
        // The kernel takes a leading `=` for part of the name.
        (inner, inner.find('=').filter(|at| *at > 0))
    }

    /// The part before the first `=`, or the whole word.
    pub fn name(self) -> &'a str {
        let (inner, equals) = self.parts();
        equals.map_or(inner, |at| &inner[..at])
    }

    /// The part after the first `=` without its quotes; `None` where there is no `=`.
    pub fn value(self) -> Option<&'a str> {
        let (inner, equals) = self.parts();
        let value = &inner[equals? + 1..];
        Some(match value.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"').unwrap_or(rest),
            None => value,
        })
    }

    /// Whether it sets the parameter of this name.
    pub fn is_named(self, name: &str) -> bool {
        same_name(self.name(), name)
    }
}

/// Whether two names are one parameter: `-` and `_` are the same letter.
pub fn same_name(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte };
    one.len() == other.len() && one.bytes().map(plain).eq(other.bytes().map(plain))
}

/// A command line that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct CommandLine<'a> {
    text: &'a str,
}

impl<'a> CommandLine<'a> {
    /// Looks at a text, such as that of `/proc/cmdline`.
    pub fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// All words, those for init included, in order.
    pub fn words(self) -> impl Iterator<Item = Token<'a>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = &self.text[at..];
            let start = at + rest.find(|c: char| !c.is_ascii_whitespace())?;
            let mut quoted = false;
            let length = self.text[start..]
                .find(|c: char| {
                    quoted ^= c == '"';
                    c.is_ascii_whitespace() && !quoted
                })
                .unwrap_or(self.text.len() - start);
            at = start + length;
            Some(Token { text: &self.text[start..at], start })
        })
    }

    /// The words that the kernel reads: those before `--`.
    pub fn parameters(self) -> impl Iterator<Item = Token<'a>> {
        self.words().take_while(|word| word.text() != "--")
    }

    /// Whether a parameter is there, with any value or none.
    pub fn has(self, name: &str) -> bool {
        self.parameters().any(|word| word.is_named(name))
    }

    /// The value of the last parameter of this name; `None` where it is not there or has none.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.parameters().filter(|word| word.is_named(name)).last()?.value()
    }

    /// The items of the comma lists of all parameters of this name, in order: `intel_iommu=on,sm_on` has two.
    pub fn items(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.parameters()
            .filter(move |word| word.is_named(name))
            .filter_map(Token::value)
            .flat_map(|value| value.split(','))
    }

    /// Whether a word stands there exactly so, before `--` or after it.
    pub fn has_word(self, exact: &str) -> bool {
        self.words().any(|word| word.text() == exact)
    }

    /// Whether `passthru.off` (or `passthru.off=1`) turns our binding at boot off. Read as the early script reads it.
    pub fn is_passthru_off(self) -> bool {
        self.has_word("passthru.off") || self.has_word("passthru.off=1")
    }
}

/// A piece of text to put in the place of another: the smallest change that an edit makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// The bytes that go.
    pub range: Range<usize>,
    /// What comes in their place.
    pub text: String,
}

impl Splice {
    /// The text with this change made.
    pub fn apply(&self, text: &str) -> String {
        format!("{}{}{}", &text[..self.range.start], self.text, &text[self.range.end..])
    }
}

/// How to add a parameter after the others, ahead of `--`; `None` where it stands there already, exactly so.
pub fn append(text: &str, token: &str) -> Option<Splice> {
    let line = CommandLine::new(text);
    if line.parameters().any(|word| word.text() == token) {
        return None;
    }
    let for_init = line.words().find(|word| word.text() == "--");
    let last = line.parameters().last();
    let (at, text) = match (for_init, last) {
        (None, _) if text.is_empty() => (0, token.to_owned()),
        (None, _) => (text.len(), format!(" {token}")),
        (Some(_), Some(last)) => (last.range().end, format!(" {token}")),
        (Some(init), None) if init.range().start == 0 => (0, format!("{token} ")),
        (Some(_), None) => (0, format!(" {token}")),
    };
    Some(Splice { range: at..at, text })
}

/// How to take out the first parameter that is written exactly so, with one blank beside it.
pub fn remove(text: &str, token: &str) -> Option<Splice> {
    let word = CommandLine::new(text).parameters().find(|word| word.text() == token)?;
    let Range { start, end } = word.range();
    let blank = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    let range = if start > 0 && blank(text.as_bytes().get(start - 1)) {
        start - 1..end
    } else if blank(text.as_bytes().get(end)) {
        start..end + 1
    } else {
        start..end
    };
    Some(Splice { range, text: String::new() })
}

/// How to write the first parameter that is written exactly so in another way.
pub fn replace(text: &str, token: &str, new: &str) -> Option<Splice> {
    let word = CommandLine::new(text).parameters().find(|word| word.text() == token)?;
    Some(Splice { range: word.range(), text: new.to_owned() })
}

/// A word of a comma list without one of its items; `None`: nothing is left, or the word is no such list.
pub fn without_item(token: &str, item: &str) -> Option<String> {
    let (name, value) = token.split_once('=')?;
    let left: Vec<&str> = value.split(',').filter(|one| *one != item).collect();
    (!left.is_empty()).then(|| format!("{name}={}", left.join(",")))
}

#[cfg(test)]
mod tests;
