//! What is known of resets.

use passthru_model::HostFacts;
use passthru_model::pci::PciFunction;

/// Whether a function without a reset is known to have none. In every real machine some function can be reset: where none
/// says so, the files are not in the capture.
pub(crate) fn are_told(facts: &HostFacts) -> bool {
    facts.functions().any(|function| !function.reset_methods.is_empty() || is_gap(function))
}

/// Whether how a function is reset could not be read; before Linux 5.15 only that it can be reset is said.
pub(crate) fn is_gap(function: &PciFunction) -> bool {
    function.gaps.contains_key("reset_method")
}

/// Whether a function can be reset, where that is known: a gap after an empty list of methods can be that of a kernel before
/// Linux 5.15, which has the file `reset` alone. `told`: see [`are_told`].
pub(crate) fn can(function: &PciFunction, told: bool) -> Option<bool> {
    match function.gaps.get("reset_method") {
        None if !told => None,
        None => Some(!function.reset_methods.is_empty()),
        Some(why) if why.contains("can reset") => Some(true),
        Some(_) => None,
    }
}
