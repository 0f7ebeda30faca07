//! Cuts a shell file into words and operators, with the place of every character.

use std::ops::Range;

use super::ShellError;

/// How a piece of a word is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    None,
    Single,
    Double,
}

/// One piece of a word after quotes are taken off.
#[derive(Clone, Debug)]
pub(super) enum Unit {
    /// A character, and the bytes that write it (two for `\"`).
    Char { c: char, raw: Range<usize>, quote: Quote },
    /// `$NAME` or `${NAME}`.
    Reference { name: String, raw: Range<usize>, quote: Quote },
    /// An expansion that only a running shell can do.
    Dynamic { raw: Range<usize> },
}

/// A word.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// All bytes of it, quotes included.
    pub(super) raw: Range<usize>,
    /// What it says.
    pub(super) units: Vec<Unit>,
    /// Where text goes if the word says nothing: inside its first quotes, or at its place.
    pub(super) inside: (usize, Quote),
}

impl Word {
    /// Its text, where it is written without quotes and says the same in every shell.
    pub(super) fn plain<'a>(&self, text: &'a str) -> Option<&'a str> {
        let bare = |unit: &Unit| matches!(unit, Unit::Char { raw, quote: Quote::None, .. } if raw.len() == 1);
        let raw = &text[self.raw.clone()];
        (self.units.len() == raw.len() && self.units.iter().all(bare)).then_some(raw)
    }
}

/// A piece of the file.
#[derive(Clone, Debug)]
pub(super) enum Lexeme {
    Word(Word),
    /// `;`, `&&`, `(`, `<<` and their like.
    Operator(Range<usize>),
    Newline(usize),
}

impl Lexeme {
    pub(super) fn start(&self) -> usize {
        match self {
            Self::Word(word) => word.raw.start,
            Self::Operator(range) => range.start,
            Self::Newline(at) => *at,
        }
    }

    pub(super) fn end(&self) -> usize {
        match self {
            Self::Word(word) => word.raw.end,
            Self::Operator(range) => range.end,
            Self::Newline(at) => at + 1,
        }
    }
}

/// The line of a byte, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

