//! Why there is no plan.

mod reason;

use std::fmt;

pub use reason::Reason;

/// Why there is no plan: every reason found, so that they can be settled together. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reasons, in the order in which they were found.
    pub reasons: Vec<Reason>,
}

impl Refusal {
    /// The flags that would insist, for the reasons that have one, each once.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags: Vec<_> = self.reasons.iter().filter_map(Reason::flag).collect();
        flags.sort_unstable();
        flags.dedup();
        flags
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, reason) in self.reasons.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            reason.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reasons: vec![reason] }
    }
}

impl Reason {
    /// The flag of the command line that would insist, where there is one.
    pub fn flag(&self) -> Option<&'static str> {
        match self {
            Self::OnlyDisplay { .. } => Some("--take-only-display"),
            Self::StorageInUse { .. } | Self::NetworkInUse { .. } => Some("--take-in-use"),
            Self::LastKeyboard { .. } => Some("--take-last-keyboard"),
            Self::AcsOverride { .. } => Some("--accept-acs-override"),
            Self::UntriedBootChain { .. } => Some("--untried-boot-chain"),
            _ => None,
        }
    }
}
