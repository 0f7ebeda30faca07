//! The checks: each is data and one pure function, one check a file.

use passthru_model::HostFacts;
use passthru_model::fact::Evidence;
use passthru_model::finding::{Finding, Remedy, Verdict};

/// What a check's function says; [`Finding`] adds the check's own data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The result.
    pub verdict: Verdict,
    /// One line that says what was found.
    pub summary: String,
    /// What was looked at.
    pub evidence: Vec<Evidence>,
    /// What to do, unless nothing needs doing.
    pub remedy: Option<Remedy>,
}

/// One thing that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its stable name, such as `iommu-enabled`.
    pub id: &'static str,
    /// What it asks, in a few words.
    pub title: &'static str,
    /// The section of the page "PCI passthrough via OVMF" that it belongs to.
    pub section: &'static str,
    /// Why it matters to passthrough.
    pub why: &'static str,
    /// The judgement.
    pub run: fn(&HostFacts) -> Outcome,
}

impl Check {
    /// Judges a host.
    pub fn find(&self, facts: &HostFacts) -> Finding {
        let outcome = (self.run)(facts);
        Finding {
            id: self.id.to_owned(),
            verdict: outcome.verdict,
            summary: outcome.summary,
            why: self.why.to_owned(),
            evidence: outcome.evidence,
            remedy: outcome.remedy,
        }
    }
}

/// A check was asked for by a name that none has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no check ‘{name}’; the checks are {}", known.join(", "))]
pub struct UnknownCheck {
    /// The name that was given.
    pub name: String,
    /// The names there are.
    pub known: Vec<&'static str>,
}

/// All checks, in the order in which a person would look: the machine, the kernel, the groups, the guests.
pub fn checks() -> &'static [Check] {
    &[]
}

/// Judges a host by the checks named, or by all where none is named, always in the order of [`checks`].
pub fn diagnose(facts: &HostFacts, ids: &[impl AsRef<str>]) -> Result<Vec<Finding>, UnknownCheck> {
    for id in ids {
        if !checks().iter().any(|check| check.id == id.as_ref()) {
            return Err(UnknownCheck {
                name: id.as_ref().to_owned(),
                known: checks().iter().map(|check| check.id).collect(),
            });
        }
    }
    let wanted = |check: &&Check| ids.is_empty() || ids.iter().any(|id| id.as_ref() == check.id);
    Ok(checks().iter().filter(wanted).map(|check| check.find(facts)).collect())
}
