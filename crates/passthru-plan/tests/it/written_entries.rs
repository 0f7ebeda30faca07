//! Whole plans for hosts whose boot entries a person has written.

use passthru_model::boot::{Dialect, WrittenEntries};
use passthru_model::facts::Bootloader;
use passthru_model::plan::{FileState, Plan};
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, isolate};

use crate::common::{self, INSISTING, at, cmdline, host, put, shown, there_and_back};

const IMAGE: &str = "initrd.img-6.12.43+deb13-amd64";
const ENTRY: &str = "/boot/loader/entries/debian.conf";

/// The file of a dialect, with an entry of this system and one of another.
fn file(dialect: Dialect) -> (&'static str, String) {
    match dialect {
        Dialect::Bls | Dialect::GrubBls => (
            ENTRY,
            format!(
                "title Debian\nsort-key debian\nlinux /vmlinuz-6.12.43+deb13-amd64\ninitrd /{IMAGE}\noptions root=UUID=1 ro intel_iommu=off quiet\n"
            ),
        ),
        Dialect::Refind => (
            managed::REFIND_LINUX,
            "\"Boot with standard options\"  \"root=UUID=1 ro intel_iommu=off quiet\"\n\"Another system\" \"root=UUID=2 ro\"\n"
                .to_owned(),
        ),
        Dialect::Limine => (
            managed::LIMINE[0],
            format!(
                "timeout: 3\n\n/Debian\n    protocol: linux\n    path: boot():/vmlinuz-6.12.43+deb13-amd64\n    \
                 cmdline: root=UUID=1 ro intel_iommu=off quiet\n    module_path: boot():/{IMAGE}\n/Another system\n    \
                 protocol: linux\n    path: boot():/other\n    cmdline: root=UUID=2 ro\n"
            ),
        ),
        Dialect::Syslinux => (
            managed::SYSLINUX[1],
            format!(
                "DEFAULT debian\nPROMPT 1\nLABEL debian\n  MENU LABEL Debian\n  MENU DEFAULT\n  LINUX ../vmlinuz-6.12.43+deb13-amd64\n  \
                 APPEND root=UUID=1 ro intel_iommu=off quiet\n  INITRD ../{IMAGE}\nLABEL other\n  LINUX ../other\n  APPEND root=UUID=2 ro\n"
            ),
        ),
    }
}

const DIALECTS: [Dialect; 4] = [Dialect::Bls, Dialect::Refind, Dialect::Limine, Dialect::Syslinux];

/// The plain host, booted by entries that were written by hand.
pub(crate) fn written(dialect: Dialect) -> HostFacts {
    let mut facts = host();
    for path in [managed::GRUB_DEFAULTS, managed::GRUB_CFG] {
        facts.files.insert(path.to_owned(), FileState::Absent);
    }
    let (path, text) = file(dialect);
    put(&mut facts, path, &text);
    let found = WrittenEntries {
        dialect,
        files: vec![path.to_owned()],
        root: "/boot".to_owned(),
        root_parameter: Some("UUID=1".to_owned()),
    };
    facts.bootloader = Fact::known(Bootloader::Written(found), path, "");
    cmdline(&mut facts, "BOOT_IMAGE=/vmlinuz root=UUID=1 ro intel_iommu=off quiet");
    facts
}

pub(crate) fn after(before: &HostFacts, plan: &Plan) -> HostFacts {
    let mut facts = before.clone();
    for path in plan.steps.iter().filter_map(passthru_model::plan::Step::path) {
        facts.files.entry(path.to_owned()).or_insert(FileState::Absent);
    }
    let mut facts = common::after(&facts, plan);
    // A file that is gone is not listed in its directory.
    facts.files.retain(|path, state| {
        *state != FileState::Absent
            || before.files.contains_key(path) && !path.ends_with(managed::OFF_ENTRY_ENDING)
    });
    facts
}

fn isolated(facts: &HostFacts) -> passthru_plan::IntentChange {
    isolate(facts, &[at("02:00.0")], &INSISTING).expect("a plan")
}

