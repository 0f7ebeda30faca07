//! `/proc/interrupts`: whether the IOMMU remaps interrupts, and who uses which.

use std::collections::BTreeMap;

use passthru_model::address::PciAddress;

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

/// Who uses each numbered interrupt: the last part of its line, behind the counters, the chip, and the kind of signal
/// (`show_interrupts`, `kernel/irq/proc.c`): `  33:  0  7  IR-PCI-MSI-0000:00:14.0  0-edge  xhci_hcd`.
pub fn users(bytes: &[u8]) -> BTreeMap<u32, String> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some((number, rest)) = line.split_once(':') else { continue };
        let Ok(number) = number.trim().parse() else { continue };
        let words = rest.split_ascii_whitespace();
        let mut behind =
            words.skip_while(|word| word.bytes().all(|byte| byte.is_ascii_digit())).skip(1).peekable();
        // The kind: `0-edge`, `2-fasteoi`, or the word alone after the number.
        while behind
            .peek()
            .is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()) || is_kind(word))
        {
            behind.next();
        }
        let name = behind.collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            found.insert(number, name);
        }
    }
    found
}

/// Whether a word tells how an interrupt is signalled.
fn is_kind(word: &str) -> bool {
    let kind = word.split_once('-').map_or(word, |(_, kind)| kind);
    matches!(kind, "edge" | "level" | "fasteoi" | "Edge" | "Level")
}

/// The functions for which vfio-pci has asked for interrupts, and whether it is the shared line (INTx). Their names are
/// `vfio-msi[0](0000:01:00.0)`, `vfio-msix[0](…)` and `vfio-intx(…)` (`drivers/vfio/pci/vfio_pci_intrs.c`).
pub fn of_vfio(bytes: &[u8]) -> BTreeMap<PciAddress, bool> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = BTreeMap::new();
    for word in text.split_ascii_whitespace().filter_map(|word| word.strip_prefix("vfio-")) {
        // Several actions on one line are separated by a comma and a blank.
        let Some((kind, address)) = word.trim_end_matches(',').split_once('(') else { continue };
        if let Some(Ok(address)) = address.strip_suffix(')').map(str::parse) {
            *found.entry(address).or_insert(false) |= kind == "intx";
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{of_vfio, remapped, users};
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

    #[test]
    fn users_stand_behind_the_chip_and_the_kind() {
        let text = b"       CPU0  CPU1\n   0:  9  0  IR-IO-APIC    2-edge      timer\n  16:  0  1  IR-IO-APIC   16-fasteoi   i801_smbus, snd\n\
            33:  0  7  IR-PCI-MSI-0000:00:14.0    0-edge      xhci_hcd\n 34:  0  0  PCI-MSI 512000 edge\n NMI: 1 2 Non-maskable interrupts\n";
        let found = users(text);
        assert_eq!(found.get(&0).map(String::as_str), Some("timer"));
        assert_eq!(found.get(&16).map(String::as_str), Some("i801_smbus, snd"));
        assert_eq!(found.get(&33).map(String::as_str), Some("xhci_hcd"));
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn the_interrupts_of_guests_are_told_by_their_names() {
        let text = b" 16:  1  IR-IO-APIC  16-fasteoi   ehci_hcd:usb1, vfio-intx(0000:01:00.1)\n\
            130:  9  IR-PCI-MSI 524288-edge  vfio-msi[0](0000:01:00.0)\n";
        let found: Vec<_> =
            of_vfio(text).into_iter().map(|(address, line)| (address.to_string(), line)).collect();
        assert_eq!(found, [("0000:01:00.0".to_owned(), false), ("0000:01:00.1".to_owned(), true)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (remapped(&bytes), users(&bytes));
        }
    }
}
