//! One test for each answer and each reason.

use std::collections::BTreeMap;

use passthru_formats::option_rom::{
    CodeType, Compression, Flaw, Prefix, PrefixKind, Rom, RomError, RomImage, Trailing, UefiPart,
};
use passthru_formats::pe::{Program, X86_64};
use passthru_model::pci::{PciFunction, Resource};

use super::{Picture, PowerAndUse, RomVerdict, is_shadow, may_dump, of_device, of_file};

fn card() -> PciFunction {
    PciFunction {
        address: "0000:06:00.0".parse().expect("an address"),
        id: "10de:13c2".parse().expect("an id"),
        subsystem: "10de:1131".parse().expect("an id"),
        class: "030000".parse().expect("a class"),
        revision: 0xa1,
        driver: None,
        driver_override: None,
        group: Some(13),
        reset_methods: Vec::new(),
        boot_vga: Some(false),
        modalias: String::new(),
        numa_node: None,
        resources: vec![rom_range(0xf700_0000, 0x7200)],
        has_rom: true,
        has_details: true,
        config: Vec::new(),
        parents: Vec::new(),
        physical_function: None,
        gaps: BTreeMap::new(),
    }
}

fn rom_range(start: u64, flags: u64) -> Resource {
    Resource { index: 6, start, end: start + 0x7ffff, flags }
}

fn image(offset: usize, code: CodeType) -> RomImage {
    let program = Program { machine: X86_64, subsystem: 11, signed: true };
    RomImage {
        offset,
        length: 0x1_0000,
        loaded: 0x1_0000,
        vendor: 0x10de,
        device: 0x13c2,
        further_devices: Vec::new(),
        class: 0x03_0000,
        structure_revision: 3,
        revision: 0,
        code,
        is_last: code == CodeType::Uefi,
        is_private: false,
        is_aligned: true,
        checksum_is_right: (code == CodeType::Legacy).then_some(true),
        uefi: (code == CodeType::Uefi).then_some(UefiPart {
            signature_is_right: true,
            subsystem: 11,
            machine: X86_64,
            compression: Compression::None,
            program: Ok(program),
        }),
        extension: None,
    }
}

fn rom(images: Vec<RomImage>) -> Rom {
    Rom { size: 0x2_0000, prefix: None, images, flaw: None, trailing: None, vbios: None }
}

/// A sound ROM of a graphics card, changed.
fn changed(edit: impl FnOnce(&mut Rom)) -> Rom {
    let mut rom = rom(vec![image(0, CodeType::Legacy), image(0x1_0000, CodeType::Uefi)]);
    edit(&mut rom);
    rom
}

/// A sound ROM whose UEFI image is changed.
fn with_uefi(edit: impl FnOnce(&mut RomImage, &mut UefiPart)) -> Rom {
    changed(|rom| {
        let image = &mut rom.images[1];
        let mut part = image.uefi.expect("a UEFI part");
        edit(image, &mut part);
        image.uefi = Some(part);
    })
}

/// The reason for a no.
fn no(rom: &Rom) -> String {
    let verdict = of_file(rom, Some(&card()));
    assert_eq!(verdict.picture, Picture::No, "{verdict:?}");
    verdict.reasons.join("; ")
}

#[test]
fn a_signed_x86_64_driver_for_the_card_shows_a_picture() {
    let verdict = of_file(&changed(|_| {}), Some(&card()));
    let reasons = vec!["its UEFI image at 0x10000 is a driver for x86-64".to_owned()];
    assert_eq!(verdict, RomVerdict { picture: Picture::Yes, reasons, notes: Vec::new() });
}

#[test]
fn a_file_that_is_compared_with_no_device_says_so() {
    let verdict = of_file(&changed(|_| {}), None);
    assert_eq!(verdict.picture, Picture::Yes);
    assert!(verdict.notes[0].contains("--device"), "{verdict:?}");
}

#[test]
fn each_obstacle_is_a_no_with_its_reason() {
    assert!(no(&rom(vec![image(0, CodeType::Legacy)])).contains("no UEFI image"));
    assert!(no(&with_uefi(|_, part| part.signature_is_right = false)).contains("0ef1"));
    assert!(no(&with_uefi(|_, part| part.subsystem = 10)).contains("no driver (subsystem 10)"));
    let arm = with_uefi(|_, part| {
        part.program = Ok(Program { machine: 0xaa64, subsystem: 11, signed: true });
    });
    assert!(no(&arm).contains("64-bit ARM"), "{}", no(&arm));
    assert!(
        no(&with_uefi(|image, _| image.device = 0x1401)).contains("it is for 10de:1401, and 0000:06:00.0 is")
    );
    assert!(no(&changed(|rom| rom.images[0].is_aligned = false)).contains("multiple of 4"));
    let network = with_uefi(|image, _| image.class = 0x02_0000);
    let verdict = of_file(&network, None);
    assert_eq!(verdict.picture, Picture::No);
    assert!(verdict.reasons[0].contains("for an Ethernet controller"), "{verdict:?}");
}

#[test]
fn a_header_before_the_first_image_is_a_no_that_says_how_to_cut_it_off() {
    let kind = PrefixKind::Nvidia;
    let prefixed = changed(|rom| rom.prefix = Some(Prefix { length: 0x600, kind }));
    assert!(no(&prefixed).contains("tail -c +1537 OLD > NEW"), "{}", no(&prefixed));
}

