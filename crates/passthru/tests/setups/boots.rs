//! From the files of an isolated host to the record of its boot, and from the record to what `status` says of it.

use passthru_formats::cpio::{self, Entry, Kind};
use passthru_host::{Host, Options, Subject, Subjects, gather_with};
use passthru_model::HostFacts;
use passthru_model::plan::{Action, FileState};
use passthru_plan::{Consent, boot_record, isolate};

use crate::Made;

const IMAGE: &str = "/boot/initrd.img-6.12.43+deb13-amd64";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl Made {
    /// With the files of the plan that isolates the card, and the card on vfio-pci as after the reboot.
    pub(crate) fn isolated(self) -> Self {
        let address = "01:00.0".parse().expect("an address");
        let plan = isolate(&self.facts(), &[address], &Consent::default()).expect("a plan").plan;
        let made = plan.steps.into_iter().fold(self, |made, step| match step.action {
            Action::File { path, after: FileState::File { content, .. }, .. } => made.file(&path, content.0),
            Action::File { path, after: FileState::Link { target }, .. } => made.link(&path, &target),
            _ => made,
        });
        made.on_vfio()
    }

    /// What is known of it where images are opened too.
    fn facts_of_images(&self) -> HostFacts {
        let subjects = Subjects::USUAL | Subjects::of(&[Subject::OwnImages]);
        let host = Host::open(&self.place("/")).expect("opens");
        gather_with(&host, &Options { subjects, ..Options::default() })
    }

    /// With the record of the boot that it is in.
    fn booted(self, boot: &str, number: u32) -> Self {
        let made = self.file(BOOT_ID, format!("{boot}\n"));
        let facts = made.facts_of_images();
        let intent = passthru_plan::intent::of(&facts).expect("an intent").expect("chosen");
        let record = boot_record(&facts, &intent, "2026-11-22T20:14:05Z".to_owned()).expect("a boot");
        let bytes = passthru_formats::boot_record::write(&record).expect("writes");
        made.file(&format!("/var/lib/passthru/boots/{number:06}.json"), bytes)
    }
}

/// An image with these files and vfio-pci.
pub(crate) fn image(files: &[&str]) -> Vec<u8> {
    let names = files.iter().chain(&["usr/lib/modules/6.12.43+deb13-amd64/kernel/vfio-pci.ko.xz"]);
    let entry = |name: &&str| Entry {
        name: (**name).to_owned(),
        permissions: 0o644,
        kind: Kind::File(b"x".to_vec()),
    };
    cpio::write(&names.map(entry).collect::<Vec<_>>()).expect("written")
}

pub(crate) const WHOLE: [&str; 4] = [
    "etc/passthru/devices",
    "etc/passthru/early",
    "scripts/init-top/passthru",
    "usr/lib/udev/rules.d/10-passthru.rules",
];

#[test]
fn a_kernel_update_that_lost_the_hook_is_told_from_the_record_without_opening_an_image() {
    let good = Made::new().isolated().file(IMAGE, image(&WHOLE)).booted("1", 1);
    let well = good.say("last-boot");
    // As when the generator's hooks were skipped: the card is still on vfio-pci, for the unit bound it late.
    let bad = good.file(IMAGE, image(&[])).booted("2", 2);
    let lost = bad.say("last-boot");
    // The check reads the record alone: it says the same where the image cannot be read.
    let unreadable = bad.file(IMAGE, "no image").say("last-boot");
    assert_eq!(lost, unreadable);
    insta::assert_snapshot!([well, lost].concat());
}

#[test]
fn the_same_is_said_of_a_capture() {
    let made = Made::new().isolated().file(IMAGE, image(&[])).booted("1", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let packed = folder.path().join("host.tar");
    let mut out = tar::Builder::new(std::fs::File::create(&packed).expect("creates"));
    out.follow_symlinks(false);
    out.append_dir_all("", made.place("/")).expect("packs");
    out.finish().expect("ends");
    let facts = passthru_host::gather(&Host::open(&packed).expect("opens"));
    let found = passthru_plan::diagnose(&facts, &["last-boot"]).expect("a check").remove(0);
    assert_eq!(crate::said(&found), made.say("last-boot"));
}

#[test]
fn a_record_that_is_torn_is_named_and_the_others_count() {
    let made = Made::new().isolated().file(IMAGE, image(&WHOLE)).booted("1", 1);
    insta::assert_snapshot!(made.file("/var/lib/passthru/boots/000002.json", "{").say("last-boot"));
}
