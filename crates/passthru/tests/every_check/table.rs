//! The table, `table.txt`: where each check is seen to pass, and where to object.
//!
//! A row is `CHECK | WHERE IT PASSES | WHERE IT OBJECTS`. Where it does is one of these:
//!
//! - `lab SCENARIO/NAME`: a capture that a scenario of the laboratory took;
//! - `live SCENARIO`: a scenario that demands this verdict of a running kernel, for what no capture can hold;
//! - `real PATH`: data of a real machine below `corpora`;
//! - `laid FILE at PATH on HOST`: a published file below `corpora` on a host that has none there: a capture, as
//!   `SCENARIO/NAME`, or `real PATH`. `FILE in ARCHIVE` is a file of a real machine.

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
    pub(crate) passes: Shown,
    /// Where it warns or fails.
    pub(crate) objects: Shown,
}

impl Row {
    /// Both columns, each with the verdicts that it stands for.
    pub(crate) fn columns(&self) -> [(Column, &Shown); 2] {
        [(Column::Passes, &self.passes), (Column::Objects, &self.objects)]
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

/// Reads the table, in the order in which the checks are shown. A line that is no row is a failure of the test.
pub(crate) fn read() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/every_check/table.txt");
    let text = std::fs::read_to_string(path).expect("reads");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
            let [check, passes, objects] = cells.as_slice() else { panic!("not a row: {line}") };
            Row { check: (*check).to_owned(), passes: shown(passes), objects: shown(objects) }
        })
        .collect()
}

fn shown(cell: &str) -> Shown {
    let (kind, rest) = cell.split_once(' ').unwrap_or((cell, ""));
    let on = match kind {
        "live" => return Shown::Live(rest.to_owned()),
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
    Shown::On(on)
}
