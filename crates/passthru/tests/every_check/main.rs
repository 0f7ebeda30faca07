//! Every check is seen to pass and to object, each on a named host: a real kernel of the laboratory, or data of a real machine.
//!
//! The table is in `table.rs`. The captures are made by `cargo xtask lab record`; the data of real machines is in a folder that is
//! not part of the project, and where that is absent its rows are left out, which the tests say.

mod hosts;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use passthru_model::{HostFacts, Verdict};
use passthru_plan::{checks, diagnose};

use hosts::{On, say};
use table::{ELSEWHERE, ROWS};

/// What every row of one kind of host says: check, column, host, and the line that its user reads.
fn said(wanted: impl Fn(On) -> bool) -> String {
    let mut known: BTreeMap<On, HostFacts> = BTreeMap::new();
    let mut text = String::new();
    for row in ROWS {
        for (column, on) in [("passes", row.passes), ("objects", row.objects)] {
            let Some(on) = on.filter(|on| wanted(*on)) else { continue };
            let facts = known.entry(on).or_insert_with(|| on.facts());
            let one = diagnose(facts, &[row.check]).expect("a check").remove(0);
            let fits = match one.verdict {
                Verdict::Pass => column == "passes",
                Verdict::Warn | Verdict::Fail => column == "objects",
                Verdict::Skip | Verdict::Unknown => false,
            };
            assert!(fits, "{} {column} on {on}: {} {}", row.check, one.verdict.word(), one.summary);
            let _ = writeln!(text, "{} on {on}\n    {}: {}", row.check, one.verdict.word(), one.summary);
        }
    }
    text
}

#[test]
fn every_check_is_in_the_table_with_both_columns_or_says_where_else_it_is_shown() {
    let all: Vec<&str> = checks().map(|check| check.id).collect();
    let rows: Vec<&str> = ROWS.iter().map(|row| row.check).collect();
    assert_eq!(rows, all);
    for row in ROWS {
        let elsewhere = ELSEWHERE.iter().any(|(check, _)| *check == row.check);
        let whole = row.passes.is_some() && row.objects.is_some();
        assert_ne!(whole, elsewhere, "{}", row.check);
    }
    say(&format!(
        "{} checks: {} seen to pass and to object here, {} shown elsewhere",
        rows.len(),
        rows.len() - ELSEWHERE.len(),
        ELSEWHERE.len()
    ));
}

#[test]
fn checks_on_captures_of_the_laboratory_say_what_was_reviewed() {
    insta::assert_snapshot!(said(|on| !on.takes_corpora()));
}

#[test]
fn checks_on_real_machines_data_say_what_was_reviewed() {
    if !hosts::corpora().is_dir() {
        return say(&format!("skipped: there is no {}", hosts::corpora().display()));
    }
    insta::assert_snapshot!(said(On::takes_corpora));
}
