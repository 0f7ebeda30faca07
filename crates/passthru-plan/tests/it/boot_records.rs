//! What is kept of a boot, and what `last-boot` says of it afterwards: each way in which a boot goes otherwise than intended.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::binding::ImageContents;
use passthru_model::boot_record::{BootRecord, Boots};
use passthru_model::intent::Intent;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{boot_record, diagnose};

use crate::common::{at, cmdline, edit, function, group};
use crate::findings::{booted, lines};

const KERNEL: &str = "6.12.43+deb13-amd64";

/// The boot that the host is in, with these records of earlier ones.
fn in_boot(facts: &mut HostFacts, boot: &str, records: Vec<BootRecord>) {
    let program = Some("/usr/local/bin/passthru".to_owned());
    let boots = Boots { present: Some(boot.to_owned()), records, gaps: Vec::new(), program };
    facts.boots = Fact::known(boots, "/var/lib/passthru/boots", "");
}

/// The isolated host in its first boot, with an image that holds everything.
fn first_boot() -> (HostFacts, Intent) {
    let (mut facts, intent) = booted();
    let own = [
        "etc/passthru/devices",
        "etc/passthru/early",
        "scripts/init-top/passthru",
        "usr/lib/udev/rules.d/10-passthru.rules",
    ];
    image(&mut facts, &own, &["vfio_pci", "bochs"]);
    in_boot(&mut facts, "boot-1", Vec::new());
    (facts, intent)
}

fn image(facts: &mut HostFacts, own: &[&str], modules: &[&str]) {
    let texts = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>();
    let image = ImageContents {
        release: KERNEL.to_owned(),
        path: format!("/boot/initrd.img-{KERNEL}"),
        modules: texts(modules),
        modprobe: BTreeMap::new(),
        own: texts(own),
        entries: 812,
    };
    facts.own_images = Fact::known(vec![image], "/boot", "");
}

fn record(facts: &HostFacts, intent: &Intent) -> BootRecord {
    boot_record(facts, intent, "2026-11-22T20:14:05Z".to_owned()).expect("a boot and a kernel")
}

/// What `last-boot` says once a boot that went so is recorded. The rest of the host is as after a good boot, for the check
/// goes by the record alone.
fn said_of(change: impl FnOnce(&mut HostFacts)) -> String {
    let (mut facts, intent) = first_boot();
    let first = record(&facts, &intent);
    in_boot(&mut facts, "boot-2", vec![first.clone()]);
    change(&mut facts);
    let second = record(&facts, &intent);
    let (mut later, _) = booted();
    in_boot(&mut later, "boot-2", vec![first, second]);
    lines(&diagnose(&later, &["last-boot"]).expect("a check"))
}

#[test]
fn a_boot_that_went_well_says_so() {
    insta::assert_snapshot!(said_of(|_| {}));
}

#[test]
fn an_image_that_a_kernel_update_made_without_our_files_is_named() {
    insta::assert_snapshot!(said_of(|facts| image(facts, &["etc/passthru/devices"], &["bochs"])));
}

#[test]
fn an_address_that_moved_is_named_with_the_new_one() {
    insta::assert_snapshot!(said_of(|facts| {
        let Fact::Known(functions, _) = &mut facts.pci else { panic!("known") };
        // What tells the card from its twins.
        for address in ["02:00.0", "02:00.1"] {
            let mut moved = functions.remove(&at(address)).expect("there");
            moved.address = at(&address.replace("02:", "05:"));
            moved.driver = None;
            functions.insert(moved.address, moved);
        }
        functions
            .retain(|address, _| !["01:00", "03:00"].iter().any(|slot| address.to_string().contains(slot)));
    }));
}

#[test]
fn a_twin_is_not_taken_for_the_card_that_is_gone() {
    let said = said_of(|facts| {
        let Fact::Known(functions, _) = &mut facts.pci else { panic!("known") };
        functions.remove(&at("02:00.0"));
    });
    assert!(said.contains("0000:02:00.0 is not in this host"), "{said}");
}

