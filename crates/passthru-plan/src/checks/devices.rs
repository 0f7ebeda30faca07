//! The devices: groups, drivers, resets, ROMs.

mod device_driver;
mod group_company;
mod reserved_regions;

use super::Check;

/// In the order in which they are shown.
pub(super) const CHECKS: &[Check] = &[reserved_regions::CHECK, device_driver::CHECK, group_company::CHECK];
