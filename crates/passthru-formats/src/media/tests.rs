//! Images made here, byte by byte; those of real tools are in the tests of passthru-guest.

use std::cell::Cell;

use proptest::prelude::*;

use super::el_torito::{self, Platform};
use super::fat::{Fat, Kind};
use super::{Loader, MediaError, ReadAt, Route, gpt, look, mbr};
use crate::pe::X86_64;
use crate::pe::tests::program;

/// A FAT12 file system of 64 KiB, a sector a cluster: the table in sector 1, the root in 2, clusters from 3 on.
pub(crate) fn fat(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut image = vec![0; 64 << 10];
    image[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    image[11..24].copy_from_slice(&[0, 2, 1, 1, 0, 1, 16, 0, 128, 0, 0xf8, 1, 0]);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    // The directories EFI (cluster 2) and EFI/BOOT (cluster 3).
    entry(&mut image, 2 * 512, "EFI", 0x10, 2, 0);
    entry(&mut image, 3 * 512, "BOOT", 0x10, 3, 0);
    for (cluster, next) in [(2, 0xfff), (3, 0xfff)] {
        link(&mut image, cluster, next);
    }
    let mut cluster = 4;
    for (index, (name, bytes)) in files.iter().enumerate() {
        entry(&mut image, 4 * 512 + index * 32, name, 0x20, cluster, bytes.len());
        for (at, chunk) in bytes.chunks(512).enumerate() {
            let place = (usize::from(cluster) + 1) * 512;
            image[place..place + chunk.len()].copy_from_slice(chunk);
            link(&mut image, cluster, if (at + 1) * 512 < bytes.len() { cluster + 1 } else { 0xfff });
            cluster += 1;
        }
    }
    image
}

fn entry(image: &mut [u8], at: usize, name: &str, attributes: u8, cluster: u16, size: usize) {
    let (base, extension) = name.split_once('.').unwrap_or((name, ""));
    image[at..at + 11].copy_from_slice(format!("{base:8}{extension:3}").as_bytes());
    image[at + 11] = attributes;
    image[at + 26..at + 28].copy_from_slice(&cluster.to_le_bytes());
    image[at + 28..at + 32].copy_from_slice(&u32::try_from(size).expect("small").to_le_bytes());
}

fn link(image: &mut [u8], cluster: u16, next: u16) {
    let at = 512 + usize::from(cluster) * 3 / 2;
    let [low, high] = next.to_le_bytes();
    if cluster.is_multiple_of(2) {
        image[at] = low;
        image[at + 1] = image[at + 1] & 0xf0 | high;
    } else {
        image[at] = image[at] & 0x0f | low << 4;
        image[at + 1] = high << 4 | low >> 4;
    }
}

/// A boot catalog: what a BIOS starts, and a section for UEFI with an image at this sector.
fn catalog(bios: bool, efi: Option<u32>) -> Vec<u8> {
    let mut bytes = vec![0; 2048];
    bytes[0] = 1;
    bytes[28..32].copy_from_slice(&[0xaa, 0x55, 0x55, 0xaa]);
    bytes[32] = if bios { 0x88 } else { 0 };
    if let Some(sector) = efi {
        bytes[64..68].copy_from_slice(&[0x91, 0xef, 1, 0]);
        bytes[96] = 0x88;
        bytes[104..108].copy_from_slice(&sector.to_le_bytes());
    }
    bytes
}

/// A disc with its catalog in sector 20 and a FAT file system from sector 24 on.
fn disc(catalog: &[u8], fat: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 24 * 2048];
    let mut put = |sector: usize, at: usize, what: &[u8]| {
        image[sector * 2048 + at..sector * 2048 + at + what.len()].copy_from_slice(what);
    };
    put(16, 0, b"\x01CD001\x01");
    put(16, 40, b"INSTALL                         ");
    put(17, 0, b"\x00CD001\x01EL TORITO SPECIFICATION");
    put(17, 0x47, &[20]);
    put(18, 0, b"\xffCD001\x01");
    put(20, 0, catalog);
    image.extend(fat);
    image
}

