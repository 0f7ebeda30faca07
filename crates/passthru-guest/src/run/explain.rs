//! QEMU's last words, with a plain cause where it is known.

/// What QEMU says, and what is behind it.
const CAUSES: &[(&str, &str)] = &[
    ("is not viable", "another device of the same IOMMU group is still used by a driver of the host"),
    ("failed to open /dev/vfio/", "another guest has the device, or this user may not open its group"),
    ("Could not open '/dev/vfio/", "another guest has the device, or this user may not open its group"),
    ("no iommu_group found", "the IOMMU is off, so the device cannot be confined to the guest"),
    ("VFIO_MAP_DMA", "the guest's memory could not be locked or mapped for the device"),
    ("vfio_dma_map", "the guest's memory could not be locked or mapped for the device"),
    ("vfio_container_dma_map", "the guest's memory could not be locked or mapped for the device"),
    ("is not bound to the vfio-pci driver", "a driver of the host has the device"),
    ("Failed to get \"write\" lock", "another program uses the disk image"),
    ("Failed to get \"consistent read\" lock", "another program uses the disk image"),
    ("Could not access KVM kernel module", "KVM cannot be used on this host"),
    ("failed to initialize kvm", "KVM cannot be used on this host"),
    ("cannot set up guest memory", "the host has not that much free memory"),
    ("Cannot allocate memory", "the host has not that much free memory"),
    ("unable to map backing store", "the host has not that much free memory"),
    ("Unknown audio driver", "this QEMU lacks the module of the sound server (Debian: qemu-system-gui)"),
    (
        "does not accept value 'pipewire'",
        "PipeWire came with QEMU 8.1; backend = \"pulseaudio\" reaches it through pipewire-pulse",
    ),
    ("doesn't exist (and is not <uid>:<gid>)", "run-as names no user of this host"),
    ("is not an evdev device", "an input device is named by its node, such as /dev/input/by-id/…-event-kbd"),
    ("Address already in use", "another QEMU uses the same socket"),
];

/// The lines that matter of what QEMU wrote, and the cause of them where it is known.
pub fn explain(log: &str) -> (String, Option<&'static str>) {
    let lines: Vec<&str> =
        log.lines().map(plain).filter(|line| !line.is_empty() && !line.contains("warning: ")).collect();
    let cause = CAUSES.iter().find(|(words, _)| lines.iter().any(|line| line.contains(words)));
    let words: Vec<String> = lines
        .iter()
        .rev()
        .take(3)
        .rev()
        .map(|line| line.chars().filter(|c| !c.is_control()).collect())
        .collect();
    (words.join("; "), cause.map(|(_, cause)| *cause))
}

/// A line without its time stamp and the program's name.
fn plain(line: &str) -> &str {
    let line = match line.split_once(' ') {
        Some((stamp, rest)) if stamp.starts_with("20") && stamp.ends_with('Z') => rest,
        _ => line,
    };
    line.strip_prefix("qemu-system-x86_64: ").unwrap_or(line).trim()
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn the_cause_is_named_beside_the_words() {
        let log = "2026-11-22T20:09:11.123456Z qemu-system-x86_64: warning: something else\n\
                   2026-11-22T20:09:11.123456Z qemu-system-x86_64: -device vfio-pci,host=0000:01:00.0: vfio 0000:01:00.0: group 1 is not viable\n\
                   Please ensure all devices within the iommu_group are bound to their vfio bus driver.\n";
        let (words, cause) = explain(log);
        assert!(words.starts_with("-device vfio-pci,host=0000:01:00.0"), "{words}");
        assert!(cause.is_some_and(|cause| cause.contains("same IOMMU group")));
        assert_eq!(explain(""), (String::new(), None));
    }
}
