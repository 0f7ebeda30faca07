//! Whether the host is where the intent wants it, after the reboot.

use passthru_model::HostFacts;
use passthru_model::finding::Finding;
use passthru_model::intent::Intent;

/// Judges a running host against its intent.
pub fn verify(_facts: &HostFacts, _intent: &Intent) -> Vec<Finding> {
    Vec::new()
}
