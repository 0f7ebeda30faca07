//! What a check found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fact::Evidence;

/// The result of a check. Ordered from good to bad, so that the worst of many is their maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Does not apply to this host.
    Skip,
    /// As it should be.
    Pass,
    /// Could not be read; the summary says why.
    Unknown,
    /// Works, with something to know or to mend.
    Warn,
    /// Stands in the way.
    Fail,
}

impl Verdict {
    /// The word as it is printed and serialised.
    pub fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What to do about a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remedy {
    /// What to do, in a sentence or two.
    pub what: String,
    /// The command that does it, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Remedy {
    /// A remedy that the user carries out by hand.
    pub fn by_hand(what: impl Into<String>) -> Self {
        Self { what: what.into(), command: None }
    }

    /// A remedy that a command carries out.
    pub fn by_command(what: impl Into<String>, command: impl Into<String>) -> Self {
        Self { what: what.into(), command: Some(command.into()) }
    }
}

/// The result of one check, with everything needed to believe it and to act on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The check's stable name, such as `iommu-enabled`.
    pub id: String,
    /// The result.
    pub verdict: Verdict,
    /// One line that says what was found.
    pub summary: String,
    /// Why the check matters to passthrough.
    pub why: String,
    /// The files that were looked at and what they said.
    pub evidence: Vec<Evidence>,
    /// What to do, unless nothing needs doing.
    pub remedy: Option<Remedy>,
}
