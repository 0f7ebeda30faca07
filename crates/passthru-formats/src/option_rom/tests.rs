//! ROMs made here, flaw by flaw.

use proptest::prelude::*;

use super::{
    BLOCK, CodeType, Compression, Flaw, Maker, PackedProgramError, PrefixKind, RomImage, Trailing, parse,
};
use crate::pe::tests::program;
use crate::pe::{Program, X86_64};

/// One image of this many blocks.
fn image(blocks: u8, code: u8, indicator: u8) -> Vec<u8> {
    let mut bytes = vec![0u8; usize::from(blocks) * BLOCK];
    bytes[..3].copy_from_slice(&[0x55, 0xaa, blocks]);
    bytes[0x18] = 0x80;
    bytes[0x80..0x84].copy_from_slice(b"PCIR");
    bytes[0x84..0x88].copy_from_slice(&[0xde, 0x10, 0xc2, 0x13]);
    bytes[0x8a] = 0x18;
    bytes[0x8f] = 0x03;
    bytes[0x90] = blocks;
    bytes[0x94] = code;
    bytes[0x95] = indicator;
    balanced(bytes)
}

/// The same bytes with a last byte that makes them add up to 0.
fn balanced(mut bytes: Vec<u8>) -> Vec<u8> {
    let last = bytes.len() - 1;
    bytes[last] = 0;
    let sum = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[last] = 0u8.wrapping_sub(sum);
    bytes
}

/// A UEFI image that is the last, with a program for x86-64.
fn uefi_image(signed: bool) -> Vec<u8> {
    let mut bytes = image(4, 3, 0x80);
    bytes[4..16].copy_from_slice(&[0xf1, 0x0e, 0, 0, 11, 0, 0x64, 0x86, 0, 0, 0, 0]);
    bytes[0x16..0x18].copy_from_slice(&[0, 4]);
    bytes[0x400..].copy_from_slice(&program(X86_64, 11, signed));
    bytes
}

fn only(bytes: &[u8]) -> RomImage {
    let mut rom = parse(bytes);
    assert_eq!((rom.images.len(), rom.flaw), (1, None), "{rom:?}");
    rom.images.remove(0)
}

#[test]
fn a_legacy_and_a_uefi_image_are_told_apart() {
    let bytes = [image(2, 0, 0), uefi_image(true), vec![0xff; 100]].concat();
    let rom = parse(&bytes);
    assert_eq!(rom.flaw, None);
    let seen: Vec<_> =
        rom.images.iter().map(|image| (image.offset, image.code, image.checksum_is_right)).collect();
    assert_eq!(seen, [(0, CodeType::Legacy, Some(true)), (1024, CodeType::Uefi, None)]);
    assert_eq!(rom.trailing, Some(Trailing { length: 100, padding: Some(0xff) }));
    let uefi = rom.images[1].uefi.expect("a UEFI part");
    assert_eq!((uefi.signature_is_right, uefi.compression), (true, Compression::None));
    assert_eq!(uefi.program, Ok(Program { machine: X86_64, subsystem: 11, signed: true }));
    assert!(rom.images[1].is_for(0x10de, 0x13c2) && !rom.images[1].is_for(0x10de, 0x13c3));
    assert_eq!(rom.images[1].class, 0x03_0000);
}

#[test]
fn every_code_type_has_its_name() {
    for (number, code) in [
        (0, CodeType::Legacy),
        (1, CodeType::OpenFirmware),
        (2, CodeType::PaRisc),
        (0xe0, CodeType::Other(0xe0)),
    ] {
        assert_eq!(only(&image(1, number, 0x80)).code, code);
        assert_eq!(code.number(), number);
    }
}

#[test]
fn a_wrong_checksum_is_told_and_the_headers_own_length_is_what_counts() {
    let mut bytes = image(1, 0, 0x80);
    bytes[0x101] ^= 1;
    assert_eq!(only(&bytes).checksum_is_right, Some(false));
    // The header says one block, the data structure two: the second block is not added up.
    let mut bytes = [image(1, 0, 0x80), vec![7; BLOCK]].concat();
    bytes[0x90] = 2;
    bytes[0x1ff] = bytes[0x1ff].wrapping_sub(1);
    let image = only(&bytes);
    assert_eq!((image.length, image.loaded, image.checksum_is_right), (1024, 512, Some(true)));
}