/// A GPT with an ESP at sector 64, and its copy at the end.
fn gpt_disk(fat: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 64 * 512];
    image.extend(fat);
    image.resize(image.len() + 64 * 512, 0);
    image[446 + 4] = 0xee;
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut entries = vec![0; 128 * 128];
    entries[..16].copy_from_slice(&[
        0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
    ]);
    entries[32] = 64;
    entries[40..42].copy_from_slice(&(63 + u16::try_from(fat.len() / 512).expect("small")).to_le_bytes());
    let last = image.len() / 512 - 1;
    for (header_at, entries_at) in [(1, 2), (last, last - 32)] {
        let mut header = [0; 92];
        header[..16].copy_from_slice(b"EFI PART\0\0\x01\0\x5c\0\0\0");
        header[72..80].copy_from_slice(&u64::try_from(entries_at).expect("small").to_le_bytes());
        header[80..88].copy_from_slice(&[128, 0, 0, 0, 128, 0, 0, 0]);
        header[88..].copy_from_slice(&gpt::crc32(&entries).to_le_bytes());
        let sum = gpt::crc32(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        image[header_at * 512..header_at * 512 + 92].copy_from_slice(&header);
        image[entries_at * 512..(entries_at + 32) * 512].copy_from_slice(&entries);
    }
    image
}

fn loader(machine: u16) -> Vec<u8> {
    program(machine, 10, true)
}

/// An image that counts what is read of it.
struct Counted(Vec<u8>, Cell<usize>, Cell<usize>);

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), MediaError> {
        self.1.set(self.1.get() + into.len());
        self.2.set(self.2.get() + 1);
        self.0.read_at(offset, into)
    }
}

#[test]
fn a_disc_with_an_efi_entry_boots_as_a_disc_and_not_as_a_disk() {
    let media =
        look(&disc(&catalog(true, Some(24)), &fat(&[("BOOTX64.EFI", &loader(X86_64))]))).expect("reads");
    assert_eq!(media.disc.as_deref(), Some("INSTALL"));
    assert_eq!(media.x64(true).map(|way| way.loader.clone()), Some(Loader::X64 { signed: true }));
    assert_eq!(media.x64(false), None);
    assert!(media.bios_disc && !media.bios_disk && media.flaws.is_empty());
}

#[test]
fn a_disc_for_a_bios_alone_has_no_way_for_uefi() {
    let media = look(&disc(&catalog(true, None), &[])).expect("reads");
    assert!(media.ways.is_empty() && media.bios_disc);
    let media = look(&disc(&[0; 64], &[])).expect("reads");
    assert!(!media.bios_disc && media.flaws.len() == 1, "{media:?}");
}

#[test]
fn a_gpt_an_mbr_and_a_bare_file_system_are_ways_of_a_disk() {
    let files = fat(&[("BOOTX64.EFI", &loader(X86_64))]);
    let route = |image: Vec<u8>| look(&image).expect("reads").x64(false).map(|way| (way.route, way.offset));
    assert_eq!(route(files.clone()), Some((Route::Bare, 0)));
    assert_eq!(route(gpt_disk(&files)), Some((Route::Gpt, 64 * 512)));
    let mut with_mbr = vec![0; 512];
    with_mbr[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x0c, 0, 0, 0, 1, 0, 0, 0, 128, 0, 0, 0]);
    with_mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    with_mbr.extend(&files);
    assert_eq!(route(with_mbr), Some((Route::Mbr, 512)));
    assert_eq!(route(Vec::new()), None);
    assert_eq!(route(vec![0; 1 << 20]), None);
}

#[test]
fn a_broken_first_header_of_a_gpt_is_replaced_by_its_copy_and_two_broken_ones_are_told() {
    let mut image = gpt_disk(&fat(&[("BOOTX64.EFI", &loader(X86_64))]));
    image[512 + 80] = 1;
    assert!(look(&image).expect("reads").x64(false).is_some());
    let last = image.len() - 512;
    image[last + 80] = 1;
    let media = look(&image).expect("reads");
    assert!(media.x64(false).is_none());
    assert_eq!(media.flaws, ["its GPT: at byte 0x200: the header’s checksum is wrong"]);
}

