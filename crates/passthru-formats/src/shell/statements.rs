//! Groups the words of a shell file into assignments and into code that is not judged.

use std::ops::Range;

use super::ShellError;
use super::lexer::{Lexeme, Lexer, Quote, Unit, Word};

/// `NAME=value` or `NAME+=value`, unconditional.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) append: bool,
    pub(super) value: Word,
}

/// `NAME=(a b)` or `NAME+=(a b)`, unconditional, of words that the shell would not have to run to know.
#[derive(Clone, Debug)]
pub(super) struct Array {
    pub(super) name: String,
    pub(super) append: bool,
    pub(super) items: Vec<Word>,
    /// From the name to the closing parenthesis.
    pub(super) raw: Range<usize>,
    /// Right behind the opening parenthesis.
    pub(super) inside: usize,
}

/// One statement of a file.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    Assign(Assignment),
    Array(Array),
    /// Anything else than an assignment: commands, conditions, loops, functions.
    Opaque(Range<usize>),
}

/// The identifiers that stand anywhere in a piece of code.
pub(super) fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()))
}

/// A variable's name without what is between brackets.
pub(super) fn base(name: &str) -> &str {
    name.split('[').next().unwrap_or_default()
}

/// Whether code can set variables that it does not name, or keep the rest of the file from being read.
pub(super) fn may_set_anything(code: &str) -> bool {
    const WORDS: [&str; 9] =
        ["source", "eval", "exit", "return", "exec", "trap", "alias", "shopt", "builtin"];
    identifiers(code).any(|word| WORDS.contains(&word))
        || code.split([' ', '\t', '\n', ';', '&', '|', '(', '{']).any(|word| word == ".")
        // A command whose name is itself computed or quoted could be any of those words.
        || code.contains(['$', '`', '\\', '\'', '"']) && code.split_whitespace().next().is_some_and(is_computed)
}

fn is_computed(first: &str) -> bool {
    first.contains(['$', '`', '\\', '\'', '"'])
}

/// Whether an expansion can set a variable in passing: `${NAME:=x}`, `${NAME=x}`, `$((NAME = 1))`.
pub(super) fn may_assign(code: &str) -> bool {
    (code.starts_with("${") && code.contains('='))
        || (code.starts_with("$((") && (code.contains('=') || code.contains("++") || code.contains("--")))
}

