//! Real ROMs and firmware descriptors, read by the formats.

use passthru_formats::firmware_descriptor;
use passthru_formats::option_rom::{self, CodeType};
use passthru_host::Host;
use pretty_assertions::assert_eq;

use super::common;

#[test]
fn images_of_real_roms_are_told_apart() {
    let Some(folder) = common::corpora("roms") else { return };
    let host = Host::open(&folder).expect("opens");
    let mut seen = 0;
    for name in host.list("/").expect("lists") {
        let rom = option_rom::parse(&host.read(&format!("/{name}")).expect("reads"));
        let codes: Vec<CodeType> = rom.images.iter().map(|image| image.code).collect();
        let expected: &[CodeType] = match name.as_str() {
            // iPXE for a network card: a BIOS image, and one for UEFI where it was asked for.
            name if name.starts_with("efi-") => &[CodeType::Legacy, CodeType::Uefi],
            name if name.starts_with("pxe-") => &[CodeType::Legacy],
            // VGA BIOSes for devices on PCI; the ISA one has no data structure of PCI.
            "vgabios-isavga.bin" | "vgabios-ramfb.bin" => &[],
            name if name.starts_with("vgabios-") => &[CodeType::Legacy],
            _ => {
                assert!(codes.is_empty() && rom.flaw.is_some(), "{name}: {rom:?}");
                continue;
            }
        };
        assert_eq!(codes, expected, "{name}: {rom:?}");
        assert_eq!(rom.flaw.is_none(), !expected.is_empty(), "{name}: {rom:?}");
        assert!(rom.images.iter().all(|image| image.checksum_is_right != Some(false)), "{name}: {rom:?}");
        seen += 1;
    }
    common::announce(&format!("{seen} real ROMs"));
}

#[test]
fn real_descriptors_are_read_and_the_invalid_one_is_named() {
    let Some(folder) = common::corpora("libvirt/firmware/share/qemu/firmware") else { return };
    let host = Host::open(&folder).expect("opens");
    let mut usable = Vec::new();
    for name in host.list("/").expect("lists") {
        let bytes = host.read(&format!("/{name}")).expect("reads");
        match firmware_descriptor::parse(&name, &bytes) {
            Ok(Some(firmware)) => usable.push(firmware.descriptor),
            Ok(None) => {}
            Err(error) => assert!(error.to_string().starts_with(&name) && name.starts_with('9'), "{error}"),
        }
    }
    assert_eq!(
        usable,
        [
            "30-edk2-ovmf-4m-qcow2-x64-sb-enrolled.json",
            "31-edk2-ovmf-2m-raw-x64-sb-enrolled.json",
            "40-edk2-ovmf-4m-qcow2-x64-sb.json",
            "41-edk2-ovmf-2m-raw-x64-sb.json",
            "50-edk2-ovmf-4m-qcow2-x64-nosb.json",
            "51-edk2-ovmf-2m-raw-x64-nosb.json",
            "92-masked.json",
        ]
    );
}
