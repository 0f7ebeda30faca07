//! The table, `table.txt`: where each check is seen to pass, and where to object.
//!
//! A row is `CHECK | HOST ON WHICH IT PASSES | HOST ON WHICH IT OBJECTS`. A host is `lab SCENARIO/NAME`, a capture; `real PATH`, data of
//! a real machine below `corpora`; `laid FILE at PATH on SCENARIO/NAME`, a published file on a capture or on the workstation among the fixtures; or `-`, and then a line
//! `CHECK: …` at the end says what shows it instead.

use std::path::Path;

use crate::hosts::On;

/// A check and two hosts.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The check's name.
    pub(crate) check: String,
    /// A host on which it passes.
    pub(crate) passes: Option<On>,
    /// A host on which it warns or fails.
    pub(crate) objects: Option<On>,
}

/// The whole table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// In the order in which the checks are shown.
    pub(crate) rows: Vec<Row>,
    /// Checks without both columns, and what shows them instead.
    pub(crate) elsewhere: Vec<(String, String)>,
}

/// Reads the table. A line that is none is a failure of the test.
pub(crate) fn read() -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/every_check/table.txt");
    let text = std::fs::read_to_string(path).expect("reads");
    let mut table = Table::default();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        if let [check, passes, objects] = cells.as_slice() {
            let row = Row { check: (*check).to_owned(), passes: host(passes), objects: host(objects) };
            table.rows.push(row);
        } else {
            let (check, why) = line.split_once(": ").unwrap_or_else(|| panic!("not a row: {line}"));
            table.elsewhere.push((check.to_owned(), why.to_owned()));
        }
    }
    table
}

fn host(cell: &str) -> Option<On> {
    let (kind, rest) = cell.split_once(' ').unwrap_or((cell, ""));
    match kind {
        "-" => None,
        "lab" => Some(On::Lab(rest.to_owned())),
        "real" => Some(On::Real(rest.to_owned())),
        "laid" => {
            let (file, rest) = rest.split_once(" at ").unwrap_or_else(|| panic!("no place: {cell}"));
            let (at, on) = rest.split_once(" on ").unwrap_or_else(|| panic!("no capture: {cell}"));
            Some(On::Laid { file: file.to_owned(), at: at.to_owned(), on: on.to_owned() })
        }
        _ => panic!("no kind of host: {cell}"),
    }
}
