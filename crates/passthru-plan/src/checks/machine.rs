//! The machine and its kernel: processor, firmware, IOMMU, command line.

mod cpu_virtualization;
mod interrupt_remapping;
mod iommu_enabled;
mod iommu_firmware;
mod iommu_groups;
mod kernel_parameters;
mod kvm;

use super::Check;

/// In the order in which they are shown.
pub(super) const CHECKS: &[Check] = &[
    cpu_virtualization::CHECK,
    kvm::CHECK,
    iommu_firmware::CHECK,
    iommu_enabled::CHECK,
    iommu_groups::CHECK,
    interrupt_remapping::CHECK,
    kernel_parameters::CHECK,
];
