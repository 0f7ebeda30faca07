//! How devices are taken from the host at boot, and whether that happened.

mod isolation_state;
mod vfio_pci;

use super::Check;

/// In the order in which they are shown.
pub(super) const CHECKS: &[Check] = &[vfio_pci::CHECK, isolation_state::CHECK];
