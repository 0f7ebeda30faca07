//! What is taken as given beside the facts of the host.

pub use passthru_model::acs_override::{AcsOverride, OverrideError};

/// What is taken as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumptions {
    /// That the kernel has the override patch and these words.
    pub acs_override: Option<AcsOverride>,
}

/// How to take what could not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// As if it kept nothing apart: no group turns out larger than foretold.
    Shared,
    /// As if it kept everything apart: no group turns out smaller than foretold.
    Apart,
}
