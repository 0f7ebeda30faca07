//! Edits of the words in the value of a variable, inside the quotes that are there.

use std::ops::Range;

use super::lexer::{Quote, Unit, Word};
use super::statements::{Assignment, Statement, base, identifiers, may_assign, may_set_anything};
use super::{ShellError, ShellFile, dynamic};
use crate::cmdline::{self, Splice};

/// Stands for `$NAME` while a value is looked at as words; no parameter of a kernel holds it.
const REFERENCE: char = '\u{fffc}';

impl ShellFile<'_> {
    /// The file with a word added at the end of a variable's value (ahead of `--`), as `cmdline::append` does.
    ///
    /// The text comes back as it is where the word stands there already.
    pub fn append(&self, name: &str, token: &str) -> Result<String, ShellError> {
        let assignments = self.editable(name, token)?;
        let last = assignments.last().ok_or_else(|| ShellError::NotAssigned { name: name.to_owned() })?;
        if assignments.iter().any(|one| cmdline::append(&decoded(&one.value), token).is_none()) {
            return Ok(self.text.to_owned());
        }
        if decoded(&last.value).matches('"').count() % 2 == 1 {
            return Err(ShellError::OpenQuote {
                name: name.to_owned(),
                line: self.line(last.value.raw.start),
            });
        }
        match cmdline::append(&decoded(&last.value), token) {
            // An empty `NAME+=` adds to a value whose last word would run into the new one.
            Some(splice) if last.append && last.value.units.is_empty() => {
                self.spliced(&last.value, &Splice { text: format!(" {token}"), ..splice })
            }
            Some(splice) => self.spliced(&last.value, &splice),
            None => Ok(self.text.to_owned()),
        }
    }

    /// The file without a word in a variable's value, wherever the value comes from in this file.
    pub fn remove(&self, name: &str, token: &str) -> Result<String, ShellError> {
        self.change(name, token, &|value| cmdline::remove(value, token))
    }

    /// The file with a word of a variable's value written in another way.
    pub fn replace(&self, name: &str, token: &str, new: &str) -> Result<String, ShellError> {
        if token == new {
            return Ok(self.text.to_owned());
        }
        self.change(name, token, &|value| cmdline::replace(value, token, new))
    }

    /// Makes a change again and again until it has nothing to do. Each change moves what follows, so the file is read anew.
    fn change(
        &self,
        name: &str,
        token: &str,
        one: &dyn Fn(&str) -> Option<Splice>,
    ) -> Result<String, ShellError> {
        let mut text = self.text.to_owned();
        loop {
            let file = ShellFile::parse(&text)?;
            let found = file
                .editable(name, token)?
                .into_iter()
                .find_map(|assignment| Some((assignment, one(&decoded(&assignment.value))?)));
            let Some((assignment, splice)) = found else { return Ok(text) };
            let next = file.spliced(&assignment.value, &splice)?;
            text = next;
        }
    }

    /// The assignments that the value is made of, in order: the last one that sets it anew, and those that add to it.
    ///
    /// Other variables may stand in it whose words this file gives plainly, as long as `token` is none of them.
    fn editable(&self, name: &str, token: &str) -> Result<Vec<&Assignment>, ShellError> {
        let mut found: Vec<&Assignment> = Vec::new();
        for statement in &self.statements {
            match statement {
                Statement::Assign(assignment) => {
                    for unit in &assignment.value.units {
                        let Unit::Dynamic { raw } = unit else { continue };
                        let code = &self.text[raw.clone()];
                        if may_assign(code) && identifiers(code).any(|word| word == name) {
                            return Err(dynamic(name, self.line(raw.start), code));
                        }
                    }
                    if assignment.name != name
                        && base(&assignment.name) == base(name)
                        && (assignment.name == base(name) || name == base(name))
                    {
                        let line = self.line(assignment.value.raw.start);
                        return Err(dynamic(name, line, &assignment.name));
                    }
                    if assignment.name == name {
                        if !adds_to_itself(assignment) {
                            found.clear();
                        }
                        found.push(assignment);
                    }
                }
                Statement::Array(array) if base(&array.name) == base(name) => {
                    let code = &self.text[array.raw.clone()];
                    return Err(dynamic(name, self.line(array.raw.start), code));
                }
                Statement::Array(_) => {}
                Statement::Opaque(range) => self.leaves_alone(name, range)?,
            }
        }
        for assignment in &found {
            for unit in &assignment.value.units {
                let raw = match unit {
                    Unit::Dynamic { raw } => raw,
                    Unit::Reference { name: other, raw, .. }
                        if other != name && !self.is_plain(other, raw.start, token) =>
                    {
                        raw
                    }
                    _ => continue,
                };
                return Err(dynamic(name, self.line(raw.start), &self.text[raw.clone()]));
            }
        }
        Ok(found)
    }

    /// Whether a variable that is used at this place is set once in the file, ahead of it and to plain words, of which none is
    /// `token` or ends what the kernel reads.
    fn is_plain(&self, name: &str, used: usize, token: &str) -> bool {
        let mut set = None;
        for statement in &self.statements {
            match statement {
                Statement::Assign(one) if base(&one.name) == name => {
                    let is_first = set.is_none() && one.name == name && !one.append;
                    if !is_first || one.value.raw.start > used {
                        return false;
                    }
                    set = Some(&one.value);
                }
                Statement::Array(one) if base(&one.name) == name => return false,
                Statement::Opaque(range) if self.leaves_alone(name, range).is_err() => return false,
                _ => {}
            }
        }
        set.is_some_and(|value| {
            let words = decoded(value);
            let ends = |word: cmdline::Token<'_>| word.text() == token || word.text() == "--";
            value.units.iter().all(|unit| matches!(unit, Unit::Char { .. }))
                && !words.contains('"')
                && !cmdline::CommandLine::new(&words).words().any(ends)
        })
    }

    /// Checks that code which is no assignment has nothing to do with a variable.
    pub(super) fn leaves_alone(&self, name: &str, code: &Range<usize>) -> Result<(), ShellError> {
        let text = &self.text[code.clone()];
        if may_set_anything(text) || identifiers(text).any(|word| word == base(name)) {
            return Err(dynamic(name, self.line(code.start), text));
        }
        Ok(())
    }

    /// The file with one change of a value, given in places of the decoded value, made in the text that writes it.
    pub(super) fn spliced(&self, value: &Word, splice: &Splice) -> Result<String, ShellError> {
        if splice.text.chars().any(char::is_control) {
            return Err(ShellError::Unwritable(splice.text.clone()));
        }
        let before = units_before(value, splice.range.start);
        let gone = &value.units[before..units_before(value, splice.range.end)];
        let (at, quote) = match (before.checked_sub(1).map(|last| &value.units[last]), value.units.first()) {
            // What takes the place of something stands where that stood, else right after what precedes it.
            _ if !gone.is_empty() => (raw(&gone[0]).0, raw(&gone[0]).2),
            (Some(unit), _) => (raw(unit).1, raw(unit).2),
            (None, Some(unit)) => (raw(unit).0, raw(unit).2),
            (None, None) => value.inside,
        };
        let mut text = self.text.to_owned();
        for unit in gone.iter().rev() {
            let (start, end, _) = raw(unit);
            text.replace_range(start..end, "");
        }
        text.insert_str(at, &quoted(&splice.text, quote));
        Ok(text)
    }
}

