//! How devices are taken from the host at boot, and whether that happened.

mod boot_advice;
mod driver_blacklist;
mod driver_override;
mod initramfs_age;
mod initramfs_contents;
mod initramfs_settings;
mod isolation_state;
mod last_boot;
mod load_order;
mod other_setups;
mod pci_stub;
mod pending_parameters;
mod single_gpu_hooks;
mod vfio_ids;
mod vfio_options;
mod vfio_pci;
mod vfio_virqfd;

use super::Check;

/// In the order in which they are shown.
pub(super) const CHECKS: &[Check] = &[
    vfio_pci::CHECK,
    vfio_ids::CHECK,
    vfio_options::CHECK,
    load_order::CHECK,
    driver_blacklist::CHECK,
    vfio_virqfd::CHECK,
    initramfs_settings::CHECK,
    initramfs_contents::CHECK,
    initramfs_age::CHECK,
    driver_override::CHECK,
    pci_stub::CHECK,
    pending_parameters::CHECK,
    boot_advice::CHECK,
    other_setups::CHECK,
    single_gpu_hooks::CHECK,
    isolation_state::CHECK,
    last_boot::CHECK,
];
