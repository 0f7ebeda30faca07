//! Each section of the page and each procedure of the practice has its checks, and no check names a section that the page
//! does not have.

use std::collections::BTreeSet;
use std::path::Path;

use passthru_plan::checks;
use pretty_assertions::assert_eq;

/// The page's sections in its order, with the checks of each. Sections that only hold others are left out, as is the list
/// of links at its end.
const SECTIONS: &[(&str, &[&str])] = &[
    (
        "Prerequisites",
        &[
            "cpu-virtualization",
            "kvm",
            "nested-virtualization",
            "uefi-boot",
            "host-display",
            "vfio-interface",
        ],
    ),
    ("Enabling IOMMU", &["iommu-firmware", "iommu-enabled", "amd-iommu-on", "iommu-passthrough"]),
    ("Ensuring that the groups are valid", &["iommu-groups", "group-company", "reserved-regions"]),
    ("Gotchas", &["group-company", "device-power"]),
    ("Plugging your guest GPU in an unisolated CPU-based PCIe slot", &["group-company"]),
    ("Isolating the GPU", &["vfio-pci", "device-driver", "card-functions", "isolation-state"]),
    (
        "Using vfio-pci",
        &["vfio-ids", "vfio-options", "driver-order", "initramfs-settings", "initramfs-contents"],
    ),
    ("Using pci-stub (legacy method, pre-4.1 kernels)", &["pci-stub"]),
    ("Setting up an OVMF-based guest VM", &["ovmf", "guest-firmware"]),
    ("Configuring libvirt", &["libvirt-daemon", "libvirt-nvram", "qemu"]),
    ("Setting up the guest OS", &["guest-helpers", "guest-processor"]),
    ("Attaching the PCI devices", &["guest-devices", "evdev-input"]),
    ("Using a non-EFI image on an OVMF-based VM", &["guest-media"]),
    ("Performance tuning", &["pci-link"]),
    ("CPU pinning", &["cpu-pinning", "guest-pinning"]),
    ("The case of Hyper-threading", &["guest-threads"]),
    ("Static huge pages", &["huge-pages", "guest-hugepages", "transparent-huge-pages"]),
    ("CPU frequency governor", &["cpu-governor"]),
    ("High DPC Latency", &["irq-affinity", "apic-virtualization", "virtio-modules"]),
    ("CPU pinning with isolcpus", &["cpu-isolation"]),
    ("Improving performance on AMD CPUs", &["nested-paging"]),
    ("Further Tuning", &["ignore-msrs", "mitigations"]),
    ("Using identical guest and host GPUs", &["identical-devices", "driver-override"]),
    ("Passing the boot GPU to the guest", &["boot-gpu", "framebuffer-parameters"]),
    ("Bypassing the IOMMU groups (ACS override patch)", &["acs-override"]),
    ("Plain QEMU without libvirt", &["locked-memory", "qemu-version"]),
    ("Passing though other devices", &["virtual-functions"]),
    ("USB controller", &["usb-controllers"]),
    ("Passing VM audio to host via PulseAudio", &["guest-audio"]),
    ("Passing through a device that does not support resetting", &["device-reset", "reset-bug"]),
    ("Complete setups and examples", &["looking-glass"]),
    ("\"Error 43: Driver failed to load\" on Nvidia GPUs passed to Windows VMs", &["hypervisor-hiding"]),
    ("\"BAR 3: cannot reserve [mem]\" error in dmesg after starting VM", &["boot-framebuffer", "large-bars"]),
    ("UEFI (OVMF) Compatability in VBIOS", &["gpu-rom"]),
    ("Slowed down audio pumped through HDMI on the video card", &["gpu-audio", "guest-interrupts"]),
    ("No HDMI audio output on host when intel_iommu is enabled", &["integrated-graphics"]),
    ("X doesn't start after enabling vfio_pci", &["desktop-gpu", "device-holders"]),
    ("Chromium ignores integrated graphics for acceleration", &["guest-card-nodes"]),
    ("VM only uses one core", &["guest-cores"]),
    ("Passthrough seems to work but no output is displayed", &["guest-picture"]),
    ("virt-manager has permission issues", &["user-permissions"]),
];

