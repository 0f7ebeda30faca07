//! Edits of lists of words, in arrays `NAME=(a b)` and in strings `NAME=" a b "`: one item comes or goes.

use std::ops::Range;

use super::edit::{decoded, quoted};
use super::lexer::{Quote, Unit, Word};
use super::statements::{Array, Assignment, Statement, may_assign, may_set_anything};
use super::{ShellError, ShellFile, dynamic};
use crate::cmdline::Splice;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// `NAME=(a b)`.
    Array,
    /// `NAME="a b"`.
    String,
}

/// Where an item is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Ahead of all others.
    First,
    /// After all others.
    Last,
}

/// One of the assignments that a list is made of.
enum Part<'a> {
    Array(&'a Array),
    String(&'a Assignment),
}

impl Part<'_> {
    fn form(&self) -> ListForm {
        match self {
            Self::Array(_) => ListForm::Array,
            Self::String(_) => ListForm::String,
        }
    }

    fn start(&self) -> usize {
        match self {
            Self::Array(array) => array.raw.start,
            Self::String(string) => string.value.raw.start,
        }
    }

    /// The items, without quotes.
    fn items(&self) -> Vec<String> {
        match self {
            Self::Array(array) => array.items.iter().map(decoded).collect(),
            Self::String(string) => {
                decoded(&string.value).split_ascii_whitespace().map(str::to_owned).collect()
            }
        }
    }
}

