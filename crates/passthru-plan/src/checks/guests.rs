//! What guests need: programs, firmware, permissions.

mod ovmf;
mod qemu;

use super::Check;

/// In the order in which they are shown.
pub(super) const CHECKS: &[Check] = &[qemu::CHECK, ovmf::CHECK];