/// The procedures of the practice (its §20) in their order, with the checks that say whether each is done.
const PROCEDURES: &[(&str, &[&str])] = &[
    ("Enable IOMMU", &["iommu-firmware", "iommu-enabled", "graphics-iommu"]),
    ("Groups valid", &["iommu-groups", "group-company"]),
    ("ACS override", &["acs-override"]),
    ("Static vfio bind", &["vfio-ids", "vfio-options", "driver-order", "isolation-state"]),
    ("driver_override bind", &["driver-override"]),
    ("Initramfs", &["initramfs-settings", "initramfs-contents", "initramfs-age"]),
    ("Cmdline", &["pending-parameters", "kernel-parameters"]),
    ("libvirt service", &["libvirt-daemon"]),
    ("OVMF", &["ovmf", "guest-firmware"]),
    ("TPM", &["guest-helpers"]),
    ("Define VM", &["guest-firmware", "guest-processor", "guest-media"]),
    ("Attach hostdev", &["guest-devices", "guest-interrupts"]),
    ("Pinning", &["cpu-pinning", "guest-pinning", "guest-threads"]),
    ("Hugepages", &["huge-pages", "guest-hugepages"]),
    ("THP", &["transparent-huge-pages"]),
    ("CPU isolation", &["cpu-isolation"]),
    ("Governor/EPP", &["cpu-governor"]),
    ("IRQ affinity", &["irq-affinity"]),
    ("Identical GPUs", &["identical-devices", "driver-override"]),
    ("Boot GPU", &["boot-gpu", "boot-framebuffer"]),
    ("ROM file", &["gpu-rom"]),
    ("Reset method", &["device-reset", "reset-bug"]),
    ("USB controller", &["usb-controllers"]),
    ("Audio", &["guest-audio"]),
    ("evdev", &["evdev-input"]),
    ("Looking Glass", &["looking-glass"]),
    ("Host GPU choice", &["desktop-gpu", "guest-card-nodes", "device-holders"]),
    ("Permissions", &["user-permissions"]),
    ("MSI in guest", &["gpu-audio", "guest-interrupts"]),
    ("Single GPU hooks", &["libvirt-hooks"]),
];

/// What the page says and is no longer so (the practice's “Corrections”, by number), with the checks that find it on a host.
const CORRECTIONS: &[(&str, &[&str])] = &[
    ("1. amd_iommu=on is no option", &["amd-iommu-on"]),
    ("2. iommu=pt keeps Linux off no device", &["iommu-passthrough"]),
    ("3. Transparent huge pages serve guests with devices", &["transparent-huge-pages"]),
    ("4. vfio_virqfd is gone", &["vfio-virqfd"]),
    ("5. NVIDIA's drivers no longer look for a guest", &["hypervisor-hiding"]),
    ("6. A file reset is not the whole story", &["device-reset", "reset-bug"]),
    ("7. QEMU_AUDIO_DRV and QEMU_PA_SERVER do nothing", &["guest-audio"]),
    ("8. nvram= is passed over where there are descriptors", &["libvirt-nvram"]),
    ("9. video=efifb:off does nothing", &["framebuffer-parameters"]),
    ("10. IOMMUFD since QEMU 9.0 and libvirt 12.1", &["vfio-interface", "qemu-version"]),
];

#[test]
fn every_section_and_procedure_has_checks_and_every_check_a_section() {
    let known: BTreeSet<&str> = checks().map(|check| check.id).collect();
    for (name, ids) in SECTIONS.iter().chain(PROCEDURES).chain(CORRECTIONS) {
        assert!(!ids.is_empty(), "{name} has no check");
        for id in *ids {
            assert!(known.contains(id), "{name}: there is no check {id}");
        }
    }
    let sections: BTreeSet<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    for check in checks() {
        assert!(sections.contains(check.section), "{}: the page has no section {}", check.id, check.section);
    }
}

#[test]
fn the_page_has_these_sections_in_this_order() {
    let Some(page) = shared("reference/pci-passthrough-via-ovmf.txt") else { return };
    let mut lines = page.lines();
    for (name, _) in SECTIONS {
        assert!(lines.any(|line| line == *name), "{name} does not come next on the page");
    }
}

#[test]
fn the_practice_has_these_procedures_and_no_others() {
    let Some(practice) = shared("PRACTICE.md") else { return };
    let cards = practice.split("## 20.").nth(1).expect("a section 20");
    let rows = cards.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let rows: Vec<&str> = rows.filter(|row| !row.starts_with("procedure")).collect();
    assert_eq!(rows, PROCEDURES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

/// A text that is not part of the project; `None`, with a word about it, where it is absent.
fn shared(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        crate::common::announce(&format!("skipped: there is no {}", path.display()));
    }
    text
}