const OPERATORS: [&str; 18] =
    ["<<<", "<<-", ";;&", "&&", "||", ";;", ";&", "<<", ">>", "<&", ">&", ";", "&", "|", "(", ")", "<", ">"];

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Reads the whole file.
    pub(super) fn all(mut self) -> Result<Vec<Lexeme>, ShellError> {
        if let Some(at) = self.text.find('\0') {
            return Err(ShellError::Nul { line: line_of(self.text, at) });
        }
        let mut lexemes = Vec::new();
        while let Some(c) = self.peek() {
            if c == ' ' || c == '\t' {
                self.at += 1;
            } else if self.rest().starts_with("\\\n") {
                self.at += 2;
            } else if c == '#' {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            } else if c == '\n' {
                lexemes.push(Lexeme::Newline(self.at));
                self.at += 1;
            } else if let Some(operator) = OPERATORS.iter().find(|one| self.rest().starts_with(**one)) {
                lexemes.push(Lexeme::Operator(self.at..self.at + operator.len()));
                self.at += operator.len();
            } else {
                lexemes.push(Lexeme::Word(self.word()?));
            }
        }
        Ok(lexemes)
    }

    fn word(&mut self) -> Result<Word, ShellError> {
        let start = self.at;
        let mut units = Vec::new();
        let mut inside = None;
        while let Some(c) = self.peek() {
            let at = self.at;
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\\' => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n') => self.at += 1,
                        next => {
                            // A backslash at the very end of a file stands for itself.
                            self.at += next.map_or(0, char::len_utf8);
                            let c = next.unwrap_or('\\');
                            units.push(Unit::Char { c, raw: at..self.at, quote: Quote::None });
                        }
                    }
                }
                '\'' => {
                    let length = self.text[at + 1..].find('\'').ok_or_else(|| self.unterminated(at))?;
                    inside = inside.or(Some((at + 1, Quote::Single)));
                    units.extend(self.text[at + 1..at + 1 + length].char_indices().map(|(offset, c)| {
                        let from = at + 1 + offset;
                        Unit::Char { c, raw: from..from + c.len_utf8(), quote: Quote::Single }
                    }));
                    self.at = at + length + 2;
                }
                '"' => {
                    inside = inside.or(Some((at + 1, Quote::Double)));
                    self.double_quoted(&mut units)?;
                }
                '$' | '`' => units.push(self.expansion(Quote::None)?),
                '~' if tilde_expands(&units) => {
                    self.at += 1;
                    units.push(Unit::Dynamic { raw: at..self.at });
                }
                _ => {
                    self.at += c.len_utf8();
                    units.push(Unit::Char { c, raw: at..self.at, quote: Quote::None });
                }
            }
        }
        Ok(Word { raw: start..self.at, units, inside: inside.unwrap_or((self.at, Quote::None)) })
    }

    fn double_quoted(&mut self, units: &mut Vec<Unit>) -> Result<(), ShellError> {
        let opened = self.at;
        self.at += 1;
        loop {
            let at = self.at;
            let c = self.peek().ok_or_else(|| self.unterminated(opened))?;
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(());
                }
                '\\' => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n') => self.at += 1,
                        Some(c @ ('$' | '`' | '"' | '\\')) => {
                            self.at += 1;
                            units.push(Unit::Char { c, raw: at..self.at, quote: Quote::Double });
                        }
                        // Ahead of any other character the backslash stands for itself.
                        _ => units.push(Unit::Char { c, raw: at..self.at, quote: Quote::Double }),
                    }
                }
                '$' | '`' => units.push(self.expansion(Quote::Double)?),
                _ => {
                    self.at += c.len_utf8();
                    units.push(Unit::Char { c, raw: at..self.at, quote: Quote::Double });
                }
            }
        }
    }

    /// Reads what begins with `$` or a backquote.
    fn expansion(&mut self, quote: Quote) -> Result<Unit, ShellError> {
        let at = self.at;
        let rest = self.rest();
        let name_length = |text: &str| {
            let length = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
            if text.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { length }
        };
        if rest.starts_with('`') {
            self.at += 1;
            self.skip_to('`')?;
        } else if rest.starts_with("$(") {
            self.at += 2;
            self.skip_nested(')')?;
        } else if let Some(inner) = rest.strip_prefix("${") {
            let length = name_length(inner);
            if length > 0 && inner[length..].starts_with('}') {
                self.at += length + 3;
                return Ok(Unit::Reference { name: inner[..length].to_owned(), raw: at..self.at, quote });
            }
            self.at += 2;
            self.skip_nested('}')?;
        } else if quote == Quote::None && rest.starts_with("$'") {
            self.at += 2;
            self.skip_to('\'')?;
        } else if quote == Quote::None && rest.starts_with("$\"") {
            self.at += 1;
            self.double_quoted(&mut Vec::new())?;
        } else {
            let length = name_length(&rest[1..]);
            self.at += 1 + length;
            // A line that goes on inside a name or right after it could make it another name.
            if self.rest().starts_with("\\\n") {
                return Ok(Unit::Dynamic { raw: at..self.at });
            }
            if length > 0 {
                return Ok(Unit::Reference { name: rest[1..=length].to_owned(), raw: at..self.at, quote });
            }
            match rest[1..].chars().next() {
                Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => self.at += 1,
                // A lone dollar stands for itself.
                _ => return Ok(Unit::Char { c: '$', raw: at..self.at, quote }),
            }
        }
        Ok(Unit::Dynamic { raw: at..self.at })
    }

    /// Goes past the next `end` that no backslash precedes.
    fn skip_to(&mut self, end: char) -> Result<(), ShellError> {
        let opened = self.at - 1;
        let mut escaped = false;
        for (offset, c) in self.rest().char_indices() {
            if c == end && !escaped {
                self.at += offset + c.len_utf8();
                return Ok(());
            }
            escaped = c == '\\' && !escaped;
        }
        Err(self.unterminated(opened))
    }

    /// Goes past the `end` that closes what was opened, over quotes and over what is nested in it.
    ///
    /// Without recursion: a hostile file could nest deeper than the stack is.
    fn skip_nested(&mut self, end: char) -> Result<(), ShellError> {
        let opened = self.at - 1;
        let mut closers = vec![end];
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            let quoted = closers.last() == Some(&'"');
            match c {
                '\\' => self.at += self.peek().map_or(0, char::len_utf8),
                '\'' if !quoted => self.skip_to_plain('\'', opened)?,
                '`' => self.skip_to('`')?,
                '"' if !quoted => closers.push('"'),
                '(' if !quoted => closers.push(')'),
                '{' if !quoted => closers.push('}'),
                '$' if quoted && self.rest().starts_with('(') => {
                    self.at += 1;
                    closers.push(')');
                }
                '$' if quoted && self.rest().starts_with('{') => {
                    self.at += 1;
                    closers.push('}');
                }
                _ if closers.last() == Some(&c) => {
                    closers.pop();
                    if closers.is_empty() {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
        Err(self.unterminated(opened))
    }

    fn skip_to_plain(&mut self, end: char, opened: usize) -> Result<(), ShellError> {
        let length = self.rest().find(end).ok_or_else(|| self.unterminated(opened))?;
        self.at += length + end.len_utf8();
        Ok(())
    }

    fn unterminated(&self, opened: usize) -> ShellError {
        ShellError::Unterminated { line: line_of(self.text, opened) }
    }
}

/// Whether a tilde at this place of a word stands for a home directory: first in a value, or after a colon.
fn tilde_expands(before: &[Unit]) -> bool {
    match before.last() {
        None => true,
        Some(Unit::Char { c, quote: Quote::None, raw }) => raw.len() == 1 && matches!(c, '=' | ':'),
        Some(_) => false,
    }
}
