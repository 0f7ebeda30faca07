//! Shell files of assignments, such as `/etc/default/grub`.
//!
//! Such a file is a program, and only part of what a program does can be told without running it. What can be told is
//! read and edited as the shell would have it; what cannot (command substitution, conditions, `eval`) is refused with
//! its line. Text that is not edited stays as it is, byte for byte.

mod command;
mod edit;
mod lexer;
mod list_edit;
pub mod lists;
mod statements;

use std::collections::BTreeMap;

use crate::error::Refused;

pub use command::{CommandWord, commands};
pub use list_edit::{ListForm, Place};

use lexer::{Unit, Word};
use statements::{Statement, base, statements};

/// Why a file cannot be read or edited for certain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// A quote is opened and never closed.
    #[error("line {line}: a quote that is opened here is never closed")]
    Unterminated {
        /// The line, from 1.
        line: usize,
    },
    /// The value depends on something that only running the file would tell.
    #[error("line {line}: {name} is set by shell code that cannot be judged without running it: {text}")]
    Dynamic {
        /// The variable.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The code, shortened to one line.
        text: String,
    },
    /// There is no assignment to edit.
    #[error("{name} is not set in this file")]
    NotAssigned {
        /// The variable.
        name: String,
    },
    /// The file holds a byte that no shell reads as text.
    #[error("line {line}: a NUL byte")]
    Nul {
        /// The line, from 1.
        line: usize,
    },
    /// The value holds a double quote that the kernel never sees closed, so a word added at its end would be part of it.
    #[error("line {line}: {name} holds a double quote that is never closed")]
    OpenQuote {
        /// The variable.
        name: String,
        /// The line, from 1.
        line: usize,
    },
    /// A list is an array in one place and a string in another, so that the shell makes one item of several.
    #[error(
        "line {line}: {name} is a string in one place and an array in another, which the shell joins in an unexpected way"
    )]
    Mixed {
        /// The variable.
        name: String,
        /// The line of the second form, from 1.
        line: usize,
    },
    /// The text to put in cannot stand in a value of one line.
    #[error("‘{0}’ holds a line break or control character, so it cannot be written into a value")]
    Unwritable(String),
}

impl ShellError {
    fn line(&self) -> Option<usize> {
        match self {
            Self::Unterminated { line }
            | Self::Dynamic { line, .. }
            | Self::Nul { line }
            | Self::OpenQuote { line, .. }
            | Self::Mixed { line, .. } => Some(*line),
            Self::NotAssigned { .. } | Self::Unwritable(_) => None,
        }
    }

    /// What the file's owner can do, as an instruction.
    fn cure(&self) -> &'static str {
        match self {
            Self::Unterminated { .. } | Self::OpenQuote { .. } => "close the quote",
            Self::Dynamic { .. } => {
                "take the code out, or set the value with one plain line NAME=\"…\" outside of it"
            }
            Self::NotAssigned { .. } => "set it, if only to nothing",
            Self::Nul { .. } => "take the byte out",
            Self::Mixed { .. } => "write all of it as an array, NAME=(…) and NAME+=(…)",
            Self::Unwritable(_) => "give one word of plain text",
        }
    }
}

impl From<ShellError> for Refused {
    fn from(error: ShellError) -> Self {
        let (line, text) = (error.line(), error.to_string());
        let reason = match line {
            Some(number) => text.strip_prefix(&format!("line {number}: ")).unwrap_or(&text).to_owned(),
            None => text,
        };
        Self { line, reason, cure: error.cure().to_owned() }
    }
}

/// Whether a shell's `*.conf` stands for a file of this name.
pub(crate) fn is_drop_in(file_name: &str) -> bool {
    let path = std::path::Path::new(file_name);
    path.extension().is_some_and(|ending| ending == "conf") && !file_name.starts_with('.')
}

/// What is known of each variable after a file has been read: its value, or why that cannot be told.
pub type Variables = BTreeMap<String, Result<String, ShellError>>;

/// What a variable is once all these files have been sourced, one after the other; empty where none sets it. The error names the
/// position of the file in the list.
pub fn value_of_all(texts: &[&str], name: &str) -> Result<String, (usize, ShellError)> {
    let mut variables = Variables::new();
    for (index, text) in texts.iter().enumerate() {
        ShellFile::parse(text).map_err(|error| (index, error))?.evaluate(&mut variables);
        if let Some(Err(error)) = variables.get(name) {
            return Err((index, error.clone()));
        }
    }
    Ok(variables.remove(name).and_then(Result::ok).unwrap_or_default())
}

/// A file of assignments.
#[derive(Clone, Debug)]
pub struct ShellFile<'a> {
    text: &'a str,
    statements: Vec<Statement>,
}

