//! SR-IOV: which functions can have virtual ones, and how many they have.

use passthru_formats::config_space;
use passthru_model::HostFacts;
use passthru_model::device_state::SriovState;
use passthru_model::pci::PciFunction;

/// By the kernel's files or, in a copy without them, by configuration space; `None`: it cannot be told, or the function has none.
pub(crate) fn of(facts: &HostFacts, function: &PciFunction) -> Option<SriovState> {
    let states = facts.device_states.value();
    let by_files = states.and_then(|states| states.get(&function.address)).and_then(|state| state.sriov);
    by_files.or_else(|| {
        let found = config_space::virtual_functions(&function.config).there()?;
        let enabled = if found.enabled { found.number } else { 0 };
        Some(SriovState { total: found.total, enabled, autoprobe: None })
    })
}
