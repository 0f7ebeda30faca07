//! Whole plans for hosts that boot in other ways than by GRUB and initramfs-tools.

use passthru_model::boot::{BootEntry, KernelInstall, Layout, Loader, MadeEntry};
use passthru_model::facts::{Bootloader, InitramfsGenerator};
use passthru_model::plan::{FileState, Plan};
use passthru_model::program::Program;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, isolate, plan_for, release};

use crate::common::{self, INSISTING, at, cmdline, host, put, shown, there_and_back};

const RELEASE: &str = "6.12.43+deb13-amd64";
const TOKEN: &str = "7b1f8f0e5d1b4a579c430a4b6c1d2e3f";
const LINE: &str = "root=UUID=1 ro console=ttyS0 intel_iommu=off quiet";

pub(crate) fn dracut(mut facts: HostFacts) -> HostFacts {
    facts.initramfs = Fact::known(InitramfsGenerator::Dracut, "/usr/bin/dracut", "");
    facts
}

/// The plain host, booted by systemd-boot.
pub(crate) fn systemd_boot(layout: Layout) -> HostFacts {
    let mut facts = host();
    for path in [managed::GRUB_DEFAULTS, managed::GRUB_CFG] {
        facts.files.insert(path.to_owned(), FileState::Absent);
    }
    let directory = format!("/boot/efi/{TOKEN}/{RELEASE}");
    let (path, parts) = match layout {
        Layout::Entries => (
            format!("/boot/efi/loader/entries/{TOKEN}-{RELEASE}.conf"),
            vec![format!("{directory}/linux"), format!("{directory}/initrd.img-{RELEASE}")],
        ),
        Layout::Unified => (format!("/boot/efi/EFI/Linux/{TOKEN}-{RELEASE}.efi"), Vec::new()),
    };
    let made =
        MadeEntry { release: RELEASE.to_owned(), image: format!("/boot/vmlinuz-{RELEASE}"), path, parts };
    let found =
        KernelInstall { root: "/boot/efi".to_owned(), token: TOKEN.to_owned(), layout, kernels: vec![made] };
    facts.bootloader = Fact::known(Bootloader::KernelInstall(found), "LoaderEntrySelected", "");
    put(&mut facts, managed::KERNEL_CMDLINE, &format!("{LINE}\n"));
    cmdline(&mut facts, &format!("initrd=\\initrd {LINE}"));
    make_entries(&mut facts);
    facts
}

fn made(facts: &HostFacts) -> KernelInstall {
    match facts.bootloader.value() {
        Some(Bootloader::KernelInstall(found)) => found.clone(),
        other => panic!("{other:?}"),
    }
}

/// What kernel-install makes of the files that stand.
fn make_entries(facts: &mut HostFacts) {
    let found = made(facts);
    let source = facts.files[managed::KERNEL_CMDLINE].content().unwrap_or(LINE.as_bytes());
    let line = String::from_utf8_lossy(source).trim().to_owned();
    let entry = |kernel: &MadeEntry| BootEntry {
        path: kernel.path.clone(),
        line: 1,
        loader: Loader::Bls,
        title: None,
        kernel: None,
        cmdline: line.clone(),
        source: false,
        rescue: false,
    };
    let entries = found.kernels.iter().map(entry).collect();
    facts.boot.entries = Fact::known(entries, "/boot", "");
    if facts.files[managed::KERNEL_INSTALL_OFF] != FileState::Absent {
        for kernel in &found.kernels {
            let text =
                format!("# Written by passthru. Made anew by a plugin.\noptions {line} passthru.off\n");
            put(facts, &found.off_entry(&kernel.release), &text);
        }
    }
}

/// The host after a plan.
pub(crate) fn after(facts: &HostFacts, plan: &Plan) -> HostFacts {
    common::after_making(facts, plan, Program::KernelInstall, make_entries)
}

fn isolated(facts: &HostFacts) -> passthru_plan::IntentChange {
    isolate(facts, &[at("02:00.0")], &INSISTING).expect("a plan")
}

#[test]
fn isolating_with_grub_and_dracut() {
    insta::assert_snapshot!(shown(&isolated(&dracut(host())).plan));
}

#[test]
fn isolating_with_systemd_boot_and_initramfs_tools() {
    insta::assert_snapshot!(shown(&isolated(&systemd_boot(Layout::Entries)).plan));
}

#[test]
fn isolating_with_a_unified_image_and_dracut() {
    insta::assert_snapshot!(shown(&isolated(&dracut(systemd_boot(Layout::Unified))).plan));
}

