//! Images that real tools made: mkfs.vfat, mtools, xorriso, sgdisk. Where one is not installed, its tests say that they skip.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use passthru_formats::media::{self as format, Loader, MediaError, ReadAt, Route};
use passthru_guest::check::image;
use passthru_guest::media;
use passthru_model::finding::Verdict;

/// Whether these tools are there; says so where one is not.
fn have(tools: &[&str]) -> bool {
    let there = |tool: &&str| {
        ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].iter().any(|place| Path::new(place).join(tool).exists())
    };
    let missing: Vec<&str> = tools.iter().copied().filter(|tool| !there(tool)).collect();
    if !missing.is_empty() {
        let word = format!("skipped: not installed: {}\n", missing.join(", "));
        let _ = std::io::Write::write_all(&mut std::io::stderr(), word.as_bytes());
    }
    missing.is_empty()
}

fn run(program: &str, arguments: &[&str]) {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("MTOOLS_SKIP_CHECK", "1")
        .stdin(Stdio::null())
        .output()
        .expect("the tool starts");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The header of a UEFI program for a machine.
fn program(machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 3000];
    let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
    put(0, b"MZ");
    put(0x3c, &[0x80]);
    put(0x80, b"PE\0\0");
    put(0x84, &machine.to_le_bytes());
    put(0x98, &[0x0b, 2]);
    put(0x98 + 68, &[10]);
    bytes
}

/// A FAT file system of so many KiB with a boot program of this name.
fn fat(place: &Path, width: &str, kib: &str, name: &str, machine: u16) -> PathBuf {
    let image = place.join(format!("fat{width}-{name}"));
    run("mkfs.vfat", &["-F", width, "-C", text(&image), kib]);
    let file = place.join("program");
    std::fs::write(&file, program(machine)).expect("writes");
    let there = format!("::/efi/boot/{name}");
    run("mmd", &["-i", text(&image), "::/efi", "::/efi/boot"]);
    // Some neighbours first, so that the directory is more than one entry, and a long name among them.
    run("mcopy", &["-i", text(&image), text(&file), "::/efi/boot/a long name of a neighbour.efi"]);
    run("mcopy", &["-i", text(&image), text(&file), &there]);
    image
}

/// An image's first good way, as a disc or as a disk.
fn way(path: &Path, as_disc: bool) -> Option<Route> {
    media::look(path).expect("reads").x64(as_disc).map(|way| way.route)
}

