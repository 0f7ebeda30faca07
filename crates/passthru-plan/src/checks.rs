//! The checks: each is data and one pure function, one check a file.

mod binding;
mod devices;
mod guests;
mod machine;
mod remarks;
mod tuning;

use passthru_model::HostFacts;
use passthru_model::fact::{Evidence, Fact};
use passthru_model::finding::{Finding, Remedy, Verdict};

pub(crate) use devices::{has_split, has_vendor_reset, is_often_patched, version};
pub use guests::{Judgement, Lint};
pub use remarks::Remark;

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

impl Outcome {
    fn new(verdict: Verdict, summary: impl Into<String>) -> Self {
        Self { verdict, summary: summary.into(), evidence: Vec::new(), remedy: None }
    }

    fn pass(summary: impl Into<String>) -> Self {
        Self::new(Verdict::Pass, summary)
    }

    fn warn(summary: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, summary)
    }

    fn fail(summary: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, summary)
    }

    fn skip(summary: impl Into<String>) -> Self {
        Self::new(Verdict::Skip, summary)
    }

    /// For a fact that is not known: `what` begins the sentence "… is not known: because".
    fn unknown(what: &str, because: &str) -> Self {
        Self::new(Verdict::Unknown, format!("{what} is not known: {because}"))
    }

    fn seen<T>(mut self, fact: &Fact<T>) -> Self {
        self.evidence.extend(fact.evidence().cloned());
        self
    }

    fn evidence(mut self, path: impl Into<String>, value: impl Into<String>) -> Self {
        self.evidence.push(Evidence::new(path, value));
        self
    }

    /// Paths and what was found there, in order.
    fn all_evidence(mut self, seen: Vec<(String, String)>) -> Self {
        self.evidence.extend(seen.into_iter().map(|(path, value)| Evidence::new(path, value)));
        self
    }

    fn by_hand(mut self, what: impl Into<String>) -> Self {
        self.remedy = Some(Remedy::by_hand(what));
        self
    }

    fn by_command(mut self, what: impl Into<String>, command: impl Into<String>) -> Self {
        self.remedy = Some(Remedy::by_command(what, command));
        self
    }
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

/// Checks of one kind of thing.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// What they look at, as a heading.
    pub title: &'static str,
    /// The checks, in the order in which they are shown.
    pub checks: &'static [Check],
}

/// In the order in which a person would look.
static AREAS: [Area; 5] = [
    Area { title: "The machine and its kernel", checks: machine::CHECKS },
    Area { title: "Devices and their groups", checks: devices::CHECKS },
    Area { title: "Devices at boot", checks: binding::CHECKS },
    Area { title: "What guests need", checks: guests::CHECKS },
    Area { title: "What makes guests fast", checks: tuning::CHECKS },
];

/// All checks by what they look at, in the order in which a person would look.
pub fn areas() -> &'static [Area] {
    &AREAS
}

/// All checks, in the order of [`areas`].
pub fn checks() -> impl Iterator<Item = &'static Check> {
    AREAS.iter().flat_map(|area| area.checks)
}

/// The rules about one guest, each of which is a check of the same name too, in the order in which they are shown.
pub fn lints() -> &'static [Lint] {
    guests::LINTS
}

/// Judges a host by the checks named, or by all where none is named, always in the order of [`checks`].
pub fn diagnose(facts: &HostFacts, ids: &[impl AsRef<str>]) -> Result<Vec<Finding>, UnknownCheck> {
    for id in ids {
        if !checks().any(|check| check.id == id.as_ref()) {
            return Err(UnknownCheck {
                name: id.as_ref().to_owned(),
                known: checks().map(|check| check.id).collect(),
            });
        }
    }
    let wanted = |check: &&Check| ids.is_empty() || ids.iter().any(|id| id.as_ref() == check.id);
    Ok(checks().filter(wanted).map(|check| check.find(facts)).collect())
}

/// Where the checks run, when that explains what is missing: in a container or in a virtual machine.
fn surroundings(facts: &HostFacts) -> Option<String> {
    if let Some(container) = &facts.surroundings.container {
        return Some(format!(
            "this runs in a container ({container}), which may hide it; look on the machine itself"
        ));
    }
    facts.surroundings.hypervisor.as_ref().map(|hypervisor| {
        format!("this is a virtual machine ({hypervisor}), which has it only if its host gives it one")
    })
}

/// The functions of display class, in order of address.
fn displays(facts: &HostFacts) -> Vec<&passthru_model::pci::PciFunction> {
    facts.functions().filter(|function| function.class.is_display()).collect()
}

/// "1 thing" or "N things".
fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
