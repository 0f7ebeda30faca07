//! What makes guests slow: memory in small pieces, CPUs that are shared, frequencies, interrupts. Nothing here keeps a guest
//! from running, so nothing fails but what makes the host itself unusable.

mod apic_virtualization;
mod cpu_governor;
mod cpu_isolation;
mod cpu_pinning;
mod huge_pages;
mod ignore_msrs;
mod irq_affinity;
mod memory_fragmentation;
mod mitigations;
mod nested_paging;
mod split_lock;
mod transparent_huge_pages;

use super::Check;

/// In the order in which they are shown: CPUs, memory, interrupts, settings of KVM.
pub(super) const CHECKS: &[Check] = &[
    cpu_pinning::CHECK,
    cpu_isolation::CHECK,
    irq_affinity::CHECK,
    cpu_governor::CHECK,
    huge_pages::CHECK,
    transparent_huge_pages::CHECK,
    memory_fragmentation::CHECK,
    nested_paging::CHECK,
    apic_virtualization::CHECK,
    ignore_msrs::CHECK,
    split_lock::CHECK,
    mitigations::CHECK,
];