/// Cuts a file into statements.
pub(super) fn statements(text: &str) -> Result<Vec<Statement>, ShellError> {
    let lexemes = Lexer::new(text).all()?;
    let mut found = Vec::new();
    let mut at = 0;
    while at < lexemes.len() {
        if let Some((array, length)) = array(text, &lexemes[at..]) {
            at += length;
            found.push(Statement::Array(array));
            continue;
        }
        let (length, kind) = extent(text, &lexemes[at..]);
        let part = &lexemes[at..at + length];
        at += length;
        let words: Vec<&Word> = part
            .iter()
            .filter_map(|lexeme| match lexeme {
                Lexeme::Word(word) => Some(word),
                _ => None,
            })
            .collect();
        // A comment ahead of the line break is no part of the statement.
        let last = part.iter().rev().find(|lexeme| !matches!(lexeme, Lexeme::Newline(_)));
        let (Some(first), Some(last)) = (part.first(), last) else { continue };
        match kind {
            Kind::Simple if words.is_empty() => {}
            Kind::Simple => match assignments(text, &words) {
                Some(assigned) => found.extend(assigned.into_iter().map(Statement::Assign)),
                None => found.push(Statement::Opaque(first.start()..last.end())),
            },
            Kind::Compound => found.push(Statement::Opaque(first.start()..last.end())),
        }
    }
    Ok(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Words only.
    Simple,
    /// With operators or words that steer.
    Compound,
}

/// How many of these lexemes make up the first statement.
fn extent(text: &str, lexemes: &[Lexeme]) -> (usize, Kind) {
    let mut open: Vec<&str> = Vec::new();
    let mut kind = Kind::Simple;
    let mut at_command = true;
    let mut continues = false;
    for (index, lexeme) in lexemes.iter().enumerate() {
        match lexeme {
            Lexeme::Newline(_) => {
                if open.is_empty() && !continues {
                    return (index + 1, kind);
                }
                at_command = true;
            }
            Lexeme::Operator(range) => {
                let operator = &text[range.clone()];
                continues = matches!(operator, "&&" | "||" | "|");
                match operator {
                    ";" if open.is_empty() => return (index + 1, kind),
                    // The lines that follow are text and only look like code.
                    "<<" | "<<-" => return (lexemes.len(), Kind::Compound),
                    "(" => open.push(")"),
                    ")" if open.last() == Some(&")") => {
                        open.pop();
                    }
                    _ => {}
                }
                kind = if operator == ";" { kind } else { Kind::Compound };
                at_command = !matches!(operator, "<" | ">" | ">>" | "<&" | ">&" | "<<<");
            }
            Lexeme::Word(word) => {
                continues = false;
                if !at_command {
                    continue;
                }
                at_command = false;
                let close = match word.plain(text) {
                    Some("if") => Some("fi"),
                    Some("case") => Some("esac"),
                    Some("for" | "while" | "until" | "select") => Some("done"),
                    Some("{") => Some("}"),
                    Some("function" | "coproc") => return (lexemes.len(), Kind::Compound),
                    Some("then" | "do" | "else" | "elif" | "!" | "time") => {
                        kind = Kind::Compound;
                        at_command = true;
                        None
                    }
                    Some(word) if open.last() == Some(&word) => {
                        open.pop();
                        None
                    }
                    _ => None,
                };
                if let Some(close) = close {
                    kind = Kind::Compound;
                    at_command = true;
                    open.push(close);
                }
            }
        }
    }
    (lexemes.len(), kind)
}

/// The assignments that these words are; `None` where they are a command.
fn assignments(text: &str, words: &[&Word]) -> Option<Vec<Assignment>> {
    let exported = words.first().and_then(|word| word.plain(text)) == Some("export");
    let words = if exported { &words[1..] } else { words };
    let mut found = Vec::new();
    for word in words {
        if let Some(assignment) = assignment(text, word) {
            let braces = |unit: &Unit| matches!(unit, Unit::Char { c: '{', quote: Quote::None, .. });
            // `export A={1,2}` is two assignments, of which no file of settings makes use.
            if exported && assignment.value.units.iter().any(braces) {
                return None;
            }
            found.push(assignment);
        } else if !(exported && is_name(word.plain(text)?)) {
            return None;
        }
    }
    Some(found)
}

/// The array that is assigned by the first of these lexemes, and how many they are; `None` where the statement is another.
fn array(text: &str, lexemes: &[Lexeme]) -> Option<(Array, usize)> {
    let (Lexeme::Word(word), Lexeme::Operator(open)) = (lexemes.first()?, lexemes.get(1)?) else {
        return None;
    };
    let assigned = assignment(text, word)?;
    let is_array = text.get(open.clone()) == Some("(") && open.start == word.raw.end;
    if !is_array || !assigned.value.raw.is_empty() {
        return None;
    }
    let mut items = Vec::new();
    for (index, lexeme) in lexemes.iter().enumerate().skip(2) {
        match lexeme {
            Lexeme::Newline(_) => {}
            Lexeme::Word(word) if !word.units.iter().any(|unit| matches!(unit, Unit::Dynamic { .. })) => {
                items.push(word.clone());
            }
            Lexeme::Operator(close) if text.get(close.clone()) == Some(")") => {
                let ends = match lexemes.get(index + 1) {
                    None | Some(Lexeme::Newline(_)) => true,
                    Some(Lexeme::Operator(next)) => text.get(next.clone()) == Some(";"),
                    Some(Lexeme::Word(_)) => false,
                };
                let raw = word.raw.start..close.end;
                let array =
                    Array { name: assigned.name, append: assigned.append, items, raw, inside: open.end };
                return ends.then_some((array, (index + 2).min(lexemes.len())));
            }
            _ => return None,
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What is between the brackets of `NAME[here]`, without quotes; `None` where it is code.
fn subscript(text: &str) -> Option<&str> {
    let bare =
        ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (!bare.is_empty() && bare.chars().all(plain)).then_some(bare)
}

fn assignment(text: &str, word: &Word) -> Option<Assignment> {
    let raw = &text[word.raw.clone()];
    let equals = raw.find('=')?;
    let (written, append) = match raw[..equals].strip_suffix('+') {
        Some(name) => (name, true),
        None => (&raw[..equals], false),
    };
    let name = match written.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
        Some((name, inside)) if is_name(name) => format!("{name}[{}]", subscript(inside)?),
        _ if is_name(written) => written.to_owned(),
        _ => return None,
    };
    // Quotes in the brackets are bytes of the text and no units of the word.
    let skip = equals + 1 - (written.len() - name.len());
    let units = word.units.get(skip..)?.to_vec();
    let start = word.raw.start + equals + 1;
    let value = Word { raw: start..word.raw.end, units, inside: word.inside };
    Some(Assignment { name, append, value })
}
