//! Does firmware find something to boot on an image? A guest whose firmware does not ends in the UEFI shell.

use std::path::Path;

use passthru_formats::media::{Loader, Media};
use passthru_model::finding::{Remedy, Verdict};
use passthru_model::{Evidence, Finding};

use super::finding;
use crate::look::Looked;
use crate::spec::{FirmwareKind, GuestSpec};

const ID: &str = "guest-media-boots";
const WHY: &str = "OVMF starts nothing but UEFI programs for its machine; where it finds none, the guest ends in the UEFI shell";

/// How an image is given to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Disc,
    Disk,
}

/// Judges an image by itself, for a guest with UEFI.
pub fn image(path: &Path, looked: &Result<Media, String>) -> Finding {
    match looked {
        Ok(media) => {
            let given = if media.disc.is_some() { Given::Disc } else { Given::Disk };
            of_uefi(path, media, given)
        }
        Err(why) => finding(
            ID,
            Verdict::Fail,
            format!("{}: it cannot be looked into: {why}", path.display()),
            WHY,
            None,
        ),
    }
}

/// The findings of a guest's media, and of those disks that hold something to boot.
pub(super) fn findings(spec: &GuestSpec, looked: &Looked) -> Vec<Finding> {
    let judge = |path: &Path, media: &Media, given| match spec.firmware {
        FirmwareKind::Uefi => of_uefi(path, media, given),
        FirmwareKind::Seabios => of_bios(path, media, given),
    };
    let known = |path: &Path| looked.media.get(path).and_then(|media| media.as_ref().ok());
    let discs = spec.media.iter().filter_map(|medium| {
        let media = known(&medium.path)?;
        let mut found = judge(&medium.path, media, Given::Disc);
        if found.verdict == Verdict::Fail {
            // Another disc or disk may be what is booted, and a disc of drivers need not boot at all.
            let empty = media.ways.is_empty() && !media.bios_disc && !media.bios_disk;
            found.verdict = if empty { Verdict::Skip } else { Verdict::Warn };
        }
        Some(found)
    });
    let drives = spec.disks.iter().filter_map(|disk| {
        // A disk that nothing boots from yet is what the installation fills.
        let found = judge(&disk.path, known(&disk.path)?, Given::Disk);
        (found.verdict == Verdict::Pass).then_some(found)
    });
    discs.chain(drives).collect()
}

fn of_uefi(path: &Path, media: &Media, given: Given) -> Finding {
    let name = path.display();
    let disc = given == Given::Disc;
    let bios = media.bios_disc || media.bios_disk;
    let (verdict, summary, remedy) = if let Some(way) = media.x64(disc) {
        let signed = match way.loader {
            Loader::X64 { signed: false } => "; it is not signed, so not with Secure Boot on",
            _ => "",
        };
        let route = way.route.words();
        (Verdict::Pass, format!("{name}: boots under x86-64 UEFI, through {route}{signed}"), None)
    } else if let Some(way) = media.x64(!disc) {
        let (not, instead) =
            if disc { ("a CD-ROM", "a disk (disks, format raw)") } else { ("a disk", "a CD-ROM (media)") };
        let summary = format!(
            "{name}: boots under x86-64 UEFI through {}, but not when it is given as {not}",
            way.route.words()
        );
        (Verdict::Fail, summary, Some(Remedy::by_hand(format!("Give it to the guest as {instead}."))))
    } else if let Some(why) = others(media) {
        let remedy = "Take the image for x86-64 (amd64), or load it anew if it should be that one.";
        (
            Verdict::Fail,
            format!("{name}: does not boot under x86-64 UEFI: {why}"),
            Some(Remedy::by_hand(remedy)),
        )
    } else if bios {
        let remedy = "Take an image with UEFI support, or make the guest with firmware = \"seabios\".";
        (
            Verdict::Fail,
            format!("{name}: boots only with a legacy BIOS: it has nothing for UEFI"),
            Some(Remedy::by_hand(remedy)),
        )
    } else {
        let summary = format!("{name}: does not boot: firmware finds no boot record on it");
        (Verdict::Fail, summary, None)
    };
    with_evidence(finding(ID, verdict, summary, WHY, remedy), path, media)
}

fn of_bios(path: &Path, media: &Media, given: Given) -> Finding {
    let name = path.display();
    let boots = if given == Given::Disc { media.bios_disc } else { media.bios_disk };
    let why = "SeaBIOS starts boot sectors alone";
    let made = if boots {
        finding(ID, Verdict::Pass, format!("{name}: has a boot record for a legacy BIOS"), why, None)
    } else {
        let remedy = media
            .x64(given == Given::Disc)
            .map(|_| Remedy::by_hand("It boots under UEFI: make the guest with firmware = \"uefi\"."));
        finding(ID, Verdict::Fail, format!("{name}: has nothing for a legacy BIOS"), why, remedy)
    };
    with_evidence(made, path, media)
}

/// Why what UEFI finds is not for it.
fn others(media: &Media) -> Option<String> {
    media.ways.iter().find_map(|way| {
        let route = way.route.words();
        match &way.loader {
            Loader::NotX64(why) => Some(format!("through {route} it has BOOTX64.EFI, but {why}")),
            Loader::Others(names) => Some(format!("through {route} it has only {}", names.join(", "))),
            Loader::Unreadable(why) => Some(format!("{route} leads to no file system ({why})")),
            Loader::X64 { .. } | Loader::None => None,
        }
    })
}

/// Adds what was seen on the image.
fn with_evidence(mut made: Finding, path: &Path, media: &Media) -> Finding {
    let path = path.display().to_string();
    let mut seen = |what: String| made.evidence.push(Evidence::new(path.clone(), what));
    if let Some(disc) = &media.disc {
        seen(format!("ISO 9660 disc ‘{disc}’"));
    }
    for way in &media.ways {
        let what = match &way.loader {
            Loader::X64 { .. } => "\\EFI\\BOOT\\BOOTX64.EFI for x86-64".to_owned(),
            Loader::NotX64(why) => format!("\\EFI\\BOOT\\BOOTX64.EFI, but {why}"),
            Loader::Others(names) => names.join(", "),
            Loader::None => "nothing in \\EFI\\BOOT".to_owned(),
            Loader::Unreadable(why) => why.clone(),
        };
        seen(format!("{} at byte {:#x}: {what}", way.route.words(), way.offset));
    }
    media.flaws.iter().for_each(|flaw| seen(flaw.clone()));
    made
}

#[cfg(test)]
#[path = "media_tests.rs"]
mod tests;
