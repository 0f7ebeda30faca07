//! What other tools and hands have set up: named, taken over by a plan, and brought back byte for byte by undo.

use std::fmt::Write as _;

use passthru_apply::{Silent, Target, Which};
use passthru_plan::{Consent, isolate, leftovers};

use crate::Made;
use crate::mounted::{Programs, tree};

const VFIO: &str = "/etc/modprobe.d/vfio.conf";

/// The page's way by ids, with all that belongs to it, in forms that people write.
fn by_ids() -> Made {
    Made::new()
        .file(VFIO, "# my card\r\noptions vfio-pci ids=10de:13c2,10de:0fbb disable_vga=1\nsoftdep nouveau pre: vfio-pci\nsoftdep snd_hda_intel pre: vfio-pci drm\n")
        .file("/etc/modprobe.d/blacklist.conf", "blacklist nouveau\nblacklist pcspkr\n")
        .file("/etc/default/grub", "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT='quiet vfio_pci.ids=10de:13c2,10de:0fbb'\nGRUB_CMDLINE_LINUX=\"intel_iommu=on\"\n")
        .file("/proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro intel_iommu=on quiet vfio_pci.ids=10de:13c2,10de:0fbb\n")
}

/// The page's script for identical cards, driverctl, a script of the initramfs, and pci-stub typed at the boot menu.
fn by_address() -> Made {
    Made::new()
        .file("/etc/modprobe.d/override.conf", "install vfio-pci /usr/local/bin/vfio-pci-override.sh\n")
        .file("/usr/local/bin/vfio-pci-override.sh", "#!/bin/sh\necho vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override\nmodprobe -i vfio-pci\n")
        .file("/etc/driverctl.d/pci-0000:01:00.0", "vfio-pci\n")
        .file("/etc/driverctl.d/pci-0000:00:1f.3", "snd_hda_intel\n")
        .file("/etc/initramfs-tools/scripts/init-top/vfio.sh", "#!/bin/sh\nfor dev in 0000:01:00.0; do echo vfio-pci > /sys/bus/pci/devices/$dev/driver_override; done\nmodprobe -i vfio-pci\n")
        .file("/proc/cmdline", "BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro intel_iommu=on quiet pci-stub.ids=10de:0fbb\n")
}

fn named(made: &Made) -> String {
    let mut text = String::new();
    for one in leftovers(&made.facts()) {
        let _ = writeln!(text, "{}: {} [{}]", one.place, one.does, one.text);
    }
    text
}

/// What the plan that takes all of it over changes in files that are not passthru's, and what it says first.
fn adopted(made: &Made) -> String {
    let consent = Consent { adopt: true, ..Consent::default() };
    let plan = isolate(&made.facts(), &[], &consent).expect("a plan").plan;
    let mut text = format!("{}\n", plan.title);
    for step in
        plan.steps.iter().filter(|step| step.id.starts_with("adopt") || step.id.starts_with("grub-settings"))
    {
        let _ = write!(text, "{}: {}\n{}", step.id, step.what, passthru_plan::diff::of_step(step));
    }
    for note in &plan.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

#[test]
fn a_set_up_by_ids_is_named_and_taken_over() {
    let made = by_ids();
    insta::assert_snapshot!(format!("{}\n{}", named(&made), adopted(&made)));
}

#[test]
fn a_set_up_by_address_is_named_and_taken_over_and_what_no_file_holds_is_left_to_the_reader() {
    let made = by_address();
    insta::assert_snapshot!(format!("{}\n{}", named(&made), adopted(&made)));
}

#[test]
fn the_check_names_them_and_objects_where_they_act_beside_passthru() {
    insta::assert_snapshot!(
        [
            Made::new().say("other-setups"),
            by_ids().say("other-setups"),
            Made::new().isolated().file(VFIO, "options vfio-pci ids=10de:13c2\n").say("other-setups"),
        ]
        .concat()
    );
}

#[test]
fn passthru_s_own_files_and_lists_for_other_reasons_are_no_leftovers() {
    let made =
        Made::new().isolated().file("/etc/modprobe.d/blacklist.conf", "blacklist pcspkr\nblacklist nvidia\n");
    assert_eq!(named(&made), "");
}

#[test]
fn without_adopt_they_are_only_noted_and_stay() {
    let made = by_ids();
    let plan = isolate(&made.facts(), &["01:00.0".parse().expect("an address")], &Consent::default());
    let plan = plan.expect("a plan").plan;
    assert!(plan.steps.iter().all(|step| step.path() != Some(VFIO)), "{:?}", plan.steps);
    assert!(
        plan.notes.iter().any(|note| note.contains("vfio.conf:2") && note.contains("--adopt")),
        "{:?}",
        plan.notes
    );
}

#[test]
fn undo_brings_them_back_byte_for_byte() {
    for made in [by_ids(), by_address()] {
        std::fs::create_dir_all(made.place("/var/lib")).expect("makes");
        let before = tree(&made.place("/"));
        let consent = Consent { adopt: true, ..Consent::default() };
        let plan = isolate(&made.facts(), &[], &consent).expect("a plan").plan;
        let target = Target::open(made.place("/")).expect("opens");
        passthru_apply::apply(&target, &plan, &mut Programs, &mut Silent).expect("applies");
        let stays: Vec<_> = leftovers(&made.facts()).into_iter().map(|one| one.place).collect();
        assert!(stays.iter().all(|place| place == "/proc/cmdline"), "{stays:?}");
        let conflict = passthru_apply::OnConflict::Refuse;
        passthru_apply::undo(&target, &Which::Newest, conflict, &mut Programs, &mut Silent).expect("undoes");
        pretty_assertions::assert_eq!(tree(&made.place("/")), before);
    }
}

#[test]
fn where_there_is_nothing_to_take_over_that_is_said() {
    let consent = Consent { adopt: true, ..Consent::default() };
    let refused = isolate(&Made::new().facts(), &[], &consent).expect_err("has nothing");
    assert!(refused.to_string().contains("nothing to take over"), "{refused}");
}
