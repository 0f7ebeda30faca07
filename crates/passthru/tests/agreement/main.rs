//! A report of agreement: all real machines' data, beside what the machines' own tools, lspci, lscpu, hwloc and udev say of it.
//!
//! `cargo nextest run -p passthru --test agreement --no-capture` prints it. The data is in a folder that is no part of the project;
//! where it is absent, the report says so and nothing else.

mod capabilities;
#[path = "../../../passthru-host/tests/host/common.rs"]
mod common;
mod foreign;
#[path = "../../../passthru-host/tests/host/corpora.rs"]
mod hosts;
mod lspci;
#[path = "../../../passthru-host/tests/host/roms.rs"]
mod roms;
mod sections;
#[path = "../../../passthru-host/tests/host/topologies.rs"]
mod topologies;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What was compared: by subject, how many agreed and which did not.
#[derive(Default)]
struct Tally {
    agreed: BTreeMap<String, usize>,
    differing: Vec<String>,
}

impl Tally {
    /// Counts a comparison.
    fn check<T: PartialEq + std::fmt::Debug>(&mut self, subject: &str, whose: &str, ours: &T, theirs: &T) {
        if ours == theirs {
            *self.agreed.entry(subject.to_owned()).or_default() += 1;
        } else {
            self.differing.push(format!("{whose}: {subject}: ours {ours:?}, theirs {theirs:?}"));
        }
    }

    /// The lines of a report.
    fn report(&self, title: &str) -> String {
        let all: usize = self.agreed.values().sum();
        let mut text = format!("{title}: {all} agree, {} differ\n", self.differing.len());
        for (subject, count) in &self.agreed {
            let _ = writeln!(text, "  {count:>6}  {subject}");
        }
        for line in &self.differing {
            let _ = writeln!(text, "  differs: {line}");
        }
        text
    }
}

/// A folder of real machines' data; `None`, with a word about it, where it is absent.
fn corpora(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    common::announce(&format!("skipped: there is no {}", path.display()));
    None
}

/// The files of a folder, in order.
fn files(folder: &str) -> Vec<PathBuf> {
    let Some(folder) = corpora(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}
