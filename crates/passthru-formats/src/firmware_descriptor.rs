//! QEMU firmware descriptors.
