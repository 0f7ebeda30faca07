//! `/proc/interrupts`: whether the IOMMU remaps interrupts.

/// Whether interrupts are remapped, told by the names of interrupt chips; `None` where no name tells.
///
/// The kernel puts `IR-` before the chip's name where the interrupt goes through remapping: `IR-IO-APIC`
/// (`ioapic_ir_chip`, `arch/x86/kernel/apic/io_apic.c`) and `IR-PCI-MSI` (`msi_parent_ops.prefix`,
/// `drivers/iommu/intel/irq_remapping.c` and `drivers/iommu/amd/iommu.c`; `vIR-` where the IOMMU is itself virtual).
/// Without remapping, the same chips are called `IO-APIC` and `PCI-MSI`. Chips of other architectures say nothing.
pub fn remapped(bytes: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = false;
    for line in text.lines() {
        let Some((number, rest)) = line.split_once(':') else { continue };
        // Only numbered lines have a chip; NMI, LOC and the like are counters.
        if number.trim().parse::<u32>().is_err() {
            continue;
        }
        let Some(chip) =
            rest.split_ascii_whitespace().find(|word| !word.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            continue;
        };
        if chip.starts_with("IR-") || chip.starts_with("vIR-") {
            return Some(true);
        }
        plain |= chip == "IO-APIC" || chip.starts_with("PCI-MSI");
    }
    plain.then_some(false)
}

#[cfg(test)]
mod tests {
    use super::remapped;
    use proptest::prelude::*;

    #[test]
    fn the_prefix_of_a_chip_tells() {
        let with = b"           CPU0       CPU1\n  0:   9   0  IR-IO-APIC    2-edge      timer\n 24:  0  0  DMAR-MSI  0-edge  dmar0\n";
        let without =
            b"      CPU0\n 26:  0  IO-APIC   4-edge      ttyS0\n 28:  0 PCI-MSIX-0000:00:01.0  0-edge  a\n";
        let arm = b"      CPU0\n 11:  7  GICv3  27 Level  arch_timer\n";
        assert_eq!([remapped(with), remapped(without), remapped(arm)], [Some(true), Some(false), None]);
    }

    #[test]
    fn a_device_called_like_the_prefix_does_not_tell() {
        assert_eq!(remapped(b" CPU0\n 28:  0 PCI-MSI-0000:00:01.0  0-edge  IR-receiver\n"), Some(false));
        assert_eq!(remapped(b"IR-X:  0  IR-IO-APIC\n"), None);
    }

    #[test]
    fn a_virtual_iommu_that_remaps_counts() {
        assert_eq!(remapped(b" CPU0\n 28:  0 vIR-PCI-MSI-0000:00:01.0  0-edge  a\n"), Some(true));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = remapped(&bytes);
        }
    }
}
