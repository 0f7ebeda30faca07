//! What guests need: programs, firmware, permissions; and the guests themselves.

mod domains;
mod evdev_input;
mod guest_audio;
mod guest_balloon;
mod guest_caches;
mod guest_card_nodes;
mod guest_cores;
mod guest_devices;
mod guest_enlightenments;
mod guest_firmware;
mod guest_helpers;
mod guest_hugepages;
mod guest_interrupts;
mod guest_media;
mod guest_network;
mod guest_picture;
mod guest_pinning;
mod guest_processor;
mod guest_slots;
mod guest_threads;
mod guest_xml;
mod hdmi_audio;
mod host_gpu;
mod libvirt_daemon;
mod libvirt_device_list;
mod libvirt_firmware_list;
mod lint;
mod lock_limit;
mod looking_glass;
mod nvidia_hiding;
mod ovmf;
mod qemu;
mod qemu_version;
mod user_groups;
mod virtio_on_host;

use super::Check;
pub use lint::{Judgement, Lint};

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
    guest_xml::CHECK,
    guest_firmware::CHECK,
    guest_processor::CHECK,
    guest_enlightenments::CHECK,
    guest_media::CHECK,
    guest_devices::CHECK,
    guest_slots::CHECK,
    guest_cores::CHECK,
    guest_pinning::CHECK,
    guest_threads::CHECK,
    guest_caches::CHECK,
    guest_hugepages::CHECK,
    guest_balloon::CHECK,
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

/// Rules about one guest, in the order in which they are shown.
pub(super) static LINTS: &[Lint] = &[
    guest_xml::LINT,
    guest_firmware::LINT,
    guest_processor::LINT,
    guest_enlightenments::LINT,
    guest_media::LINT,
    guest_devices::LINT,
    guest_slots::LINT,
    guest_cores::LINT,
    guest_pinning::LINT,
    guest_threads::LINT,
    guest_caches::LINT,
    guest_hugepages::LINT,
    guest_balloon::LINT,
    guest_network::LINT,
    evdev_input::LINT,
    guest_audio::LINT,
    looking_glass::LINT,
    guest_picture::LINT,
    nvidia_hiding::LINT,
];