#[test]
fn what_the_file_system_holds_for_others_is_named() {
    let arm = loader(0xaa64);
    let found = |files: &[(&str, &[u8])]| look(&fat(files)).expect("reads").ways.remove(0).loader;
    assert_eq!(found(&[("BOOTAA64.EFI", &arm)]), Loader::Others(vec!["BOOTAA64.EFI".to_owned()]));
    assert_eq!(found(&[("BOOTX64.EFI", &arm)]), Loader::NotX64("it is for 64-bit ARM".to_owned()));
    assert!(matches!(found(&[("BOOTX64.EFI", b"#!")]), Loader::NotX64(_)));
    assert_eq!(found(&[("README.TXT", b"hello")]), Loader::None);
}

#[test]
fn a_directory_or_chain_that_goes_in_circles_ends() {
    let mut image = fat(&[("X.EFI", b"x")]);
    // The directory EFI/BOOT is followed by itself, and has no end.
    link(&mut image, 3, 3);
    for at in 0..16 {
        entry(&mut image, 4 * 512 + at * 32, "X.EFI", 0x20, 4, 1);
    }
    assert_eq!(look(&image).expect("reads").ways[0].loader, Loader::None);
}

#[test]
fn lookups_do_not_mind_capitals_and_the_width_of_the_table_follows_from_the_clusters() {
    let image = fat(&[("BOOTX64.EFI", b"MZ")]);
    let fat = Fat::open(&image).expect("opens");
    assert_eq!(fat.kind, Kind::Fat12);
    let entry = fat.find(&["efi", "Boot", "bootx64.efi"]).expect("reads").expect("is there");
    assert_eq!((entry.size, fat.begin(&entry, 100).as_deref()), (2, Ok(b"MZ".as_slice())));
    assert_eq!(fat.find(&["EFI", "BOOT", "BOOTX64.EFI", "X"]), Ok(None));
    assert_eq!(fat.find(&[]), Ok(None));
}

#[test]
fn little_is_read_however_large_the_image_is() {
    let mut bytes = disc(&catalog(true, Some(24)), &fat(&[("BOOTX64.EFI", &loader(X86_64))]));
    bytes.resize(32 << 20, 0);
    let image = Counted(bytes, Cell::new(0), Cell::new(0));
    assert!(look(&image).expect("reads").x64(true).is_some());
    assert!(image.1.get() < 32 << 10, "{} bytes in {} reads", image.1.get(), image.2.get());
}

#[test]
fn sections_and_extensions_of_a_catalog_are_followed() {
    let mut bytes = catalog(true, Some(24));
    // A section of two: an extended PC entry, then UEFI's.
    bytes[64..68].copy_from_slice(&[0x90, 0, 1, 0]);
    bytes[128] = 0x44;
    bytes[160..164].copy_from_slice(&[0x91, 0xef, 1, 0]);
    bytes[192..194].copy_from_slice(&[0x88, 0]);
    let platforms: Vec<Platform> =
        el_torito::parse(&bytes).expect("parses").iter().map(|entry| entry.platform).collect();
    assert_eq!(platforms, [Platform::X86, Platform::X86, Platform::Efi]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let _ = look(&bytes);
        let _ = el_torito::parse(&bytes);
        let mut sector = [0; 512];
        let count = bytes.len().min(512);
        sector[..count].copy_from_slice(&bytes[..count]);
        let _ = mbr::parse(&sector);
    }

    #[test]
    fn no_change_of_a_sound_image_makes_it_panic_or_read_for_ever(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..16),
        place in 0usize..4,
    ) {
        let files = fat(&[("BOOTX64.EFI", &loader(X86_64))]);
        let mut bytes = match place {
            0 => disc(&catalog(true, Some(24)), &files),
            1 => gpt_disk(&files),
            _ => files,
        };
        // Where the structures are: the first sectors, and the discs' descriptors.
        let range = if place == 0 { 32 << 10..51 << 10 } else { 0..3 << 10 };
        for (at, value) in changes {
            bytes[range.start + at.index(range.len())] = value;
        }
        let image = Counted(bytes, Cell::new(0), Cell::new(0));
        let _ = look(&image);
        prop_assert!(image.1.get() < 16 << 20, "{} bytes", image.1.get());
    }
}