/// The steps of a plan on boot entries.
pub(crate) fn entries(plan: &Plan) -> Plan {
    let is_entry = |path: &str| path.starts_with("/boot/");
    let steps = plan.steps.iter().filter(|step| step.path().is_some_and(is_entry)).cloned().collect();
    Plan { title: plan.title.clone(), steps, notes: Vec::new(), guest: None }
}

#[test]
fn isolating_edits_the_entries_of_this_system_and_adds_one_without_passthrough() {
    let shown: Vec<String> =
        DIALECTS.into_iter().map(|dialect| shown(&entries(&isolated(&written(dialect)).plan))).collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn the_way_back_stands_before_what_it_leads_back_from() {
    for dialect in DIALECTS {
        let plan = isolated(&written(dialect)).plan;
        let paths: Vec<&str> = plan.steps.iter().filter_map(passthru_model::plan::Step::path).collect();
        let place = |is: &dyn Fn(&str) -> bool| paths.iter().position(|path| is(path)).expect("a step");
        assert!(
            place(&|path| path.starts_with("/boot/")) < place(&|path| path == managed::DEVICES),
            "{paths:?}"
        );
        if dialect == Dialect::Bls {
            assert!(place(&|path| path.ends_with(managed::OFF_ENTRY_ENDING)) < place(&|path| path == ENTRY));
        }
    }
}

#[test]
fn what_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was_but_for_words() {
    for dialect in DIALECTS {
        there_and_back(&written(dialect), after, |before, files| {
            let (path, text) = file(dialect);
            let left = String::from_utf8_lossy(files[path].content().expect("a file")).into_owned();
            assert_eq!(left, text.replace("intel_iommu=off quiet", "quiet intel_iommu=on"), "{dialect:?}");
            files.insert(path.to_owned(), before.files[path].clone());
        });
    }
}

#[test]
fn what_stands_in_the_way_is_named_with_its_cure() {
    let refusal =
        |facts: &HostFacts| isolate(facts, &[at("02:00.0")], &INSISTING).expect_err("a refusal").to_string();
    let mut reasons = Vec::new();
    for (dialect, old, new) in [
        (Dialect::Bls, IMAGE, "EFI/copies/initrd"),
        (Dialect::Bls, "options root", "options \"a b\" root"),
        (Dialect::Bls, "ro intel_iommu=off quiet", "\"ro quiet"),
        (Dialect::Refind, "quiet\"", "quiet"),
        (Dialect::Refind, "UUID=1", "UUID=3"),
        (Dialect::Limine, IMAGE, "initramfs"),
        (Dialect::Limine, "quiet", "quiet ${MORE}"),
        (Dialect::Syslinux, "  LINUX", "  APPEND again\n  LINUX"),
    ] {
        let mut facts = written(dialect);
        let (path, text) = file(dialect);
        put(&mut facts, path, &text.replace(old, new));
        let outcome = isolate(&facts, &[at("02:00.0")], &INSISTING);
        reasons.push(format!(
            "{dialect:?}, {old} -> {new}\n{}",
            match outcome {
                Ok(_) => "a plan".to_owned(),
                Err(refusal) => refusal.to_string(),
            }
        ));
    }
    let mut facts = written(Dialect::Bls);
    put(&mut facts, managed::LOADER_CONF[1], "default *debian*\n");
    reasons.push(refusal(&facts));
    let link = FileState::Link { target: "/proc/cmdline".to_owned() };
    let mut facts = written(Dialect::Limine);
    facts.files.insert(managed::LIMINE[0].to_owned(), link);
    reasons.push(refusal(&facts));
    let mut facts = written(Dialect::Syslinux);
    facts.files.remove(managed::SYSLINUX[1]);
    facts.unreadable_files.insert(managed::SYSLINUX[1].to_owned(), "permission denied".to_owned());
    reasons.push(refusal(&facts));
    insta::assert_snapshot!(reasons.join("\n\n"));
}

#[test]
fn these_loaders_were_never_started_in_the_laboratory_and_are_changed_only_for_those_who_insist() {
    for dialect in DIALECTS {
        let refusal =
            isolate(&written(dialect), &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
        assert_eq!(refusal.flags(), ["--untried-boot-chain"]);
    }
}
