//! What guests need: programs, firmware, permissions; and the guests themselves.

mod domains;
mod evdev_input;
mod guest_audio;
mod guest_card_nodes;
mod guest_cores;
mod guest_devices;
mod guest_firmware;
mod guest_helpers;
mod guest_hugepages;
mod guest_interrupts;
mod guest_media;
mod guest_network;
mod guest_picture;
mod guest_pinning;
mod guest_processor;
mod guest_threads;
mod hdmi_audio;
mod host_gpu;
mod libvirt_daemon;
mod libvirt_device_list;
mod libvirt_firmware_list;
mod lock_limit;
mod looking_glass;
mod nvidia_hiding;
mod ovmf;
mod qemu;
mod qemu_version;
mod user_groups;
mod virtio_on_host;

use super::Check;

/// In the order in which they are shown.
pub(super) const CHECKS: &[Check] = &[
    qemu::CHECK,
    qemu_version::CHECK,
    ovmf::CHECK,
    guest_helpers::CHECK,
    user_groups::CHECK,
    lock_limit::CHECK,
    libvirt_daemon::CHECK,
    libvirt_firmware_list::CHECK,
    libvirt_device_list::CHECK,
    guest_firmware::CHECK,
    guest_processor::CHECK,
    guest_media::CHECK,
    guest_devices::CHECK,
    guest_cores::CHECK,
    guest_pinning::CHECK,
    guest_threads::CHECK,
    guest_hugepages::CHECK,
    virtio_on_host::CHECK,
    guest_network::CHECK,
    evdev_input::CHECK,
    guest_audio::CHECK,
    looking_glass::CHECK,
    guest_picture::CHECK,
    guest_interrupts::CHECK,
    nvidia_hiding::CHECK,
    host_gpu::CHECK,
    guest_card_nodes::CHECK,
    hdmi_audio::CHECK,
];
