//! The table, `table.txt`: where each check is seen to pass, and where to object.
//!
//! A row is `CHECK | WHERE IT PASSES | WHERE IT OBJECTS`. Where it does is one of these:
//!
//! - `lab SCENARIO/NAME`: a capture that a scenario of the laboratory took;
//! - `live SCENARIO`: a scenario that demands this verdict of a running kernel, for what no capture can hold;
//! - `real PATH`: data of a real machine below `corpora`;
//! - `laid FILE at PATH on HOST`: a published file below `corpora` on a host that has none there: a capture, as
//!   `SCENARIO/NAME`, or `real PATH`. `FILE in ARCHIVE` is a file of a real machine;
//! - `-`: nowhere, and then a line `CHECK: …` at the end says what shows it instead.

use std::path::Path;

use crate::hosts::{Base, On, Published};

/// Where a check is seen to say something.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// On a host whose files are here.
    On(On),
    /// On a running kernel, by a scenario of the laboratory that demands it.
    Live(String),
}

/// A check, and where it is seen.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The check's name.
    pub(crate) check: String,
    /// Where it passes.
    pub(crate) passes: Option<Shown>,
    /// Where it warns or fails.
    pub(crate) objects: Option<Shown>,
}

impl Row {
    /// Both columns, each with the verdicts that it stands for.
    pub(crate) fn columns(&self) -> [(Column, Option<&Shown>); 2] {
        [(Column::Passes, self.passes.as_ref()), (Column::Objects, self.objects.as_ref())]
    }
}

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    /// Where the check passes.
    Passes,
    /// Where it warns or fails.
    Objects,
}

impl Column {
    /// Whether a verdict, by its word, is of this column.
    pub(crate) fn has(self, verdict: &str) -> bool {
        match self {
            Self::Passes => verdict == "pass",
            Self::Objects => verdict == "warn" || verdict == "fail",
        }
    }
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
            let row = Row { check: (*check).to_owned(), passes: shown(passes), objects: shown(objects) };
            table.rows.push(row);
        } else {
            let (check, why) = line.split_once(": ").unwrap_or_else(|| panic!("not a row: {line}"));
            table.elsewhere.push((check.to_owned(), why.to_owned()));
        }
    }
    table
}

fn shown(cell: &str) -> Option<Shown> {
    let (kind, rest) = cell.split_once(' ').unwrap_or((cell, ""));
    let on = match kind {
        "-" => return None,
        "live" => return Some(Shown::Live(rest.to_owned())),
        "lab" => On::Base(Base::Lab(rest.to_owned())),
        "real" => On::Base(Base::Real(rest.to_owned())),
        "laid" => {
            let (file, rest) = rest.split_once(" at ").unwrap_or_else(|| panic!("no place: {cell}"));
            let (at, on) = rest.split_once(" on ").unwrap_or_else(|| panic!("no host: {cell}"));
            let (file, archive) =
                file.split_once(" in ").map_or((file, None), |(file, of)| (file, Some(of.to_owned())));
            let base = match on.split_once(' ') {
                Some(("real", path)) => Base::Real(path.to_owned()),
                None => Base::Lab(on.to_owned()),
                Some(_) => panic!("no host to lay a file on: {cell}"),
            };
            On::Laid { file: Published { file: file.to_owned(), archive }, at: at.to_owned(), base }
        }
        _ => panic!("no kind of host: {cell}"),
    };
    Some(Shown::On(on))
}
