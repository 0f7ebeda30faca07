//! The machine and its kernel: processor, firmware, IOMMU, command line.

mod address_width;
mod amd_iommu_on;
mod cpu_virtualization;
mod firmware_mappings;
mod graphics_iommu;
mod interrupt_remapping;
mod iommu_enabled;
mod iommu_firmware;
mod iommu_groups;
mod iommu_passthrough;
mod kernel_options;
mod kernel_parameters;
mod kvm;
mod nested_virtualization;
mod secure_boot;
mod uefi_boot;
mod unsafe_interrupts;
mod vfio_interface;
mod x2apic;

use super::Check;

/// In the order in which they are shown: the processor, how the host was started, the IOMMU, interrupts, the kernel.
pub(super) const CHECKS: &[Check] = &[
    cpu_virtualization::CHECK,
    kvm::CHECK,
    nested_virtualization::CHECK,
    uefi_boot::CHECK,
    secure_boot::CHECK,
    iommu_firmware::CHECK,
    iommu_enabled::CHECK,
    iommu_groups::CHECK,
    graphics_iommu::CHECK,
    firmware_mappings::CHECK,
    address_width::CHECK,
    interrupt_remapping::CHECK,
    x2apic::CHECK,
    unsafe_interrupts::CHECK,
    kernel_parameters::CHECK,
    amd_iommu_on::CHECK,
    iommu_passthrough::CHECK,
    kernel_options::CHECK,
    vfio_interface::CHECK,
];
