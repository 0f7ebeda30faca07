//! One screen: what is ready, what blocks, and the next step to take.

use passthru_model::HostFacts;
use passthru_model::finding::{Finding, Remedy};
use passthru_model::intent::Intent;
use schemars::JsonSchema;
use serde::Serialize;

/// What `passthru` without arguments says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// The whole in one line.
    pub headline: String,
    /// What is as it should be, a line each.
    pub ready: Vec<String>,
    /// What stands in the way or wants attention, a line each, worst first.
    pub blocks: Vec<String>,
    /// The next step to take; `None`: nothing is left to do.
    pub next: Option<Remedy>,
}

/// Sums up a host for one screen. `findings` are those of [`crate::diagnose`].
pub fn summary(_facts: &HostFacts, _intent: Option<&Intent>, _findings: &[Finding]) -> Summary {
    Summary { headline: String::new(), ready: Vec::new(), blocks: Vec::new(), next: None }
}