#[test]
fn each_flaw_is_named_with_its_place() {
    let flaw = |bytes: &[u8]| parse(bytes).flaw.map(|flaw| flaw.to_string()).unwrap_or_default();
    assert_eq!(flaw(b""), "at byte 0x0: the ROM ends without a last image");
    assert_eq!(flaw(&[0xff; 600]), "at byte 0x0: every byte is ff");
    assert_eq!(flaw(b"NVGI"), "at byte 0x0: an image begins with 55 aa, not 4e 56");
    assert_eq!(flaw(&image(1, 0, 0)), "at byte 0x200: the ROM ends without a last image");
    assert_eq!(
        flaw(&[image(1, 0, 0), uefi_image(true)].concat()[..1000]),
        "at byte 0x200: the UEFI image is 0x800 bytes long, and the ROM has only 0x1e8 more"
    );
    let mut outside = image(1, 0, 0x80);
    outside[0x18..0x1a].copy_from_slice(&[0xf8, 0x01]);
    assert_eq!(flaw(&outside), "at byte 0x0: the data structure at 0x1f8 lies outside of the ROM");
    outside[0x18..0x1a].copy_from_slice(&[0, 1]);
    assert_eq!(flaw(&outside), "at byte 0x0: there is no PCIR at 0x100");
    let mut empty = image(1, 0, 0x80);
    empty[0x90] = 0;
    assert_eq!(flaw(&empty), "at byte 0x0: the image has no length");
    assert_eq!(flaw(&[0x55, 0xaa, 1]), "at byte 0x0: the ROM ends within an image");
}

#[test]
fn a_prefix_is_stepped_over_and_told() {
    let rom = parse(&[b"NVGI".to_vec(), vec![0x5a; 0x5fc], image(2, 0, 0), uefi_image(false)].concat());
    let prefix = rom.prefix.expect("a prefix");
    assert_eq!((prefix.length, prefix.kind), (0x600, PrefixKind::Nvidia));
    assert_eq!(rom.images.iter().map(|image| image.offset).collect::<Vec<_>>(), [0x600, 0xa00]);
    // Neither alignment nor a stray 55 aa before the first image matters.
    let rom = parse(&[vec![1, 0x55, 0xaa, 2, 3], uefi_image(false)].concat());
    assert_eq!(rom.prefix.map(|prefix| (prefix.length, prefix.kind)), Some((5, PrefixKind::Unknown)));
    assert_eq!(rom.flaw, None);
}

#[test]
fn a_gap_between_images_is_stepped_over_by_blocks_as_firmware_does() {
    let rom = parse(&[image(1, 0, 0), vec![0xff; 1024], uefi_image(true)].concat());
    assert_eq!(rom.images.iter().map(|image| image.offset).collect::<Vec<_>>(), [0, 1536]);
    // Off the blocks, nothing is found.
    let rom = parse(&[image(1, 0, 0), vec![0xff; 1000], uefi_image(true)].concat());
    assert_eq!(rom.flaw.map(|error| error.flaw), Some(Flaw::NoSignature([0xff, 0xff])));
}

#[test]
fn images_behind_the_last_are_followed_through_nvidias_extension() {
    let mut first = image(1, 0, 0x80);
    first[0xa0..0xac].copy_from_slice(b"NPDE\x00\x01\x10\x00\x01\x00\x00\x01");
    let mut second = image(1, 0xe0, 0x80);
    second[..2].copy_from_slice(b"VN");
    second[0x80..0x84].copy_from_slice(b"NPDS");
    second[0xa0..0xac].copy_from_slice(b"NPDE\x00\x01\x10\x00\x01\x00\x80\x00");
    let rom = parse(&[balanced(first), second, vec![1, 2]].concat());
    let seen: Vec<_> = rom.images.iter().map(|image| (image.code, image.is_private)).collect();
    assert_eq!(seen, [(CodeType::Legacy, false), (CodeType::Other(0xe0), true)]);
    assert_eq!(rom.trailing, Some(Trailing { length: 2, padding: None }));
    assert_eq!(rom.public().count(), 1);
}

