//! Whole plans for hosts whose boot entries kernelstub makes, as on Pop!_OS.

use passthru_formats::kernelstub;
use passthru_model::boot::{BootEntry, Kernelstub, Loader};
use passthru_model::facts::Bootloader;
use passthru_model::plan::{FileState, Plan};
use passthru_model::program::Program;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, isolate};

use crate::common::{self, INSISTING, at, cmdline, host, put, shown, there_and_back};

const SETTINGS: &str = "{\n  \"default\": {\n    \"kernel_options\": [\n      \"quiet\"\n    ]\n  },\n  \"user\": {\n    \"kernel_options\": [\n      \
                        \"quiet\",\n      \"intel_iommu=off\",\n      \"splash\"\n    ],\n    \"esp_path\": \"/boot/efi\",\n    \
                        \"setup_loader\": true,\n    \"manage_mode\": true,\n    \"config_rev\": 3\n  }\n}";
const CURRENT: &str = "/boot/efi/loader/entries/Pop_OS-current.conf";
const OLD: &str = "/boot/efi/loader/entries/Pop_OS-oldkern.conf";

/// The plain host as a Pop!_OS.
pub(crate) fn pop() -> HostFacts {
    let mut facts = host();
    for path in [managed::GRUB_DEFAULTS, managed::GRUB_CFG] {
        facts.files.insert(path.to_owned(), FileState::Absent);
    }
    let parts: Vec<String> = ["vmlinuz.efi", "initrd.img", "vmlinuz-previous.efi", "initrd.img-previous"]
        .iter()
        .map(|name| format!("/boot/efi/EFI/Pop_OS-1/{name}"))
        .collect();
    let found = Kernelstub {
        root: "/boot/efi".to_owned(),
        current: CURRENT.to_owned(),
        made: vec![CURRENT.to_owned(), OLD.to_owned()],
        images: vec![parts[1].clone(), parts[3].clone()],
        parts,
    };
    facts.bootloader = Fact::known(Bootloader::Kernelstub(found), "LoaderEntrySelected", "");
    put(&mut facts, managed::KERNELSTUB, SETTINGS);
    make_entries(&mut facts);
    cmdline(&mut facts, "initrd=\\initrd root=UUID=1 ro quiet intel_iommu=off splash");
    facts
}

/// What kernelstub makes of its settings.
fn make_entries(facts: &mut HostFacts) {
    let text =
        String::from_utf8_lossy(facts.files[managed::KERNELSTUB].content().expect("settings")).into_owned();
    let line = format!("root=UUID=1 ro {}", kernelstub::read(&text).expect("words").join(" "));
    let entry = |path: &str| BootEntry {
        path: path.to_owned(),
        line: 4,
        loader: Loader::Bls,
        title: None,
        kernel: None,
        cmdline: line.clone(),
        source: false,
        rescue: false,
    };
    facts.boot.entries = Fact::known([CURRENT, OLD].map(entry).to_vec(), "/boot", "");
    for (path, suffix) in [(CURRENT, ""), (OLD, "-previous")] {
        let text = format!(
            "title Pop!_OS\nlinux /EFI/Pop_OS-1/vmlinuz{suffix}.efi\ninitrd /EFI/Pop_OS-1/initrd.img{suffix}\noptions {line}\n"
        );
        put(facts, path, &text);
    }
}

/// The host after a plan.
pub(crate) fn after(facts: &HostFacts, plan: &Plan) -> HostFacts {
    common::after_making(facts, plan, Program::Kernelstub, make_entries)
}

fn isolated(facts: &HostFacts) -> passthru_plan::IntentChange {
    isolate(facts, &[at("02:00.0")], &INSISTING).expect("a plan")
}

#[test]
fn isolating_edits_the_settings_and_has_kernelstub_copy_the_new_images() {
    let mut plan = isolated(&pop()).plan;
    plan.steps.retain(|step| {
        step.path().is_none_or(|path| managed::has_entries(path) || path == managed::KERNELSTUB)
    });
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn what_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was_but_for_words() {
    there_and_back(&pop(), after, |before, files| {
        let text =
            String::from_utf8_lossy(files[managed::KERNELSTUB].content().expect("settings")).into_owned();
        assert_eq!(kernelstub::read(&text).expect("words"), ["quiet", "splash", "intel_iommu=on"]);
        for path in [managed::KERNELSTUB, CURRENT, OLD] {
            files.insert(path.to_owned(), before.files[path].clone());
        }
    });
}

#[test]
fn what_stands_in_the_way_is_named_with_its_cure() {
    let refusal =
        |facts: &HostFacts| isolate(facts, &[at("02:00.0")], &INSISTING).expect_err("a refusal").to_string();
    let mut reasons = Vec::new();
    for text in ["", "{\n  \"user\": {\n    \"kernel_options\": \"quiet\"\n  }\n}\n"] {
        let mut facts = pop();
        put(&mut facts, managed::KERNELSTUB, text);
        reasons.push(refusal(&facts));
    }
    let mut facts = pop();
    let link = FileState::Link { target: "/dev/null".to_owned() };
    facts.files.insert(CURRENT.to_owned(), link);
    reasons.push(refusal(&facts));
    let mut facts = pop();
    facts.unreadable_files.insert(managed::KERNELSTUB.to_owned(), "is a directory".to_owned());
    facts.files.remove(managed::KERNELSTUB);
    reasons.push(refusal(&facts));
    insta::assert_snapshot!(reasons.join("\n\n"));
    let untried = isolate(&pop(), &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
    assert_eq!(untried.flags(), ["--untried-boot-chain"]);
}