#[test]
fn another_device_at_the_address_is_named() {
    insta::assert_snapshot!(said_of(|facts| {
        edit(facts, "02:00.0", |function| {
            function.id = "10de:13c2".parse().expect("an id");
            function.driver = Some("nouveau".to_owned());
        });
    }));
}

#[test]
fn a_group_that_grew_is_named_also_where_nothing_has_the_newcomer() {
    insta::assert_snapshot!(said_of(|facts| {
        let Fact::Known(functions, _) = &mut facts.pci else { panic!("known") };
        let newcomer = function("07:00.0", "1b21:1242", "0c0330", None, &["00:02.1"]);
        functions.insert(newcomer.address, newcomer);
        let number = functions[&at("02:00.0")].group.expect("a group");
        group(facts, number, &["02:00.0", "02:00.1", "07:00.0"]);
    }));
}

#[test]
fn a_parameter_that_is_gone_and_a_driver_that_was_faster_are_named() {
    insta::assert_snapshot!(said_of(|facts| {
        cmdline(facts, "root=UUID=1 ro console=ttyS0 quiet");
        edit(facts, "02:00.0", |function| function.driver = Some("bochs".to_owned()));
    }));
}

#[test]
fn a_boot_with_passthru_off_is_told_apart_from_one_that_failed() {
    insta::assert_snapshot!(said_of(|facts| {
        cmdline(facts, "root=UUID=1 ro console=ttyS0 quiet intel_iommu=on passthru.off");
        for address in ["02:00.0", "02:00.1"] {
            edit(facts, address, |function| function.driver = Some("bochs".to_owned()));
        }
    }));
}

#[test]
fn what_came_into_the_group_stays_named_in_later_boots() {
    let (mut facts, intent) = first_boot();
    let mut records = vec![record(&facts, &intent)];
    let Fact::Known(functions, _) = &mut facts.pci else { panic!("known") };
    let newcomer = function("07:00.0", "1b21:1242", "0c0330", None, &["00:02.1"]);
    functions.insert(newcomer.address, newcomer);
    let number = functions[&at("02:00.0")].group.expect("a group");
    group(&mut facts, number, &["02:00.0", "02:00.1", "07:00.0"]);
    for boot in ["boot-2", "boot-3"] {
        in_boot(&mut facts, boot, records.clone());
        let record = record(&facts, &intent);
        assert_eq!(record.differences.len(), 1, "{boot}: {:?}", record.differences);
        records.push(record);
    }
}

#[test]
fn before_there_is_a_record_it_says_why_there_is_none() {
    let say = |facts: &HostFacts| lines(&diagnose(facts, &["last-boot"]).expect("a check"));
    let (mut facts, intent) = first_boot();
    let fresh = say(&facts);
    let other = BootRecord { devices: Vec::new(), ..record(&facts, &intent) };
    in_boot(&mut facts, "boot-2", vec![other]);
    let chosen_anew = say(&facts);
    if let Fact::Known(boots, _) = &mut facts.boots {
        boots.program = None;
    }
    let no_program = say(&facts);
    facts.files.insert(managed::RECORD_UNIT.to_owned(), passthru_model::plan::FileState::Absent);
    let no_unit = say(&facts);
    facts.boots = Fact::unknown("/var/lib/passthru/boots may not be read by this user");
    insta::assert_snapshot!([fresh, chosen_anew, no_program, no_unit, say(&facts)].concat());
}

#[test]
fn a_record_of_an_earlier_boot_is_called_that_and_one_that_cannot_be_read_is_named() {
    let (mut facts, intent) = first_boot();
    let first = record(&facts, &intent);
    in_boot(&mut facts, "boot-2", vec![first]);
    if let Fact::Known(boots, _) = &mut facts.boots {
        boots
            .gaps
            .push("/var/lib/passthru/boots/000002.json is no record of a boot: EOF while parsing".to_owned());
    }
    insta::assert_snapshot!(lines(&diagnose(&facts, &["last-boot"]).expect("a check")));
}