impl ShellFile<'_> {
    /// How this file writes a list; `None`: it does not set it.
    pub fn list_form(&self, name: &str) -> Result<Option<ListForm>, ShellError> {
        Ok(self.parts(name)?.first().map(Part::form))
    }

    /// The items of a list after this file alone has been read; `None`: the file does not set it.
    ///
    /// Patterns and braces in an array are an error: what they stand for is on the disk that the shell runs on.
    pub fn list(&self, name: &str) -> Result<Option<Vec<String>>, ShellError> {
        let parts = self.parts(name)?;
        match parts.first().map(Part::form) {
            None => Ok(None),
            // What is added to a string is joined to its last word where no blank is between them.
            Some(ListForm::String) => {
                Ok(self.value(name)?.map(|all| all.split_ascii_whitespace().map(str::to_owned).collect()))
            }
            Some(ListForm::Array) => {
                let words = parts.iter().filter_map(|part| match part {
                    Part::Array(array) => Some(&array.items),
                    Part::String(_) => None,
                });
                let mut items = Vec::new();
                for word in words.flatten() {
                    if expands(word) {
                        let code = &self.text[word.raw.clone()];
                        return Err(dynamic(name, self.line(word.raw.start), code));
                    }
                    items.push(decoded(word));
                }
                Ok(Some(items))
            }
        }
    }

    /// The file with an item put into a list that it sets, in the form that is there; the same text where an item that `is` it
    /// stands there already.
    pub fn add_item(
        &self,
        name: &str,
        item: &str,
        place: Place,
        is: impl Fn(&str) -> bool,
    ) -> Result<String, ShellError> {
        let parts = self.parts(name)?;
        if item.is_empty() || item.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(ShellError::Unwritable(item.to_owned()));
        }
        if parts.iter().flat_map(Part::items).any(|there| is(&there)) {
            return Ok(self.text.to_owned());
        }
        let part = match place {
            Place::First => parts.first(),
            Place::Last => parts.last(),
        };
        match part.ok_or_else(|| ShellError::NotAssigned { name: name.to_owned() })? {
            Part::Array(array) => Ok(self.with_array_item(array, item, place)),
            Part::String(string) => {
                let value = decoded(&string.value);
                let followed = place == Place::First && parts.len() > 1;
                self.spliced(&string.value, &string_item(&value, item, place, string.append, followed))
            }
        }
    }

    /// The file without the items of a list that `is` says are meant, each with one blank beside it.
    pub fn remove_items(&self, name: &str, is: impl Fn(&str) -> bool) -> Result<String, ShellError> {
        let mut text = self.text.to_owned();
        loop {
            let file = ShellFile::parse(&text)?;
            let parts = file.parts(name)?;
            let next = parts.iter().find_map(|part| match part {
                Part::Array(array) => {
                    let word = array.items.iter().find(|word| is(&decoded(word)))?;
                    let mut shorter = text.clone();
                    shorter.replace_range(with_blank(&text, &word.raw), "");
                    Some(Ok(shorter))
                }
                Part::String(string) => {
                    let value = decoded(&string.value);
                    let range = words(&value).find(|word| is(&value[word.clone()]))?;
                    let splice = Splice { range: with_blank(&value, &range), text: String::new() };
                    Some(file.spliced(&string.value, &splice))
                }
            });
            match next {
                Some(shorter) => text = shorter?,
                None => return Ok(text),
            }
        }
    }

    /// The file with a variable given a value on a line more at its end. `operator`: `=` or `+=`.
    pub fn add_assignment(&self, name: &str, operator: &str, value: &str) -> Result<String, ShellError> {
        if value.chars().any(char::is_control) {
            return Err(ShellError::Unwritable(value.to_owned()));
        }
        self.add_line(name, &format!("{name}{operator}\"{}\"", quoted(value, Quote::Double)))
    }

    /// The file with one more line at its end, where that line is read and counts.
    pub fn add_line(&self, name: &str, line: &str) -> Result<String, ShellError> {
        for statement in &self.statements {
            let Statement::Opaque(range) = statement else { continue };
            let code = &self.text[range.clone()];
            // A here-document could have no end, and then the line would be text of it.
            if may_set_anything(code) || code.contains("<<") {
                return Err(dynamic(name, self.line(range.start), code));
            }
        }
        let blank = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
        let new = format!("{}{blank}{line}\n", self.text);
        // A backslash at the very end, or a block that is never closed, would take the line in.
        let last = new.len() - line.len() - 1;
        let begins = |statement: &Statement| match statement {
            Statement::Assign(one) => one.value.raw.start > last,
            Statement::Array(one) => one.raw.start >= last,
            Statement::Opaque(_) => false,
        };
        if ShellFile::parse(&new)?.statements.last().is_some_and(begins) {
            Ok(new)
        } else {
            let last = self.statements.iter().rev().find_map(|statement| match statement {
                Statement::Opaque(range) => Some(range.clone()),
                _ => None,
            });
            let open = last.unwrap_or(self.text.trim_end().len()..self.text.len());
            Err(dynamic(name, self.line(open.start), &self.text[open]))
        }
    }

    /// The assignments that a list is made of, in order: the last one that sets it anew, and those that add to it.
    fn parts(&self, name: &str) -> Result<Vec<Part<'_>>, ShellError> {
        let mut found: Vec<Part<'_>> = Vec::new();
        for statement in &self.statements {
            let (part, append) = match statement {
                Statement::Assign(one) => {
                    self.sets_nothing_else(name, &one.value)?;
                    if one.name != name {
                        continue;
                    }
                    (Part::String(one), one.append || refers_to(&one.value, name))
                }
                Statement::Array(one) if one.name == name => {
                    (Part::Array(one), one.append || one.items.iter().any(|item| refers_to(item, name)))
                }
                Statement::Array(_) => continue,
                Statement::Opaque(range) => {
                    self.leaves_alone(name, range)?;
                    continue;
                }
            };
            if !append {
                found.clear();
            }
            if found.first().is_some_and(|first| first.form() != part.form()) {
                return Err(ShellError::Mixed { name: name.to_owned(), line: self.line(part.start()) });
            }
            found.push(part);
        }
        for part in &found {
            let words: &[Word] = match part {
                Part::Array(array) => &array.items,
                Part::String(string) => std::slice::from_ref(&string.value),
            };
            for unit in words.iter().flat_map(|word| &word.units) {
                let raw = match unit {
                    Unit::Dynamic { raw } => raw,
                    Unit::Reference { name: other, raw, .. }
                        if other != name || part.form() == ListForm::Array =>
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

    fn sets_nothing_else(&self, name: &str, value: &Word) -> Result<(), ShellError> {
        for unit in &value.units {
            let Unit::Dynamic { raw } = unit else { continue };
            let code = &self.text[raw.clone()];
            if may_assign(code) && super::statements::identifiers(code).any(|word| word == name) {
                return Err(dynamic(name, self.line(raw.start), code));
            }
        }
        Ok(())
    }

    fn with_array_item(&self, array: &Array, item: &str, place: Place) -> String {
        let item = quoted(item, Quote::None);
        let (at, new) = match (place, array.items.first(), array.items.last()) {
            (Place::First, Some(first), _) => (first.raw.start, format!("{item} ")),
            (Place::Last, _, Some(last)) => (last.raw.end, format!(" {item}")),
            _ if self.text[array.inside..].starts_with([' ', '\t']) => (array.inside, format!(" {item}")),
            _ => (array.inside, item),
        };
        let mut text = self.text.to_owned();
        text.insert_str(at, &new);
        text
    }
}

fn refers_to(word: &Word, name: &str) -> bool {
    word.units.iter().any(|unit| matches!(unit, Unit::Reference { name: other, .. } if other == name))
}

/// Whether the shell would put something else in the place of a word of an array: names of files, or several words.
///
/// A `?` at the end stands for itself, as nothing else is meant by it: mkinitcpio's mark of a module that may be missing.
fn expands(word: &Word) -> bool {
    let special = |unit: &Unit, set: &str| matches!(unit, Unit::Char { c, quote: Quote::None, raw } if raw.len() == 1 && set.contains(*c));
    let units = match word.units.split_last() {
        Some((last, rest)) if special(last, "?") => rest,
        _ => &word.units,
    };
    units.iter().any(|unit| special(unit, "*?[{"))
}

/// The places of the words in a text.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive(|c: char| c.is_ascii_whitespace()).filter_map(move |part| {
        let start = at;
        at += part.len();
        let word = part.trim_ascii_end();
        (!word.is_empty()).then(|| start..start + word.len())
    })
}

/// How to put an item into a string of words. `appended`: the string is joined to another ahead of it; `followed`: another is
/// joined to it.
fn string_item(value: &str, item: &str, place: Place, appended: bool, followed: bool) -> Splice {
    let (at, text) = match (place, words(value).next(), words(value).last()) {
        (Place::First, Some(first), _) if first.start == 0 && appended => (0, format!(" {item} ")),
        (Place::First, Some(first), _) => (first.start, format!("{item} ")),
        (Place::Last, _, Some(last)) => (last.end, format!(" {item}")),
        _ => {
            let ahead = if appended || !value.is_empty() { " " } else { "" };
            let behind = if followed && value.is_empty() { " " } else { "" };
            (0, format!("{ahead}{item}{behind}"))
        }
    };
    Splice { range: at..at, text }
}

/// A word with the blank ahead of it, or the one after it where there is none.
fn with_blank(text: &str, word: &Range<usize>) -> Range<usize> {
    let blank = |at: Option<usize>| {
        at.and_then(|at| text.as_bytes().get(at)).is_some_and(|byte| matches!(byte, b' ' | b'\t'))
    };
    match (blank(word.start.checked_sub(1)), blank(Some(word.end))) {
        (true, _) => word.start - 1..word.end,
        (false, true) => word.start..word.end + 1,
        (false, false) => word.clone(),
    }
}
