//! The host's firmware, its kernel's options and its settings, on small trees.
#![expect(clippy::disallowed_methods, reason = "the tests make the trees that the door then reads")]

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use passthru_host::{Host, gather};
use passthru_model::firmware::{Lockdown, Start};
use passthru_model::iommu::UnitRegisters;
use pretty_assertions::assert_eq;

fn put(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let place = root.join(path.trim_start_matches('/'));
    std::fs::create_dir_all(place.parent().expect("a directory")).expect("makes it");
    std::fs::write(place, bytes).expect("writes");
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).expect("packs");
    packed.finish().expect("packs")
}

pub(crate) fn redacted(host: &Host) -> Host {
    let mut bytes = Vec::new();
    passthru_host::capture::archive(host, true, &mut bytes).expect("writes");
    Host::from_archive(bytes.as_slice()).expect("reads")
}

const SECURE_BOOT: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

#[test]
fn how_the_host_was_started_is_told_from_what_is_there_and_what_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let facts = || gather(&Host::open(root).expect("opens")).firmware;
    assert_eq!(facts().start.because(), Some("/sys/firmware is not there"));
    std::fs::create_dir(root.join("sys"))
        .and_then(|()| std::fs::create_dir(root.join("sys/firmware")))
        .expect("makes it");
    assert!(
        facts().start.because().is_some_and(|why| why.contains("masks it")),
        "an empty directory says nothing"
    );
    put(root, "/sys/firmware/memmap/0/type", "System RAM\n");
    assert_eq!((facts().start.value(), facts().secure_boot.value()), (Some(&Start::Bios), Some(&None)));
    put(root, "/sys/firmware/efi/fw_platform_size", "64\n");
    assert_eq!(facts().start.value(), Some(&Start::Uefi));
    assert!(facts().secure_boot.because().is_some_and(|why| why.contains("not mounted")));
    put(root, SECURE_BOOT, [6, 0, 0, 0, 1]);
    put(root, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
    assert_eq!(facts().secure_boot.value(), Some(&Some(true)));
    assert_eq!(facts().lockdown.value(), Some(&Some(Lockdown::Integrity)));
    put(root, SECURE_BOOT, [6, 0]);
    assert!(facts().secure_boot.value().is_none(), "a variable that is cut is no answer");
}

#[test]
fn the_running_kernels_own_configuration_is_unpacked_and_hidden_inside_a_capture() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    put(root, "/proc/sys/kernel/osrelease", "6.1.0-own\n");
    put(
        root,
        "/proc/config.gz",
        packed("CONFIG_VFIO=m\nCONFIG_IOMMUFD=y\nCONFIG_SYSTEM_TRUSTED_KEYS=\"/home/anna/keys\"\n"),
    );
    let host = Host::open(root).expect("opens").recording();
    let options = gather(&host).kernel.options;
    assert!(options.value().is_some_and(|options| options.is_on("VFIO") && !options.is_on("KVM")));
    let copy = redacted(&host);
    assert_eq!(gather(&copy).kernel.options.value(), options.value());
    let mut text = String::new();
    let bytes = copy.read("/proc/config.gz").expect("is there");
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes.as_slice()), &mut text)
        .expect("unpacks");
    assert!(text.contains("/home/user1/keys") && !text.contains("anna"), "{text}");
    put(root, "/proc/config.gz", b"\x1f\x8b no");
    let broken = gather(&Host::open(root).expect("opens")).kernel.options;
    assert!(broken.because().is_some_and(|why| why.contains("could not be unpacked")));
}

#[test]
fn a_capture_has_the_times_of_images_and_settings_and_a_redacted_one_only_how_far_they_are_apart() {
    const OPTIONS: &str = "/etc/modprobe.d/vfio.conf";
    const IMAGE: &str = "/boot/initrd.img-6.1.0-own";
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    put(root, "/usr/lib/modules/6.1.0-own/modules.builtin", "");
    put(root, "/boot/vmlinuz-6.1.0-own", "");
    for (path, text, seconds) in
        [(OPTIONS, "options vfio-pci ids=10de:13c2\n", 1_700_000_300), (IMAGE, "", 1_700_000_000)]
    {
        put(root, path, text);
        let file = std::fs::File::options().write(true).open(root.join(&path[1..])).expect("opens");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("sets");
    }
    let times = |host: &Host| {
        let times = gather(host).image_times.value().cloned().expect("known");
        (times.settings[OPTIONS], times.images[IMAGE])
    };
    let host = Host::open(root).expect("opens").recording();
    assert_eq!(times(&host), (1_700_000_300, 1_700_000_000));
    let mut bytes = Vec::new();
    passthru_host::capture::archive(&host, false, &mut bytes).expect("writes");
    let copy = Host::from_archive(bytes.as_slice()).expect("reads");
    assert_eq!(times(&copy), (1_700_000_300, 1_700_000_000));
    let hidden = redacted(&host).recording();
    assert_eq!(times(&hidden), (300, 0));
    assert_eq!(times(&redacted(&hidden)), (300, 0), "a capture of a capture");
    // What was asked of nobody is not told.
    let host = Host::open(root).expect("opens").recording();
    host.read(OPTIONS).and_then(|_| host.read(IMAGE)).expect("reads");
    host.list("/usr/lib/modules/6.1.0-own").and_then(|_| host.list("/boot")).expect("lists");
    host.list("/etc/modprobe.d").expect("lists");
    assert_eq!(
        gather(&redacted(&host)).image_times.because(),
        Some("/boot/initrd.img-6.1.0-own could not be read: this capture has no times of files")
    );
}

