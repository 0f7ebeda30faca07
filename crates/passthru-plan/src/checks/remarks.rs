//! Several things that one check has to say: the worst gives the verdict, and all of them are said.

use passthru_model::fact::Evidence;
use passthru_model::finding::{Remedy, Verdict};

use super::Outcome;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    list: Vec<(Verdict, String)>,
    evidence: Vec<Evidence>,
    /// The remedy of the worst remark, the first among equals.
    remedy: Option<(Verdict, Remedy)>,
}

impl Remarks {
    /// Whether nothing was remarked.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Something that works, with something to mend.
    pub(super) fn warn(&mut self, what: impl Into<String>) -> &mut Self {
        self.say(Verdict::Warn, what)
    }

    /// Something that stands in the way.
    pub(super) fn fail(&mut self, what: impl Into<String>) -> &mut Self {
        self.say(Verdict::Fail, what)
    }

    fn say(&mut self, verdict: Verdict, what: impl Into<String>) -> &mut Self {
        let what = what.into();
        if !self.list.iter().any(|(_, said)| *said == what) {
            self.list.push((verdict, what));
        }
        self
    }

    /// What to do about the last remark.
    pub(super) fn by_hand(&mut self, what: impl Into<String>) -> &mut Self {
        self.remedied(Remedy::by_hand(what))
    }

    /// The command that mends what the last remark says.
    pub(super) fn by_command(&mut self, what: impl Into<String>, command: impl Into<String>) -> &mut Self {
        self.remedied(Remedy::by_command(what, command))
    }

    fn remedied(&mut self, remedy: Remedy) -> &mut Self {
        let verdict = self.list.last().map_or(Verdict::Pass, |(verdict, _)| *verdict);
        if self.remedy.as_ref().is_none_or(|(known, _)| *known < verdict) {
            self.remedy = Some((verdict, remedy));
        }
        self
    }

    /// What was looked at.
    pub(super) fn seen(&mut self, path: impl Into<String>, value: impl Into<String>) -> &mut Self {
        let evidence = Evidence::new(path, value);
        if !self.evidence.contains(&evidence) {
            self.evidence.push(evidence);
        }
        self
    }

    /// The outcome: all remarks in one line, or, where there is none, `otherwise`.
    pub(super) fn outcome(self, otherwise: impl Into<String>) -> Outcome {
        let worst = self.list.iter().map(|(verdict, _)| *verdict).max().unwrap_or(Verdict::Pass);
        let summary = if self.list.is_empty() {
            otherwise.into()
        } else {
            // Worst first; among equals the order in which they were found.
            let mut list = self.list;
            list.sort_by_key(|(verdict, _)| std::cmp::Reverse(*verdict));
            list.into_iter().map(|(_, what)| what).collect::<Vec<_>>().join("; ")
        };
        Outcome {
            verdict: worst,
            summary,
            evidence: self.evidence,
            remedy: self.remedy.map(|(_, remedy)| remedy),
        }
    }
}
