//! What the parser says of real ROMs, field by field against the bytes themselves.

use passthru_formats::option_rom::{self, CodeType, Compression};
use passthru_formats::pe;
use passthru_host::Host;
use pretty_assertions::assert_eq;

use super::common;

/// Two bytes of a ROM as a number.
fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

#[test]
fn every_field_of_every_real_rom_is_what_its_bytes_say() {
    let Some(folder) = common::corpora("roms") else { return };
    let host = Host::open(&folder).expect("opens");
    let (mut files, mut images, mut programs) = (0, 0, 0);
    for name in host.list("/").expect("lists") {
        let bytes = host.read(&format!("/{name}")).expect("reads");
        let rom = option_rom::parse(&bytes);
        files += 1;
        assert_eq!((rom.size, rom.prefix, rom.vbios), (bytes.len(), None, None), "{name}");
        // A chain without a gap: each image begins where the one before it ends, and the last one at the end of the file.
        let ends: Vec<usize> = rom.images.iter().map(|image| image.offset + image.length).collect();
        let begins: Vec<usize> = rom.images.iter().map(|image| image.offset).collect();
        assert_eq!(begins.get(1..).unwrap_or_default(), &ends[..ends.len().saturating_sub(1)], "{name}");
        assert_eq!(rom.images.iter().position(|image| image.is_last), rom.images.len().checked_sub(1));
        for image in &rom.images {
            images += 1;
            let here = &bytes[image.offset..];
            let structure = &here[word(here, 0x18).into()..];
            assert_eq!(&structure[..4], b"PCIR", "{name}");
            assert_eq!(image.vendor, word(structure, 4), "{name}");
            assert_eq!(image.device, word(structure, 6), "{name}");
            assert_eq!(image.structure_revision, structure[0x0c], "{name}");
            assert_eq!(image.class.to_le_bytes()[..3], structure[0x0d..0x10], "{name}");
            assert_eq!(image.length, usize::from(word(structure, 0x10)) * 512, "{name}");
            assert_eq!(image.revision, word(structure, 0x12), "{name}");
            assert_eq!(image.code.number(), structure[0x14], "{name}");
            assert!(!image.is_private && image.is_aligned && image.extension.is_none(), "{name}");
            assert_eq!(image.class >> 16, if name.starts_with("vgabios") { 3 } else { 2 }, "{name}");
            let Some(uefi) = image.uefi else {
                assert_eq!((image.code, image.checksum_is_right), (CodeType::Legacy, Some(true)), "{name}");
                continue;
            };
            programs += 1;
            assert!(uefi.signature_is_right && uefi.compression == Compression::None, "{name}");
            // What the image's header says of its program is what the program says.
            let program = uefi.program.expect("a program");
            assert_eq!((program.machine, program.subsystem), (uefi.machine, uefi.subsystem), "{name}");
            assert_eq!((program.machine, program.signed), (pe::X86_64, false), "{name}");
        }
    }
    common::announce(&format!(
        "{files} files, {images} images, {programs} UEFI programs agree with their bytes"
    ));
}

#[test]
fn a_real_rom_cut_anywhere_is_read_and_never_taken_for_a_whole_one() {
    let Some(folder) = common::corpora("roms") else { return };
    let host = Host::open(&folder).expect("opens");
    let bytes = host.read("/efi-e1000.rom").expect("reads");
    let whole = option_rom::parse(&bytes);
    for cut in (0..bytes.len()).step_by(997) {
        let rom = option_rom::parse(&bytes[..cut]);
        assert!(rom.flaw.is_some(), "{cut}");
        assert_eq!(rom.images, whole.images[..rom.images.len()], "{cut}");
    }
}

#[test]
fn a_real_rom_behind_a_header_is_found_at_its_place() {
    let Some(folder) = common::corpora("roms") else { return };
    let host = Host::open(&folder).expect("opens");
    let bytes = host.read("/efi-virtio.rom").expect("reads");
    let plain = option_rom::parse(&bytes);
    for length in [1, 0x400, 0x600, 0x9400] {
        let mut header = b"NVGI".to_vec();
        header.resize(length, 0xa5);
        let rom = option_rom::parse(&[header, bytes.clone()].concat());
        assert_eq!(rom.prefix.map(|prefix| prefix.length), Some(length));
        let moved: Vec<usize> = rom.images.iter().map(|image| image.offset - length).collect();
        assert_eq!(moved, plain.images.iter().map(|image| image.offset).collect::<Vec<_>>());
        assert_eq!(rom.flaw, None);
    }
}
