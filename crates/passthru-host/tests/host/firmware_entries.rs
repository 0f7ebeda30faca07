//! Kernels that the firmware starts itself, by boot entries among its variables.

use passthru_host::gather;
use passthru_model::boot::FirmwareEntry;
use passthru_model::facts::{Bootloader, HostFacts};
use passthru_model::managed::{BOOT_CURRENT, boot_variable};
use pretty_assertions::assert_eq;

use crate::boots::{host_of, why};
use crate::platforms::redacted;

const GRUB: [&str; 3] = ["etc/default/grub", "boot/grub/grub.cfg", "usr/sbin/update-grub"];

/// A boot entry of the firmware: a node of a device path for the partition and one for the file, and the command line.
fn firmware_entry(partition: u8, file: &str, line: &str) -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let node = |kind: u8, subtype: u8, data: &[u8]| {
        let length = u16::try_from(data.len() + 4).expect("short").to_le_bytes();
        [&[kind, subtype][..], &length, data].concat()
    };
    let paths =
        [node(4, 1, &[partition; 38]), node(4, 4, &utf16(&format!("{file}\0"))), node(0x7f, 0xff, b"")]
            .concat();
    let length = u16::try_from(paths.len()).expect("short").to_le_bytes();
    [&[7, 0, 0, 0, 1, 0, 0, 0][..], &length, &utf16("Linux\0"), &paths, &utf16(line)].concat()
}

const LINE: &str = "root=UUID=1 rw quiet initrd=\\amd-ucode.img initrd=\\initramfs-linux.img";

/// A host that the firmware started by this entry, beside others of its; with its EFI system partition mounted at these places.
fn started_by_firmware(
    current: Option<u16>,
    running: &str,
    roots: &[&str],
    more: &[(&str, &str)],
) -> HostFacts {
    let lts = LINE.replace("linux.img", "linux-lts.img");
    let mut files: Vec<(String, Vec<u8>)> = [
        (0, firmware_entry(1, "\\EFI\\Microsoft\\Boot\\bootmgfw.efi", "")),
        (1, firmware_entry(1, "\\vmlinuz-linux", LINE)),
        (2, firmware_entry(1, "\\vmlinuz-linux", &format!("{LINE} passthru.off"))),
        (3, firmware_entry(1, "\\vmlinuz-linux-lts", &lts)),
        (4, firmware_entry(2, "\\vmlinuz", LINE)),
        (5, firmware_entry(1, "\\vmlinuz-other", "root=UUID=2 rw")),
    ]
    .into_iter()
    .map(|(number, bytes)| (boot_variable(number), bytes))
    .collect();
    if let Some(number) = current {
        files.push((BOOT_CURRENT.to_owned(), [&[6, 0, 0, 0][..], &number.to_le_bytes()].concat()));
    }
    files.push(("/proc/cmdline".to_owned(), running.as_bytes().to_vec()));
    files.extend(roots.iter().map(|root| (format!("{root}/vmlinuz-linux"), b"x".to_vec())));
    files.extend(more.iter().map(|(path, text)| (format!("/{path}"), text.as_bytes().to_vec())));
    gather(&host_of(files.into_iter().map(|(path, bytes)| (path.trim_start_matches('/').to_owned(), bytes))))
}

#[test]
fn a_kernel_that_the_firmware_started_is_traced_by_its_boot_entry_also_beside_a_grub() {
    let images =
        |kernel: &str| vec!["/boot/amd-ucode.img".to_owned(), format!("/boot/initramfs-linux{kernel}.img")];
    let entry = |number, kernel| FirmwareEntry { variable: boot_variable(number), images: images(kernel) };
    let of = |current, running: &str| {
        let facts = started_by_firmware(Some(current), running, &["/boot"], &GRUB.map(|path| (path, "x")));
        let Some(Bootloader::Firmware(found)) = facts.bootloader.value() else {
            panic!("{:?}", facts.bootloader)
        };
        (found.root.clone(), found.entries.clone())
    };
    let both = ("/boot".to_owned(), vec![entry(1, ""), entry(3, "-lts")]);
    assert_eq!(of(1, LINE), both);
    assert_eq!(of(2, &format!("{LINE} intel_iommu=on passthru.off")), both, "without passthrough");
    let facts = started_by_firmware(Some(1), LINE, &["/boot"], &[]);
    let shown: Vec<(String, bool)> = facts
        .boot
        .entries
        .value()
        .expect("known")
        .iter()
        .map(|entry| (entry.place().replace("/sys/firmware/efi/efivars/", ""), entry.rescue))
        .collect();
    let of = |number: u16, rescue| (format!("Boot{number:04X}-8be4df61-93ca-11d2-aa0d-00e098032b8c"), rescue);
    assert_eq!(shown, [of(1, false), of(2, true), of(3, false), of(4, false), of(5, false)]);
}

#[test]
fn a_loader_that_the_firmware_started_is_no_kernel_and_a_kernel_that_cannot_be_traced_is_not_guessed_at() {
    let grub = GRUB.map(|path| (path, "x"));
    for current in [Some(0), None, Some(9)] {
        let facts = started_by_firmware(current, LINE, &["/boot"], &grub);
        assert!(matches!(facts.bootloader.value(), Some(Bootloader::Grub(_))), "{:?}", facts.bootloader);
    }
    let said =
        |running: &str, roots: &[&str]| why(&started_by_firmware(Some(1), running, roots, &grub)).to_owned();
    let reasons = [said("root=UUID=1 rw", &["/boot"]), said(LINE, &[]), said(LINE, &["/boot", "/efi"])];
    insta::assert_snapshot!(reasons.join("\n\n"));
}

/// What the capture of such a host has, redacted, is still traced, and has nobody's identifiers.
#[test]
fn a_capture_of_boot_entries_hides_what_points_to_the_machine_and_is_traced_alike() {
    let root = "root=UUID=1b4e28ba-2fa1-11d2-883f-0016d3cca427";
    let line = LINE.replace("root=UUID=1", root);
    let files = [
        (boot_variable(1), firmware_entry(0x5a, "\\vmlinuz-linux", &line)),
        (boot_variable(0), firmware_entry(0x5a, "\\EFI\\Microsoft\\Boot\\bootmgfw.efi", "")),
        (BOOT_CURRENT.to_owned(), vec![6, 0, 0, 0, 1, 0]),
        ("/proc/cmdline".to_owned(), line.into_bytes()),
        ("/boot/vmlinuz-linux".to_owned(), b"x".to_vec()),
    ];
    let host = host_of(files.iter().map(|(path, bytes)| (path.trim_start_matches('/'), bytes))).recording();
    let facts = gather(&host);
    let again = gather(&redacted(&host));
    assert_eq!(again.bootloader.value(), facts.bootloader.value());
    let bytes = again.files[&boot_variable(1)].content().expect("a file");
    assert!(!bytes.windows(21).any(|window| window == [0x5a; 21]), "the partition's signature is gone");
    let line = passthru_formats::boot_entries::firmware("", bytes).expect("a kernel").cmdline;
    assert!(line.starts_with("root=UUID=00000000-0000-4000-8000-0000000000"), "{line}");
    assert_eq!(again.files[&boot_variable(0)].content().map(<[u8]>::len), Some(4), "only that it is there");
}