#[test]
fn tables_stay_as_they_are_in_a_redacted_capture_whatever_their_bytes_look_like() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    // A table whose maker is called like this host, and that holds what looks like a MAC.
    let mut table =
        b"DMAR\0\0\0\0\x01\0ANNAPCTABLE   \x01\0\0\0ACPI\x01\0\0\0\x26\x01\0\0\0\0\0\0\0\0\0\0".to_vec();
    table.extend(b"\x63\0\x18\0 a1:b2:c3:d4:e5:f6\0\0");
    let length = u32::try_from(table.len()).expect("small").to_le_bytes();
    table[4..8].copy_from_slice(&length);
    let sum = table.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    table[9] = 0u8.wrapping_sub(sum);
    put(root, "/sys/firmware/acpi/tables/DMAR", &table);
    put(root, "/proc/sys/kernel/hostname", "ANNAPC\n");
    let host = Host::open(root).expect("opens").recording();
    let before = gather(&host).firmware.dmar;
    assert!(
        before.value().is_some_and(|table| table.as_ref().is_some_and(|table| table.sums_up)),
        "{before:?}"
    );
    assert_eq!(gather(&redacted(&host)).firmware.dmar, before);
    // Named and not read: so a capture holds a table that only root may read.
    put(root, "/sys/firmware/acpi/tables/DMAR", "");
    let empty = gather(&Host::open(root).expect("opens")).firmware.dmar;
    assert!(empty.because().is_some_and(|why| why.contains("was named and not read")));
    put(root, "/sys/firmware/acpi/tables/DMAR", &table[..40]);
    let cut = gather(&Host::open(root).expect("opens")).firmware.dmar;
    assert!(cut.because().is_some_and(|why| why.contains("it says that it has")), "{cut:?}");
}

#[test]
fn where_interrupts_go_is_read_only_where_cpus_are_set_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    put(root, "/sys/devices/system/cpu/online", "0-3\n");
    for cpu in 0..4 {
        put(root, &format!("/sys/devices/system/cpu/cpu{cpu}/topology/core_id"), format!("{cpu}\n"));
    }
    put(root, "/proc/interrupts", "     CPU0 CPU1\n 33:  0  7  IR-PCI-MSI-0000:00:14.0  0-edge  xhci_hcd\n");
    put(root, "/proc/irq/33/effective_affinity_list", "2\n");
    put(root, "/proc/irq/34/smp_affinity_list", "0-3\n");
    put(root, "/proc/irq/default_smp_affinity", "f\n");
    let interrupts = || gather(&Host::open(root).expect("opens")).tuning.interrupts;
    assert_eq!(interrupts().because(), Some("no CPU is set apart, so this was not read"));
    put(root, "/sys/devices/system/cpu/isolated", "2-3\n");
    let found = interrupts();
    let found: Vec<(u32, String, &str)> = found
        .value()
        .expect("is read")
        .iter()
        .map(|one| (one.number, one.cpus.to_string(), one.users.as_str()))
        .collect();
    assert_eq!(found, [(33, "2".to_owned(), "xhci_hcd"), (34, "0-3".to_owned(), "")]);
}

#[test]
fn units_of_both_makers_say_how_far_they_reach() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    // As emulated units of both makers said it to Linux 6.12.
    put(root, "/sys/class/iommu/ivhd0/amd-iommu/cap", "1f03000f\n");
    put(root, "/sys/class/iommu/ivhd0/amd-iommu/features", "29d3:0\n");
    put(root, "/sys/class/iommu/dmar0/intel-iommu/cap", "d2008c22260286\n");
    put(root, "/sys/class/iommu/dmar0/intel-iommu/ecap", "f00f4e\n");
    put(root, "/sys/class/iommu/dmar0/intel-iommu/address", "fed90000\n");
    put(root, "/sys/class/iommu/smmu3.0/power/control", "auto\n");
    let registers = gather(&Host::open(root).expect("opens")).iommu.registers;
    let widths: Vec<(&str, u8, bool)> = registers
        .value()
        .expect("is read")
        .iter()
        .map(|(name, unit)| (name.as_str(), unit.address_bits(), unit.remaps_interrupts()))
        .collect();
    assert_eq!(widths, [("dmar0", 39, true), ("ivhd0", 64, true)]);
}

/// The figure behind a word of a line.
fn hex_behind(line: &str, word: &str) -> Option<u64> {
    let rest = line.split(word).nth(1)?;
    u64::from_str_radix(rest.split_ascii_whitespace().next()?, 16).ok()
}

/// Kernel logs of real machines, by name: those beside the archives of hosts, and those of a machine alone.
fn logs() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["hosts", "dmesg"] {
        let Some(folder) = super::common::corpora(folder) else { continue };
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            found.extend(
                Host::open(&path)
                    .ok()
                    .and_then(|host| Some((name, host.read_text("/dmesg-iommu.txt").ok()?))),
            );
        }
    }
    found
}

#[test]
fn registers_of_real_machines_say_what_their_kernels_did_with_them() {
    let mut units = 0;
    for (name, log) in logs() {
        let Some(host) = log.lines().find_map(|line| line.split("Host address width ").nth(1)) else {
            continue;
        };
        let host: u8 = host.trim().parse().expect("a width");
        for line in log.lines() {
            let (Some(capability), Some(extended)) = (hex_behind(line, " cap "), hex_behind(line, " ecap "))
            else {
                continue;
            };
            let registers = hex_behind(line, "reg_base_addr ").expect("an address");
            let unit = UnitRegisters::Intel { version: String::new(), registers, capability, extended };
            assert!(unit.address_bits() >= host, "{name}: {} of {host} bits: {line}", unit.address_bits());
            assert_eq!(
                unit.remaps_interrupts(),
                log.contains("DMAR-IR: Enabled IRQ remapping"),
                "{name}: {line}"
            );
            units += 1;
        }
    }
    super::common::announce(&format!("{units} units of Intel agree with their kernels' logs"));
}
