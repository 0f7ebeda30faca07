//! One test for each thing that is said of an image in a specification.

use std::path::{Path, PathBuf};

use passthru_formats::media::{Loader, Media, Route, UefiWay};
use passthru_model::finding::Verdict;

use super::{findings, image};
use crate::look::Looked;
use crate::spec::{Disk, DiskFormat, FirmwareKind, GuestSpec, Medium};

fn media(ways: &[(Route, Loader)], bios: bool, disc: bool) -> Media {
    let way =
        |(route, loader): &(Route, Loader)| UefiWay { route: *route, offset: 0, loader: loader.clone() };
    Media {
        size: 1 << 30,
        disc: disc.then(|| "INSTALL".to_owned()),
        ways: ways.iter().map(way).collect(),
        bios_disc: bios && disc,
        bios_disk: bios && !disc,
        flaws: Vec::new(),
    }
}

fn x64(route: Route) -> (Route, Loader) {
    (route, Loader::X64 { signed: true })
}

/// The finding on a medium of a guest with this firmware.
fn of_medium(media: Media, firmware: FirmwareKind) -> (Verdict, String) {
    let path = PathBuf::from("/srv/x.iso");
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.firmware = firmware;
    spec.media = vec![Medium { path: path.clone() }];
    let looked = Looked { media: [(path, Ok(media))].into(), ..Looked::default() };
    let found = findings(&spec, &looked).remove(0);
    (found.verdict, found.summary)
}

#[test]
fn a_medium_that_boots_passes_and_one_that_ends_in_the_shell_is_warned_of() {
    let uefi = |media| of_medium(media, FirmwareKind::Uefi);
    assert_eq!(uefi(media(&[x64(Route::ElTorito)], true, true)).0, Verdict::Pass);
    let (verdict, summary) = uefi(media(&[], true, true));
    assert!(verdict == Verdict::Warn && summary.contains("only with a legacy BIOS"), "{summary}");
    let (verdict, summary) = uefi(media(&[x64(Route::Gpt)], false, true));
    assert!(verdict == Verdict::Warn && summary.contains("not when it is given as a CD-ROM"), "{summary}");
    let others = (Route::ElTorito, Loader::Others(vec!["BOOTAA64.EFI".to_owned()]));
    let (verdict, summary) = uefi(media(&[others], false, true));
    assert!(verdict == Verdict::Warn && summary.contains("it has only BOOTAA64.EFI"), "{summary}");
}

#[test]
fn a_disc_of_drivers_need_not_boot() {
    assert_eq!(of_medium(media(&[], false, true), FirmwareKind::Uefi).0, Verdict::Skip);
}

#[test]
fn a_guest_with_a_legacy_bios_wants_the_opposite() {
    assert_eq!(of_medium(media(&[], true, true), FirmwareKind::Seabios).0, Verdict::Pass);
    let (verdict, summary) = of_medium(media(&[x64(Route::ElTorito)], false, true), FirmwareKind::Seabios);
    assert!(verdict == Verdict::Warn && summary.contains("nothing for a legacy BIOS"), "{summary}");
}

#[test]
fn a_disk_is_spoken_of_only_where_it_boots() {
    let path = PathBuf::from("/srv/x.img");
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.disks = vec![Disk { path: path.clone(), format: DiskFormat::Raw }];
    let of = |media: Result<Media, String>| {
        findings(&spec, &Looked { media: [(path.clone(), media)].into(), ..Looked::default() })
    };
    assert_eq!(of(Ok(media(&[x64(Route::Gpt)], false, false)))[0].verdict, Verdict::Pass);
    assert_eq!(of(Ok(media(&[], false, false))), []);
    assert_eq!(of(Err("no".to_owned())), []);
    assert_eq!(findings(&spec, &Looked::default()), []);
}

#[test]
fn an_image_by_itself_is_a_yes_or_a_no_with_what_was_seen() {
    let found = image(Path::new("x.iso"), &Ok(media(&[x64(Route::ElTorito)], true, true)));
    assert_eq!((found.verdict, found.evidence.len()), (Verdict::Pass, 2));
    let found = image(Path::new("x.iso"), &Ok(media(&[], true, true)));
    assert_eq!(found.verdict, Verdict::Fail);
    assert!(found.remedy.is_some_and(|remedy| remedy.what.contains("seabios")));
    assert_eq!(image(Path::new("x.iso"), &Err("no".to_owned())).verdict, Verdict::Fail);
}
