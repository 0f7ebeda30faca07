//! Whether the IOMMU reaches as far as the processor does.

use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "address-width",
    title: "the IOMMU reaches every address that a guest may use",
    section: "Enabling IOMMU",
    why: "a guest's firmware places large BARs at the top of what the processor can address; where the IOMMU reaches less far, \
          mapping them fails (‘VFIO_MAP_DMA … Invalid argument’)",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let registers = &facts.iommu.registers;
    if let Some(why) = registers.because() {
        return Outcome::unknown("how far the IOMMU reaches", why);
    }
    let Some(bits) = facts.iommu.address_bits() else {
        return Outcome::skip("the kernel drives no IOMMU unit that says how far it reaches")
            .seen(&facts.iommu.units);
    };
    let processor = &facts.cpu.physical_bits;
    let Some(&wanted) = processor.value() else {
        return Outcome::unknown("how far the processor reaches", processor.because().unwrap_or_default())
            .seen(registers);
    };
    if bits >= wanted {
        return Outcome::pass(format!("the IOMMU reaches {bits} bits of address, the processor {wanted}"))
            .seen(registers)
            .seen(processor);
    }
    Outcome::warn(format!("the IOMMU reaches {bits} bits of address, and the processor {wanted}"))
        .seen(registers)
        .seen(processor)
        .by_hand(format!(
            "Give guests with devices no more than the IOMMU has: `-cpu host,host-phys-bits-limit={bits}` for QEMU, \
             <maxphysaddr mode='passthrough' limit='{bits}'/> for libvirt 9.3 and later"
        ))
}
