//! Settings in several shell files that a program sources one after the other: words go from all of them, and what is added comes
//! into the last one that has any.

use passthru_formats::cmdline::Change as WordChange;
use passthru_formats::error::Refused;
use passthru_formats::shell::value_of_all;
use passthru_model::HostFacts;
use passthru_model::plan::FileState;

use super::{Change, refused, text_of};
use crate::planner::Reason;
use crate::planner::iommu::Parameters;

/// The files that are not ours, in the order in which they are read, each with its path.
#[derive(Clone, Debug)]
pub(super) struct Sourced {
    files: Vec<(String, String)>,
}

impl Sourced {
    /// The files that are there: for a path that ends with a slash those below it, in order of name.
    pub(super) fn of(
        facts: &HostFacts,
        paths: &[&str],
        is_ours: impl Fn(&str) -> bool,
        reasons: &mut Vec<Reason>,
    ) -> Self {
        let mut files = Vec::new();
        for path in paths {
            let all = facts.files.keys().chain(facts.unreadable_files.keys()).map(String::as_str);
            let inside = all.filter(|one| path.ends_with('/') && one.starts_with(*path));
            let paths: Vec<&str> =
                std::iter::once(*path).filter(|path| !path.ends_with('/')).chain(inside).collect();
            for path in paths.into_iter().filter(|path| !is_ours(path)) {
                files.extend(text_of(facts, path, reasons).map(|text| (path.to_owned(), text.to_owned())));
            }
        }
        Self { files }
    }

    /// The paths of the files.
    pub(super) fn paths(&self) -> Vec<String> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }

    /// The files, each with its path.
    pub(super) fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// What a variable is in the end. Where that cannot be told the reason is added, and it is empty.
    pub(super) fn value(&self, name: &str, reasons: &mut Vec<Reason>) -> String {
        let texts: Vec<&str> = self.files.iter().map(|(_, text)| text.as_str()).collect();
        value_of_all(&texts, name).unwrap_or_else(|(index, error)| {
            reasons.extend(self.files.get(index).map(|(path, _)| refused(path, error.into())));
            String::new()
        })
    }

    /// The last file that sets something.
    pub(super) fn last(&self, sets: impl Fn(&str) -> bool) -> Option<&str> {
        self.files.iter().rev().find(|(_, text)| sets(text)).map(|(path, _)| path.as_str())
    }

    /// The changes for the needed words to come and go. What is added comes into the file `last`, which is made where it is not there.
    pub(super) fn changes(
        &self,
        facts: &HostFacts,
        needed: &Parameters,
        last: &str,
        edit: impl Fn(&str, &WordChange) -> Result<String, Refused>,
        reasons: &mut Vec<Reason>,
    ) -> Vec<Change> {
        let new = (last.to_owned(), String::new());
        let is_missing = !self.files.iter().any(|(path, _)| path == last);
        let mut changes = Vec::new();
        for (path, old) in is_missing.then_some(&new).into_iter().chain(&self.files) {
            let words = needed.changes();
            let mut words = words.iter().filter(|word| path == last || !matches!(word, WordChange::Add(_)));
            match words.try_fold(old.clone(), |text, word| edit(&text, word)) {
                Ok(text) => {
                    let before = facts.files.get(path).unwrap_or(&FileState::Absent);
                    let is_nothing = text.is_empty() && *before == FileState::Absent;
                    changes.extend(Change::to(path, before, text).filter(|_| !is_nothing));
                }
                Err(error) => reasons.push(refused(path, error)),
            }
        }
        changes
    }
}
