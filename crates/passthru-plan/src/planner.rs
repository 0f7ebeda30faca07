//! The planner: from facts and an intent to the ordered steps that bring the host there.

mod consent;
mod refusal;

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::intent::Intent;
use passthru_model::plan::Plan;

pub use consent::Consent;
pub use refusal::{Reason, Refusal};

/// A change of the intent, and what it takes to bring the host there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentChange {
    /// The intent afterwards.
    pub intent: Intent,
    /// The text of the intent file afterwards; `None`: the file is removed.
    pub text: Option<String>,
    /// The steps, that of the intent file first.
    pub plan: Plan,
}

/// The plan that takes a host to an intent. Empty where it is there already. The intent file itself is left as it is.
pub fn plan_for(_facts: &HostFacts, _wanted: &Intent, _consent: &Consent) -> Result<Plan, Refusal> {
    Ok(Plan { title: String::new(), steps: Vec::new(), notes: Vec::new() })
}

/// The plan that isolates functions, on top of what the host's intent file says now.
pub fn isolate(
    facts: &HostFacts,
    addresses: &[PciAddress],
    consent: &Consent,
) -> Result<IntentChange, Refusal> {
    let _ = addresses;
    Ok(IntentChange {
        intent: Intent::default(),
        text: None,
        plan: plan_for(facts, &Intent::default(), consent)?,
    })
}

/// The plan that gives functions back to the host's drivers.
pub fn release(
    facts: &HostFacts,
    addresses: &[PciAddress],
    consent: &Consent,
) -> Result<IntentChange, Refusal> {
    isolate(facts, addresses, consent)
}