/// A value without its quotes.
pub(super) fn decoded(value: &Word) -> String {
    value.units.iter().map(letter).collect()
}

fn letter(unit: &Unit) -> char {
    match unit {
        Unit::Char { c, .. } => *c,
        Unit::Reference { .. } | Unit::Dynamic { .. } => REFERENCE,
    }
}

/// How many units write the first `bytes` bytes of the decoded value.
fn units_before(value: &Word, bytes: usize) -> usize {
    let mut length = 0;
    value
        .units
        .iter()
        .take_while(|unit| {
            length += letter(unit).len_utf8();
            length <= bytes
        })
        .count()
}

fn raw(unit: &Unit) -> (usize, usize, Quote) {
    match unit {
        Unit::Char { raw, quote, .. } | Unit::Reference { raw, quote, .. } => (raw.start, raw.end, *quote),
        Unit::Dynamic { raw } => (raw.start, raw.end, Quote::None),
    }
}

fn adds_to_itself(assignment: &Assignment) -> bool {
    let own = |unit: &Unit| matches!(unit, Unit::Reference { name, .. } if *name == assignment.name);
    assignment.append || assignment.value.units.iter().any(own)
}

/// Text as it has to be written inside this kind of quotes.
pub(super) fn quoted(text: &str, quote: Quote) -> String {
    let mut written = String::new();
    for c in text.chars() {
        let plain = c.is_ascii_alphanumeric() || "_=./:,+@%^-".contains(c) || !c.is_ascii();
        match quote {
            Quote::Single if c == '\'' => written.push_str("'\\'"),
            Quote::None if !plain => written.push('\\'),
            Quote::Double if matches!(c, '"' | '$' | '`' | '\\') => written.push('\\'),
            _ => {}
        }
        written.push(c);
    }
    written
}
