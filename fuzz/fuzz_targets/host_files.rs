//! One file of a host with any content; the first byte says which. All facts are read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passthru_host::{Host, gather};

/// Files whose content comes from firmware, devices or users.
const PATHS: &[&str] = &[
    "sys/bus/pci/devices/0000:00:01.0/config",
    "sys/bus/pci/devices/0000:00:01.0/modalias",
    "sys/bus/pci/devices/0000:00:01.0/resource",
    "sys/kernel/iommu_groups/1/reserved_regions",
    "sys/firmware/acpi/tables/DMAR",
    "sys/firmware/acpi/tables/IVRS",
    "proc/cpuinfo",
    "proc/cmdline",
    "proc/iomem",
    "proc/interrupts",
    "proc/self/mountinfo",
    "proc/bus/input/devices",
    "etc/default/grub",
    "etc/modprobe.d/x.conf",
    "boot/grub/grub.cfg",
    "usr/share/misc/pci.ids",
];

/// One file in a tar archive, by hand: a header of 512 bytes, the content, zeros up to the next 512.
fn file(path: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    header[263..265].copy_from_slice(b"00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut out = header.to_vec();
    out.extend(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, content)) = bytes.split_first() else { return };
    let path = PATHS[usize::from(*which) % PATHS.len()];
    let mut archive = file(path, content);
    archive.extend([0; 1024]);
    let host = Host::from_archive(archive.as_slice()).expect("the archive is well formed");
    let _ = gather(&host);
});
