//! Lines `KEY VALUE` with `#` comments, as systemd-boot, Syslinux and rEFInd have them.

use std::ops::Range;

use crate::cmdline::{Change, Piece, with_parts};
use crate::error::Refused;

/// One line that is no comment and not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) key: &'a str,
    /// Without the blanks around it.
    pub(crate) value: &'a str,
    /// Where the value stands, from the end of the key on: the blanks ahead of the value are part of it.
    pub(crate) place: Range<usize>,
}

/// The lines of a text that say something.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    text.split_inclusive('\n').enumerate().filter_map(move |(index, whole)| {
        let start = at + (whole.len() - whole.trim_start().len());
        at += whole.len();
        let line = whole.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (key, value) = line.split_at(line.find([' ', '\t']).unwrap_or(line.len()));
        let place = start + key.len()..start + line.len();
        Some(Line { number: index + 1, key, value: value.trim(), place })
    })
}

/// The text with one change made to the command line that these values are together.
pub(crate) fn change(text: &str, lines: &[Line<'_>], change: &Change) -> Result<String, Refused> {
    let mut pieces: Vec<Piece> = lines
        .iter()
        .map(|line| Piece {
            line: line.number,
            value: text.get(line.place.clone()).unwrap_or_default().to_owned(),
        })
        .collect();
    change.make(&mut pieces)?;
    let parts = lines.iter().zip(pieces).map(|(line, piece)| (line.place.clone(), apart(piece.value)));
    Ok(with_parts(text, parts))
}

/// A value as it has to stand right after its key.
fn apart(value: String) -> String {
    if value.is_empty() || value.starts_with([' ', '\t']) { value } else { format!(" {value}") }
}

/// The text with a key set to a value on the one line that has it, or on a new line after the line `after`, or at the end.
///
/// Two lines with the key are refused: which one counts differs from reader to reader.
pub(crate) fn set(text: &str, key: &str, value: &str, after: Option<&str>) -> Result<String, Refused> {
    if value.trim() != value || value.is_empty() || value.chars().any(char::is_control) {
        return Err(Refused::whole(
            format!("‘{}’ cannot be a value of {key}", value.escape_debug()),
            "give text of one line without blanks at its ends",
        ));
    }
    let mut having = lines(text).filter(|line| line.key == key);
    match (having.next(), having.next()) {
        (Some(line), None) => {
            let old = text.get(line.place.clone()).unwrap_or_default();
            let blanks = old.strip_suffix(line.value).unwrap_or_default();
            Ok(with_parts(text, [(line.place.clone(), apart(format!("{blanks}{value}")))]))
        }
        (Some(_), Some(second)) => Err(Refused::at(
            second.number,
            format!("{key} is set a second time"),
            "leave only the line that is meant",
        )),
        (None, _) => {
            let end = after.and_then(|after| lines(text).filter(|line| line.key == after).last());
            let at = end.map_or(text.len(), |line| line.place.end);
            let at = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |more| at + more + 1);
            Ok(with_parts(
                text,
                [(at..at, new_line(text.get(..at).unwrap_or_default(), &format!("{key} {value}")))],
            ))
        }
    }
}

/// Where a line begins, counted from 1.
pub(crate) fn line_start(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
}

/// Where the block begins that a menu's entry on a line is, with the empty line ahead of it.
pub(crate) fn block_start(text: &str, line: usize) -> usize {
    let begin = line_start(text, line);
    if text.get(..begin).is_some_and(|ahead| ahead.ends_with("\n\n")) { begin - 1 } else { begin }
}

/// A menu with a block at its end, behind an empty line.
pub(crate) fn with_block(text: &str, block: &str) -> String {
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    format!("{text}{end}\n{block}")
}

/// A line to put in after `before`, in the way of the lines that are there.
pub(crate) fn new_line(before: &str, line: &str) -> String {
    let end = if before.ends_with("\r\n") { "\r\n" } else { "\n" };
    if before.is_empty() || before.ends_with('\n') {
        format!("{line}{end}")
    } else {
        format!("\n{line}{end}")
    }
}
