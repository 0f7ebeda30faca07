use std::io::Write as _;

use crate::cpio::{self, Entry, Kind};
use proptest::prelude::*;

use super::reduced;

fn file(name: &str, content: &[u8]) -> Entry {
    Entry { name: name.to_owned(), permissions: 0o644, kind: Kind::File(content.to_vec()) }
}

fn early() -> Vec<u8> {
    let mut bytes =
        cpio::write(&[file("kernel/x86/microcode/GenuineIntel.bin", &[7; 3000])]).expect("written");
    // Generators fill up to a block.
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn main_part() -> Vec<u8> {
    cpio::write(&[
        Entry::directory("etc/modprobe.d"),
        file("init", b"#!/bin/sh\n"),
        file("etc/modprobe.d/vfio.conf", b"options vfio-pci ids=10de:13c2\n"),
        file("usr/lib/modules/6.12/kernel/drivers/vfio/pci/vfio-pci.ko.xz", &[1; 9000]),
    ])
    .expect("written")
}

fn names(bytes: &[u8]) -> Vec<(String, usize)> {
    let entries = cpio::read(&reduced(bytes)).expect("an archive");
    let size = |kind: &Kind| match kind {
        Kind::File(content) => content.len(),
        _ => usize::MAX,
    };
    entries.iter().map(|entry| (entry.name.clone(), size(&entry.kind))).collect()
}

fn assert_read(what: &str, compressed: &[u8]) {
    let image = [early(), compressed.to_vec()].concat();
    let found = names(&image);
    let expected = [
        ("etc/modprobe.d/vfio.conf".to_owned(), 31),
        ("usr/lib/modules/6.12/kernel/drivers/vfio/pci/vfio-pci.ko.xz".to_owned(), 0),
    ];
    assert_eq!(found, expected, "{what}");
    // What a capture keeps says the same again.
    let once = reduced(&image);
    assert_eq!(reduced(&once), once, "{what}");
}

#[test]
fn a_plain_image_behind_microcode_is_read() {
    assert_read("plain", &main_part());
}

#[test]
fn gzip_bzip2_and_lz4_are_unpacked() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&main_part()).expect("taken");
    assert_read("gzip", &gzip.finish().expect("done"));
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&main_part()).expect("taken");
    assert_read("bzip2", &bzip2.finish().expect("done"));
    let block = lz4_flex::block::compress(&main_part());
    let length = u32::try_from(block.len()).expect("small").to_le_bytes();
    assert_read("lz4", &[crate::compression::LZ4_LEGACY.as_slice(), &length, &block].concat());
}

/// The real programs compress; where one is missing, the others still speak.
#[test]
#[expect(clippy::disallowed_types, reason = "the test asks the programs that compress images")]
fn what_the_programs_compress_is_unpacked() {
    for (program, arguments) in [
        ("zstd", &["-q", "-c", "-19"][..]),
        ("xz", &["-c", "--check=crc32"]),
        ("lz4", &["-l", "-c"]),
        ("lzma", &["-c"]),
        ("gzip", &["-c", "-9"]),
    ] {
        let child = std::process::Command::new(program)
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn();
        let Ok(mut child) = child else { continue };
        child.stdin.take().expect("a pipe").write_all(&main_part()).expect("taken");
        let output = child.wait_with_output().expect("ended");
        assert!(output.status.success(), "{program}");
        assert_read(program, &output.stdout);
    }
}

#[test]
fn every_file_and_link_is_named_and_a_cut_image_is_an_error() {
    let whole = [early(), main_part()].concat();
    assert_eq!(
        names_of(&whole),
        [
            "kernel/x86/microcode/GenuineIntel.bin",
            "init",
            "etc/modprobe.d/vfio.conf",
            "usr/lib/modules/6.12/kernel/drivers/vfio/pci/vfio-pci.ko.xz"
        ]
    );
    assert!(super::names(&whole[..whole.len() - 200]).is_err() && super::names(b"text").is_err());
    assert!(names_of(b"").is_empty());
}

fn names_of(bytes: &[u8]) -> Vec<String> {
    super::names(bytes).expect("an image")
}

#[test]
fn an_image_that_is_cut_says_nothing_rather_than_half() {
    let whole = main_part();
    for end in [1, 60, 200, whole.len() - 200] {
        assert!(reduced(&whole[..end]).is_empty(), "{end}");
    }
    assert!(reduced(b"no image at all").is_empty() && reduced(b"").is_empty());
}

proptest! {
    #[test]
    fn spoilt_bytes_are_an_answer_and_never_a_panic(at in any::<proptest::sample::Index>(), byte: u8, tail: Vec<u8>) {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&main_part()).expect("taken");
        for mut bytes in [main_part(), gzip.finish().expect("done")] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = reduced(&bytes);
            let _ = reduced(&tail);
        }
    }
}

/// systemd's wants are links, and dracut copies ours as one.
#[test]
fn a_link_of_ours_is_kept_as_one_and_a_link_to_a_module_counts_as_the_module() {
    let link = |name: &str, target: &str| Entry {
        name: name.to_owned(),
        permissions: 0o777,
        kind: Kind::Link(target.to_owned()),
    };
    let want =
        link("etc/systemd/system/sysinit.target.wants/passthru-early.service", "../passthru-early.service");
    let module = link("usr/lib/modules/6.12/vfio-pci.ko", "kernel/drivers/vfio/pci/vfio-pci.ko");
    let image = cpio::write(&[want.clone(), module.clone(), link("init", "usr/bin/init")]).expect("written");
    let kept = cpio::read(&reduced(&image)).expect("an archive");
    let says: Vec<(&str, &Kind)> = kept.iter().map(|entry| (entry.name.as_str(), &entry.kind)).collect();
    assert_eq!(says, [(want.name.as_str(), &want.kind), (module.name.as_str(), &Kind::File(Vec::new()))]);
}
