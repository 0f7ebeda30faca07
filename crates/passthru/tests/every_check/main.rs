//! Every check is seen to pass and to object, each on a named host: a real kernel of the laboratory, or data of a real machine;
//! what no capture can hold is seen in a scenario of the laboratory.
//!
//! The table is in `table.txt`. The captures are made by `cargo xtask lab record`; the data of real machines is in a folder that is
//! not part of the project, and where that is absent its rows are left out, which the tests say.

mod hosts;
mod live;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use passthru_host::{Host, gather};
use passthru_model::{HostFacts, Verdict};
use passthru_plan::{checks, diagnose};

use hosts::{Base, On, say};
use table::Shown;

/// What every row of one kind of host says: check, column, host, and the line that its user reads.
fn said(wanted: impl Fn(&On) -> bool) -> String {
    let mut known: BTreeMap<On, HostFacts> = BTreeMap::new();
    let mut text = String::new();
    for row in table::read() {
        for (column, shown) in row.columns() {
            let Shown::On(on) = shown else { continue };
            if !wanted(on) {
                continue;
            }
            let facts = known.entry(on.clone()).or_insert_with(|| on.facts());
            let one = diagnose(facts, &[&row.check]).expect("a check").remove(0);
            let verdict = one.verdict.word();
            assert!(column.has(verdict), "{} {column:?} on {on}: {verdict} {}", row.check, one.summary);
            let _ = writeln!(text, "{} on {on}\n    {}: {}", row.check, one.verdict.word(), one.summary);
        }
    }
    text
}

#[test]
fn every_check_is_in_the_table() {
    let all: Vec<&str> = checks().map(|check| check.id).collect();
    let rows = table::read();
    assert_eq!(rows.iter().map(|row| row.check.as_str()).collect::<Vec<_>>(), all);
}

#[test]
fn scenarios_that_the_table_names_demand_these_verdicts_of_a_running_kernel() {
    for row in table::read() {
        for (column, shown) in row.columns() {
            let Shown::Live(scenario) = shown else { continue };
            let verdicts = live::demanded(scenario, &row.check);
            assert!(
                verdicts.iter().any(|verdict| column.has(verdict)),
                "{scenario} demands {verdicts:?} of {}, {column:?}",
                row.check
            );
        }
    }
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

#[test]
fn what_only_a_running_machine_can_say_is_unknown_of_a_capture() {
    let limits = b"Max locked memory         8388608              8388608              bytes\n";
    let capture =
        hosts::laid(Base::Lab("faults-of-settings/plain".to_owned()).unpacked(), "proc/self/limits", limits);
    let facts = gather(&Host::from_archive(capture.as_slice()).expect("opens"));
    for one in diagnose(&facts, &["kvm", "user-permissions", "locked-memory"]).expect("checks") {
        assert_eq!(one.verdict, Verdict::Unknown, "{}: {}", one.id, one.summary);
    }
}

/// udev's database names the unit and cannot name groups: that is no fault of the machine.
#[test]
fn an_iommu_whose_groups_cannot_be_seen_is_not_accused() {
    if !hosts::corpora().is_dir() {
        return say(&format!("skipped: there is no {}", hosts::corpora().display()));
    }
    let facts = On::Base(Base::Real("udev/HP_ELITEBOOK_835_13_INCH_G10.txt".to_owned())).facts();
    assert!(facts.iommu.units.value().is_some_and(|units| !units.is_empty()));
    let one = diagnose(&facts, &["iommu-enabled"]).expect("a check").remove(0);
    assert_eq!(one.verdict, Verdict::Unknown, "{}", one.summary);
}