#[test]
fn an_id_of_the_list_of_further_devices_counts_too() {
    let listed = with_uefi(|image, _| (image.device, image.further_devices) = (1, vec![2, 0x13c2]));
    assert_eq!(of_file(&listed, Some(&card())).picture, Picture::Yes);
}

#[test]
fn what_does_not_decide_is_a_note() {
    let odd = changed(|rom| {
        rom.images[0].checksum_is_right = Some(false);
        rom.trailing = Some(Trailing { length: 7, padding: None });
        if let Some(Ok(program)) = rom.images[1].uefi.as_mut().map(|part| &mut part.program) {
            (program.signed, program.subsystem) = (false, 12);
        }
    });
    let verdict = of_file(&odd, Some(&card()));
    assert_eq!((verdict.picture, verdict.notes.len()), (Picture::Yes, 4), "{verdict:?}");
    assert!(verdict.notes[1].contains("Secure Boot"), "{verdict:?}");
}

#[test]
fn a_rom_that_was_cut_short_says_where() {
    let error = RomError { offset: 0x1_0000, flaw: Flaw::NoLastImage };
    let cut = changed(|rom| {
        rom.images.truncate(1);
        rom.flaw = Some(error);
    });
    assert!(no(&cut).contains("at byte 0x10000"), "{}", no(&cut));
}

#[test]
fn a_device_shows_a_picture_with_its_own_rom_or_only_with_a_file() {
    assert_eq!(of_device(&card(), Ok(&changed(|_| {}))).picture, Picture::Yes);
    let legacy = rom(vec![image(0, CodeType::Legacy)]);
    assert_eq!(of_device(&card(), Ok(&legacy)).picture, Picture::OnlyWithRomFile);
    let bare = PciFunction { has_rom: false, ..card() };
    assert_eq!(of_device(&bare, Err("it is not there")).picture, Picture::OnlyWithRomFile);
    let sound = PciFunction { class: "040300".parse().expect("a class"), ..card() };
    assert_eq!(of_device(&sound, Err("")).reasons, ["the device is no display but an audio device"]);
}

#[test]
fn what_could_not_be_read_or_reads_as_ff_is_unknown() {
    let verdict = of_device(&card(), Err("it is switched off"));
    assert_eq!(
        (verdict.picture, verdict.reasons.as_slice()),
        (Picture::Unknown, &["it is switched off".to_owned()][..])
    );
    let blank = Rom { flaw: Some(RomError { offset: 0, flaw: Flaw::Blank(0xff) }), ..rom(Vec::new()) };
    assert_eq!(of_device(&card(), Ok(&blank)).picture, Picture::Unknown);
}

#[test]
fn the_shadow_copy_of_the_boot_gpu_is_told_from_the_true_rom() {
    let with = |resources: Vec<Resource>, boot_vga| PciFunction { resources, boot_vga, ..card() };
    let legacy = rom(vec![image(0, CodeType::Legacy)]);
    let own = changed(|_| {});
    for (function, read, shadow) in [
        (with(vec![rom_range(0xc_0000, 0x212)], Some(true)), &legacy, true),
        // Before Linux 4.6 the range kept its address, and only the flag said it.
        (with(vec![rom_range(0xee12_0000, 0x2_7202)], Some(true)), &legacy, true),
        (with(vec![rom_range(0xee12_0000, 0x2_7200)], Some(true)), &legacy, false),
        (with(Vec::new(), Some(true)), &legacy, true),
        (with(Vec::new(), Some(true)), &own, false),
        (with(Vec::new(), Some(false)), &legacy, false),
    ] {
        assert_eq!(is_shadow(&function, Some(read)), shadow, "{function:?}");
        if shadow {
            let verdict = of_device(&function, Ok(read));
            assert_eq!(verdict.picture, Picture::OnlyWithRomFile);
            assert!(verdict.reasons[0].contains("shadow copy"), "{verdict:?}");
        }
    }
}

#[test]
fn a_rom_is_read_only_while_nobody_uses_the_device_unless_insisted_and_never_of_a_dead_one() {
    let refused = |driver: Option<&str>, config: &[u8], power: Option<&str>, users, insist| {
        let function = PciFunction { driver: driver.map(str::to_owned), config: config.to_vec(), ..card() };
        let state = PowerAndUse { power_state: power.map(str::to_owned), users };
        let refusals = may_dump(&function, &state, insist);
        refusals.into_iter().map(|refusal| (refusal.reason, refusal.can_insist)).collect::<Vec<_>>()
    };
    assert_eq!(refused(None, &[], Some("D0"), Some(1), false), []);
    assert_eq!(refused(Some("vfio-pci"), &[0xde, 0x10, 0xc2, 0x13], Some("D3hot"), Some(0), false), []);
    let used = refused(Some("nouveau"), &[], None, None, false);
    assert!(used[0].0.starts_with("nouveau uses it") && used[0].1, "{used:?}");
    let guest = refused(Some("vfio-pci"), &[], None, Some(1), false);
    assert!(guest[0].0.starts_with("a guest has it") && guest[0].1, "{guest:?}");
    assert_eq!(refused(Some("nouveau"), &[], None, None, true), []);
    for insist in [true, false] {
        assert!(!refused(None, &[], Some("D3cold"), None, insist)[0].1);
        assert!(!refused(None, &[0xff; 64], None, None, insist)[0].1);
    }
}