#[test]
fn fat_file_systems_of_each_width_are_looked_into() {
    if !have(&["mkfs.vfat", "mmd", "mcopy"]) {
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    for (width, kib) in [("12", "1440"), ("16", "20000"), ("32", "40000")] {
        let image = fat(place.path(), width, kib, "bootx64.efi", 0x8664);
        assert_eq!(way(&image, false), Some(Route::Bare), "FAT{width}");
    }
    let arm = fat(place.path(), "12", "1440", "BootAA64.efi", 0xaa64);
    let found = media::look(&arm).expect("reads");
    assert_eq!(found.ways[0].loader, Loader::Others(vec!["BOOTAA64.EFI".to_owned()]));
}

#[test]
fn a_gpt_of_a_real_tool_is_read() {
    if !have(&["mkfs.vfat", "mmd", "mcopy", "sgdisk"]) {
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let esp = fat(place.path(), "16", "20000", "bootx64.efi", 0x8664);
    let disk = place.path().join("disk");
    File::create(&disk).expect("creates").set_len(64 << 20).expect("grows");
    run("sgdisk", &["-n", "1:2048:+8M", "-t", "1:8300", "-n", "2:0:+24M", "-t", "2:ef00", text(&disk)]);
    assert_eq!(way(&disk, false), None);
    let bytes = std::fs::read(&esp).expect("reads");
    let file = File::options().write(true).open(&disk).expect("opens");
    file.write_all_at(&bytes, (2048 * 512) + (8 << 20)).expect("writes");
    assert_eq!(way(&disk, false), Some(Route::Gpt));
}

/// A disc, made with these options besides.
fn disc(place: &Path, name: &str, options: &[&str]) -> PathBuf {
    let tree = place.join("tree");
    std::fs::create_dir_all(&tree).expect("makes it");
    std::fs::write(tree.join("bios.bin"), [0x90; 2048]).expect("writes");
    let iso = place.join(name);
    let all = [&["-as", "mkisofs", "-o", text(&iso), "-V", "INSTALL"], options, &[text(&tree)]].concat();
    run("xorriso", &all);
    iso
}

#[test]
fn discs_of_a_real_tool_are_told_apart() {
    if !have(&["mkfs.vfat", "mmd", "mcopy", "xorriso"]) {
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let at = place.path();
    let esp = fat(at, "12", "1440", "bootx64.efi", 0x8664);
    std::fs::create_dir_all(at.join("tree")).expect("makes it");
    std::fs::copy(&esp, at.join("tree/efi.img")).expect("copies");
    let bios = ["-b", "bios.bin", "-no-emul-boot", "-boot-load-size", "4"];
    let uefi = ["-eltorito-alt-boot", "-e", "efi.img", "-no-emul-boot"];

    let both = disc(at, "both.iso", &[&bios[..], &uefi].concat());
    let found = media::look(&both).expect("reads");
    assert_eq!((found.disc.as_deref(), found.bios_disc), (Some("INSTALL"), true));
    assert_eq!(way(&both, true), Some(Route::ElTorito));
    assert_eq!(image(&both, &Ok(found)).verdict, Verdict::Pass);

    let old = disc(at, "old.iso", &bios);
    let finding = image(&old, &media::look(&old));
    assert_eq!(finding.verdict, Verdict::Fail);
    assert!(finding.summary.contains("only with a legacy BIOS"), "{}", finding.summary);

    let data = disc(at, "data.iso", &[]);
    let finding = image(&data, &media::look(&data));
    assert!(finding.summary.contains("does not boot"), "{}", finding.summary);

    // As Debian's and others' are made: one image for discs and for disks.
    let part = text(&esp);
    let hybrid = [
        "-append_partition",
        "2",
        "0xef",
        part,
        "-appended_part_as_gpt",
        "-e",
        "--interval:appended_partition_2:all::",
        "-no-emul-boot",
    ];
    let hybrid = disc(at, "hybrid.iso", &hybrid);
    assert_eq!((way(&hybrid, true), way(&hybrid, false)), (Some(Route::ElTorito), Some(Route::Gpt)));
}

/// An image that counts what is read of it.
struct Counted(File, Cell<usize>, Cell<usize>);

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.0.metadata().expect("has a length").len()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), MediaError> {
        self.1.set(self.1.get() + into.len());
        self.2.set(self.2.get() + 1);
        self.0.read_exact_at(into, offset).map_err(|_| MediaError::Outside { offset })
    }
}

#[test]
fn of_an_image_of_five_gigabytes_a_few_kilobytes_are_read() {
    if !have(&["mkfs.vfat", "mmd", "mcopy", "xorriso"]) {
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let esp = fat(place.path(), "12", "1440", "bootx64.efi", 0x8664);
    std::fs::create_dir_all(place.path().join("tree")).expect("makes it");
    std::fs::copy(esp, place.path().join("tree/efi.img")).expect("copies");
    let iso = disc(place.path(), "large.iso", &["-e", "efi.img", "-no-emul-boot"]);
    File::options().write(true).open(&iso).expect("opens").set_len(5 << 30).expect("grows");
    let counted = Counted(File::open(&iso).expect("opens"), Cell::new(0), Cell::new(0));
    assert!(format::look(&counted).expect("reads").x64(true).is_some());
    let (bytes, reads) = (counted.1.get(), counted.2.get());
    assert!(bytes < 32 << 10 && reads < 40, "{bytes} bytes in {reads} reads");
    let word = format!("5 GiB: {bytes} bytes in {reads} reads\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), word.as_bytes());
}

#[test]
fn what_is_no_image_is_refused_and_never_waited_for() {
    let place = tempfile::tempdir().expect("a directory");
    assert!(media::look(place.path()).is_err());
    assert!(media::look(Path::new("/dev/null")).is_err());
    assert!(media::look(&place.path().join("missing")).is_err());
    std::fs::write(place.path().join("empty"), "").expect("writes");
    assert!(media::look(&place.path().join("empty")).expect("reads").ways.is_empty());
}