#[test]
fn releasing_with_systemd_boot() {
    let before = systemd_boot(Layout::Entries);
    let done = after(&before, &isolated(&before).plan);
    let plan = release(&done, &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    insta::assert_snapshot!(shown(&plan));
}

fn chains() -> Vec<HostFacts> {
    vec![
        dracut(host()),
        systemd_boot(Layout::Entries),
        dracut(systemd_boot(Layout::Entries)),
        systemd_boot(Layout::Unified),
        dracut(systemd_boot(Layout::Unified)),
    ]
}

#[test]
fn a_chain_that_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was() {
    for chain in chains() {
        there_and_back(&chain, after, |before, files| {
            // The words that went, and those that came in their place, are the user's to bring back.
            for path in [managed::KERNEL_CMDLINE, managed::GRUB_DEFAULTS, managed::GRUB_CFG] {
                files.insert(path.to_owned(), before.files[path].clone());
            }
        });
    }
}

#[test]
fn without_a_file_for_the_command_line_one_is_made_of_what_runs_but_for_the_words_of_one_boot() {
    let mut facts = systemd_boot(Layout::Entries);
    facts.files.insert(managed::KERNEL_CMDLINE.to_owned(), FileState::Absent);
    cmdline(
        &mut facts,
        "initrd=\\a\\initrd root=UUID=1 ro intel_iommu=sm_on,off dyndbg=\"func x +p\" passthru.off",
    );
    let done = after(&facts, &isolated(&facts).plan);
    assert_eq!(
        done.files[managed::KERNEL_CMDLINE],
        FileState::root_file("root=UUID=1 ro intel_iommu=sm_on dyndbg=\"func x +p\" intel_iommu=on\n", 0o644)
    );
}

#[test]
fn a_generator_or_loader_that_is_changed_takes_the_files_of_the_old_one_with_it() {
    let before = systemd_boot(Layout::Entries);
    let change = isolated(&before);
    let done = dracut(after(&before, &change.plan));
    let plan = plan_for(&done, &change.intent, &INSISTING).expect("a plan");
    let gone: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| step.kind() == "file-remove")
        .filter_map(passthru_model::plan::Step::path)
        .collect();
    assert_eq!(gone, [managed::INITRAMFS_HOOK, managed::INITRAMFS_INIT_TOP]);
    assert!(plan.steps.iter().any(|step| step.path() == Some(managed::DRACUT_CONF)));
}

#[test]
fn what_stands_in_the_way_is_named_with_its_cure() {
    let refusal =
        |facts: &HostFacts| isolate(facts, &[at("02:00.0")], &INSISTING).expect_err("a refusal").to_string();
    let mut reasons = Vec::new();
    for text in ["", "# all of it is gone\n", "root=UUID=1 \"quiet\n", "root=UUID=1 \u{0}\n"] {
        let mut facts = systemd_boot(Layout::Entries);
        put(&mut facts, managed::KERNEL_CMDLINE, text);
        reasons.push(refusal(&facts));
    }
    let mut facts = systemd_boot(Layout::Entries);
    let link = FileState::Link { target: "/proc/cmdline".to_owned() };
    facts.files.insert(managed::KERNEL_CMDLINE.to_owned(), link);
    reasons.push(refusal(&facts));
    let mut facts = systemd_boot(Layout::Entries);
    put(&mut facts, managed::KERNEL_INSTALL_OFF, "#!/bin/sh\n");
    reasons.push(refusal(&facts));
    let mut facts = systemd_boot(Layout::Entries);
    facts.boot.entries = Fact::unknown("permission denied");
    put(&mut facts, managed::KERNEL_CMDLINE, "root=UUID=1\n");
    reasons.push(refusal(&facts));
    let mut facts = systemd_boot(Layout::Unified);
    facts.firmware.secure_boot = Fact::known(Some(true), "/sys/firmware/efi/efivars/SecureBoot", "1");
    reasons.push(refusal(&facts));
    insta::assert_snapshot!(reasons.join("\n\n"));
}

#[test]
fn a_chain_that_was_never_started_in_the_laboratory_is_changed_only_for_those_who_insist() {
    let named = [at("02:00.0")];
    let before = dracut(systemd_boot(Layout::Unified));
    let refusal = isolate(&before, &named, &Consent::default()).expect_err("a refusal");
    assert_eq!(refusal.flags(), ["--untried-boot-chain"]);
    let done = after(&before, &isolated(&before).plan);
    assert_eq!(release(&done, &named, &Consent::default()).expect_err("a refusal"), refusal);
    // Where nothing of the chain changes, there is nothing to insist on.
    let intent = isolated(&before).intent;
    assert!(plan_for(&done, &intent, &Consent::default()).is_ok_and(|plan| plan.is_empty()));
    insta::assert_snapshot!(refusal);
    let is_changed = |facts: HostFacts| {
        assert!(isolate(&facts, &named, &Consent::default()).is_ok(), "{:?}", facts.bootloader);
    };
    is_changed(host());
    is_changed(dracut(host()));
    is_changed(systemd_boot(Layout::Entries));
    is_changed(dracut(systemd_boot(Layout::Entries)));
    is_changed(systemd_boot(Layout::Unified));
}
