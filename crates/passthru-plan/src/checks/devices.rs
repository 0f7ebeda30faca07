//! The devices: groups, drivers, resets, ROMs.

mod acs_override;
mod boot_framebuffer;
mod boot_gpu;
mod card_functions;
mod competing_drivers;
mod device_driver;
mod device_holders;
mod device_power;
mod device_reset;
mod framebuffer_parameters;
mod gpu_audio;
mod gpu_rom;
mod group_company;
mod host_display;
mod identical_devices;
mod large_bars;
mod pci_link;
mod reserved_regions;
mod reset_bug;
mod subjects;
mod usb_controllers;
mod virtual_functions;

use super::Check;

pub(crate) use acs_override::{has_split, is_often_patched};
pub(crate) use boot_framebuffer::version;
pub(crate) use reset_bug::has_vendor_reset;

/// In the order in which they are shown: groups, the card, the screen, its reset and power, then other devices.
pub(super) const CHECKS: &[Check] = &[
    reserved_regions::CHECK,
    group_company::CHECK,
    acs_override::CHECK,
    host_display::CHECK,
    device_driver::CHECK,
    device_holders::CHECK,
    competing_drivers::CHECK,
    card_functions::CHECK,
    identical_devices::CHECK,
    boot_gpu::CHECK,
    boot_framebuffer::CHECK,
    framebuffer_parameters::CHECK,
    gpu_rom::CHECK,
    gpu_audio::CHECK,
    large_bars::CHECK,
    pci_link::CHECK,
    device_reset::CHECK,
    reset_bug::CHECK,
    device_power::CHECK,
    usb_controllers::CHECK,
    virtual_functions::CHECK,
];