#[test]
fn a_list_of_further_devices_is_read_from_revision_3_on() {
    let mut bytes = image(1, 0, 0x80);
    bytes[0x88..0x8a].copy_from_slice(&[0x20, 0]);
    bytes[0xa0..0xa6].copy_from_slice(&[0x01, 0x13, 0x02, 0x13, 0, 0]);
    assert_eq!(only(&bytes).further_devices, Vec::<u16>::new());
    bytes[0x8c] = 3;
    let image = only(&bytes);
    assert_eq!(image.further_devices, [0x1301, 0x1302]);
    assert!(image.is_for(0x10de, 0x1302));
    // A list without an end is not followed for ever.
    bytes.resize(4096, 0x11);
    bytes[0x88..0x8a].copy_from_slice(&[0x90, 3]);
    assert_eq!(parse(&bytes).images[0].further_devices.len(), 256);
}

#[test]
fn what_uefi_cannot_load_is_told_with_its_reason() {
    let read = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = uefi_image(false);
        edit(&mut bytes);
        only(&bytes).uefi.expect("a UEFI part")
    };
    assert_eq!(read(&|bytes| bytes[0x0c] = 9).program, Err(PackedProgramError::Compression(9)));
    assert_eq!(read(&|bytes| bytes[2] = 9).program, Err(PackedProgramError::TooLong(9 * BLOCK)));
    assert_eq!(read(&|bytes| bytes[2] = 1).program, Err(PackedProgramError::Outside(0x400)));
    assert!(matches!(read(&|bytes| bytes[0x0c] = 1).program, Err(PackedProgramError::Unpack(_))));
    assert!(matches!(read(&|bytes| bytes[0x400] = 0).program, Err(PackedProgramError::Program(_))));
    assert!(!read(&|bytes| bytes[4] = 0).signature_is_right);
    let arm = read(&|bytes| bytes[0x484..0x486].copy_from_slice(&[0x64, 0xaa]));
    assert_eq!((arm.machine, arm.real_machine()), (X86_64, 0xaa64));
}

#[test]
fn makers_versions_are_read() {
    let mut nvidia = image(2, 0, 0x80);
    nvidia[0x110..0x12d].copy_from_slice(b"GM204 Version 84.04.1F.00.02 ");
    let vbios = parse(&nvidia).vbios.expect("a version");
    assert_eq!((vbios.maker, vbios.version.as_deref()), (Maker::Nvidia, Some("84.04.1f.00.02")));

    let mut amd = image(4, 0, 0x80);
    amd[0x2f] = 4;
    amd[0x30..0x3a].copy_from_slice(b" 761295520");
    amd[0x48..0x4a].copy_from_slice(&[0x00, 0x02]);
    amd[0x204..0x208].copy_from_slice(b"ATOM");
    amd[0x6e..0x70].copy_from_slice(&[0x00, 0x01]);
    amd[0x100..0x10f].copy_from_slice(b"113-D0000100-10");
    amd[0x140..0x168].copy_from_slice(b"ATOMBIOSBK-AMD VER017.001.000.000.005597");
    let vbios = parse(&amd).vbios.expect("a version");
    assert_eq!(vbios.maker, Maker::Amd);
    assert_eq!(vbios.version.as_deref(), Some("017.001.000.000.005597"));
    assert_eq!(vbios.part_number.as_deref(), Some("113-D0000100-10"));
    assert_eq!(parse(&image(2, 0, 0x80)).vbios, None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in 0usize..5000) {
        let _ = parse(&bytes);
        let whole = [image(2, 0, 0), uefi_image(true), image(1, 0xe0, 0x80)].concat();
        let _ = parse(&whole[..cut.min(whole.len())]);
    }

    #[test]
    fn no_change_of_a_sound_rom_makes_it_panic_and_all_that_is_found_lies_in_it(
        changes in proptest::collection::vec((0usize..3072, any::<u8>()), 1..12)
    ) {
        let mut bytes = [image(2, 0, 0), uefi_image(true)].concat();
        for (at, value) in changes {
            bytes[at] = value;
        }
        let rom = parse(&bytes);
        for image in &rom.images {
            prop_assert!(image.offset + image.length <= bytes.len());
        }
    }
}