impl<'a> ShellFile<'a> {
    /// Reads a file. Only what no shell could read at all is an error.
    pub fn parse(text: &'a str) -> Result<Self, ShellError> {
        Ok(Self { text, statements: statements(text)? })
    }

    /// The text that was read.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The value of a variable after this file alone has been read; `None`: the file does not set it.
    pub fn value(&self, name: &str) -> Result<Option<String>, ShellError> {
        let mut variables = Variables::new();
        self.evaluate(&mut variables);
        variables.remove(name).transpose()
    }

    /// The variables that plain assignments set, in order, each with the line of the first.
    pub fn names(&self) -> Vec<(String, usize)> {
        let mut found: Vec<(String, usize)> = Vec::new();
        for statement in &self.statements {
            let (name, at) = match statement {
                Statement::Assign(assignment) => (&assignment.name, assignment.value.raw.start),
                Statement::Array(array) => (&array.name, array.raw.start),
                Statement::Opaque(_) => continue,
            };
            if !found.iter().any(|(known, _)| known == name) {
                found.push((name.clone(), self.line(at)));
            }
        }
        found
    }

    /// Reads the file on top of others, as the shell does that sources them one after the other.
    ///
    /// A reference to a variable of which nothing is known is taken for empty where the variable is the one that is
    /// set, and makes the value unknown elsewhere.
    pub fn evaluate(&self, variables: &mut Variables) {
        for statement in &self.statements {
            match statement {
                Statement::Assign(assignment) => {
                    let new = self.expand(&assignment.name, &assignment.value, variables);
                    let value = match (assignment.append, variables.get(&assignment.name)) {
                        (true, Some(Ok(old))) => new.map(|new| format!("{old}{new}")),
                        (true, Some(Err(error))) => Err(error.clone()),
                        _ => new,
                    };
                    variables.insert(assignment.name.clone(), value);
                    if base(&assignment.name) != assignment.name {
                        // The variable as a whole is an array then.
                        let (line, code) = (self.line(assignment.value.raw.start), &assignment.name);
                        let name = base(code);
                        variables.insert(name.to_owned(), Err(dynamic(name, line, code)));
                    }
                    self.side_effects(&assignment.value, variables);
                }
                Statement::Array(array) => {
                    let code = &self.text[array.raw.clone()];
                    let error = dynamic(&array.name, self.line(array.raw.start), code);
                    variables.insert(array.name.clone(), Err(error));
                }
                Statement::Opaque(range) => {
                    let code = &self.text[range.clone()];
                    let line = self.line(range.start);
                    if statements::may_set_anything(code) {
                        // Nothing that this file sets is certain any more, above this line or below it.
                        for statement in &self.statements {
                            if let Statement::Assign(assignment) = statement {
                                variables.entry(assignment.name.clone()).or_insert_with(|| Ok(String::new()));
                            }
                        }
                        for (name, value) in variables.iter_mut() {
                            *value = Err(dynamic(name, line, code));
                        }
                        return;
                    }
                    for name in statements::identifiers(code) {
                        variables.insert(name.to_owned(), Err(dynamic(name, line, code)));
                    }
                }
            }
        }
    }

    /// Marks variables that an expansion sets in passing: `${NAME:=x}`, `$((NAME=1))`.
    fn side_effects(&self, value: &Word, variables: &mut Variables) {
        for unit in &value.units {
            if let Unit::Dynamic { raw } = unit
                && let code = &self.text[raw.clone()]
                && statements::may_assign(code)
            {
                for name in statements::identifiers(code) {
                    variables.insert(name.to_owned(), Err(dynamic(name, self.line(raw.start), code)));
                }
            }
        }
    }

    fn expand(&self, name: &str, word: &Word, variables: &Variables) -> Result<String, ShellError> {
        let mut value = String::new();
        for unit in &word.units {
            match unit {
                Unit::Char { c, .. } => value.push(*c),
                Unit::Reference { name: other, raw, .. } => match variables.get(other) {
                    Some(Ok(known)) => value.push_str(known),
                    None if other == name => {}
                    _ => return Err(dynamic(name, self.line(raw.start), &self.text[raw.clone()])),
                },
                Unit::Dynamic { raw } => {
                    return Err(dynamic(name, self.line(raw.start), &self.text[raw.clone()]));
                }
            }
        }
        Ok(value)
    }

    /// The line of a byte, from 1.
    fn line(&self, at: usize) -> usize {
        lexer::line_of(self.text, at)
    }
}

fn dynamic(name: &str, line: usize, code: &str) -> ShellError {
    let first = code.trim().lines().next().unwrap_or_default();
    let text = if first.chars().count() > 60 {
        first.chars().take(59).chain(['…']).collect()
    } else {
        first.to_owned()
    };
    ShellError::Dynamic { name: name.to_owned(), line, text }
}

#[cfg(test)]
pub(crate) mod oracle;
#[cfg(test)]
mod tests;
