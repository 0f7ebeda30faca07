//! Whole plans for hosts whose entries and images limine-entry-tool makes, as on CachyOS.

use passthru_formats::{boot_entries, limine_defaults};
use passthru_model::boot::LimineEntries;
use passthru_model::facts::{Bootloader, InitramfsGenerator};
use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::program::Program;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, IntentEdit, isolate, isolate_by};

use crate::common::{self, INSISTING, at, cmdline, put, shown, there_and_back};
use crate::mkinitcpio::{CONF, arch};
use crate::texts::{SHELLS, run, write};

const MENU: &str = managed::LIMINE[0];
const SETTINGS: &str = managed::LIMINE_SETTINGS[0];
const MACHINE: &str = "3c6c0d3e7f6e4d0c9b1f5a2b8d7e6f50";
const DEFAULTS: &str = "ESP_PATH=\"/boot\"\nKERNEL_CMDLINE[default]+=\"quiet intel_iommu=off rw root=UUID=1\"\nBOOT_ORDER=\"*, *fallback, Snapshots\"\n";

/// The entry that the tool makes, with a hash that its images have.
fn made(line: &str, hash: usize) -> String {
    let directory = format!("boot():/{MACHINE}/linux-cachyos");
    format!(
        "/+CachyOS\ncomment: machine-id={MACHINE}\n  //linux-cachyos\n  comment: kernel-id=linux-cachyos\n  protocol: linux\n  \
         module_path: {directory}/initramfs-linux-cachyos#{hash:04x}\n  path: {directory}/vmlinuz-linux-cachyos#{hash:04x}\n  \
         cmdline: {line}\n"
    )
}

/// A snapshot keeps the words that it was made with, and other systems theirs.
const OTHERS: &str = "    //Snapshots\n    ///1\n    protocol: linux\n    path: boot():/3c6c0d3e7f6e4d0c9b1f5a2b8d7e6f50/limine_history/vmlinuz_1#1\n    \
                      cmdline: quiet intel_iommu=off rw root=UUID=1\n\n/Windows\n    protocol: efi\n    path: boot():/EFI/Microsoft/bootmgfw.efi\n";

/// The plain host as a CachyOS.
pub(crate) fn cachy() -> HostFacts {
    let mut facts = arch(true, CONF);
    facts.files.retain(|path, _| !path.starts_with("/boot/loader"));
    let directory = format!("/boot/{MACHINE}/linux-cachyos");
    let image = format!("{directory}/initramfs-linux-cachyos");
    if let Fact::Known(kernels, _) = &mut facts.kernel.installed {
        for kernel in kernels {
            kernel.image = Some(format!("{directory}/vmlinuz-linux-cachyos"));
            kernel.initramfs = Some(image.clone());
        }
    }
    if let Fact::Known(InitramfsGenerator::Mkinitcpio(found), _) = &mut facts.initramfs {
        found.presets.clear();
    }
    let found = LimineEntries {
        menu: MENU.to_owned(),
        machine_id: MACHINE.to_owned(),
        parts: vec![format!("{directory}/vmlinuz-linux-cachyos"), image.clone()],
        images: vec![image],
    };
    facts.bootloader = Fact::known(Bootloader::LimineEntries(found), MENU, "");
    put(&mut facts, SETTINGS, DEFAULTS);
    put(
        &mut facts,
        MENU,
        &format!("timeout: 5\n\n{}{OTHERS}", made("quiet intel_iommu=off rw root=UUID=1", 0)),
    );
    read_entries(&mut facts);
    cmdline(&mut facts, "quiet intel_iommu=off rw root=UUID=1");
    facts
}

fn text(facts: &HostFacts, path: &str) -> String {
    String::from_utf8_lossy(facts.files[path].content().expect("a file")).into_owned()
}

fn read_entries(facts: &mut HostFacts) {
    let entries = boot_entries::limine(MENU, text(facts, MENU).as_bytes());
    facts.boot.entries = Fact::known(entries, "/boot", "");
}

/// What the tool makes of its settings: its own entry anew, and the others as they are.
fn make_entries(facts: &mut HostFacts) {
    let line = limine_defaults::read(&text(facts, SETTINGS), "default").expect("plain").expect("words");
    let menu = text(facts, MENU);
    let (head, rest) = menu.split_once("/+CachyOS").expect("its entry");
    let others = rest.split_once("    //Snapshots").expect("the others").1;
    let others = others.split("\n/Without").next().unwrap_or_default();
    let mut menu = format!("{head}{}    //Snapshots{others}", made(&line, line.len()));
    if facts.files.get(managed::LIMINE_OFF_ENTRY).is_some_and(|state| *state != FileState::Absent) {
        menu += "\n/Without PCI passthrough\n    protocol: linux\n    path: boot():/a\n    cmdline: quiet passthru.off\n";
    }
    put(facts, MENU, &menu);
    read_entries(facts);
}

/// The host after a plan.
pub(crate) fn after(facts: &HostFacts, plan: &Plan) -> HostFacts {
    let mut done = common::after_making(facts, plan, Program::LimineMkinitcpio, make_entries);
    read_entries(&mut done);
    done
}

#[test]
fn isolating_edits_the_settings_and_has_entries_and_images_made_once() {
    let mut plan = isolate(&cachy(), &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    plan.steps.retain(|step| {
        matches!(step.action, Action::Run { .. })
            || step.path().is_some_and(|path| {
                path == managed::LIMINE_OFF_ENTRY || path == SETTINGS || path.contains("initcpio.conf")
            })
    });
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn what_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was_but_for_words() {
    there_and_back(&cachy(), after, |before, files| {
        let left = |path: &str| String::from_utf8_lossy(files[path].content().expect("a file")).into_owned();
        let line = "quiet rw root=UUID=1 intel_iommu=on";
        assert_eq!(left(SETTINGS), DEFAULTS.replace("quiet intel_iommu=off rw root=UUID=1", line));
        assert_eq!(left(MENU), format!("timeout: 5\n\n{}{OTHERS}", made(line, line.len())));
        for path in [SETTINGS, MENU] {
            files.insert(path.to_owned(), before.files[path].clone());
        }
    });
}

/// What our script makes of a menu in one of the shells.
fn with_off_entry(script: &str, menu: &str, shell: &[&str]) -> Option<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().join("limine.conf");
    write(&place, menu);
    let script = script.replace(MENU, &place.to_string_lossy());
    let arguments: Vec<&str> = shell[1..].iter().copied().chain(["-c", &script]).collect();
    let output = run(shell[0], &arguments)?;
    assert!(output.status.success() && output.stderr.is_empty(), "{shell:?}: {output:?}");
    #[expect(clippy::disallowed_methods, reason = "the test looks at what the script wrote")]
    Some(std::fs::read_to_string(&place).expect("a menu"))
}

#[test]
fn the_way_back_is_the_tool_s_first_entry_again_without_hashes_and_comments_and_without_our_words() {
    let wish = IntentEdit { disable_idle_d3: Some(true), ..IntentEdit::default() };
    let plan = isolate_by(&cachy(), &[at("02:00.0")], &wish, &INSISTING).expect("a plan").plan;
    let step = plan.steps.iter().find(|step| step.path() == Some(managed::LIMINE_OFF_ENTRY)).expect("a step");
    let Action::File { after, .. } = &step.action else { panic!("a file") };
    let script = String::from_utf8(after.content().expect("a file").to_vec()).expect("text");
    let line = "quiet rw root=UUID=1 intel_iommu=on vfio_pci.disable_idle_d3=1";
    for menu in [
        format!("timeout: 5\n\n{OTHERS}{}", made(line, 7)),
        format!("{}{OTHERS}\n\n", made(&format!("{line} init=/x"), 7)),
        made(line, 7)
            .replace("path:", "kernel_path:")
            .replace("module_kernel_", "module_")
            .replace("cmdline:", "kernel_cmdline:"),
    ] {
        for shell in SHELLS {
            let Some(once) = with_off_entry(&script, &menu, shell) else { continue };
            let (before, entry) = once.split_once("\n/Without").expect("an entry");
            assert_eq!(before, menu.trim_end_matches('\n').to_owned() + "\n", "{shell:?}");
            let init = if menu.contains("init=") { " init=/x" } else { "" };
            let directory = format!("boot():/{MACHINE}/linux-cachyos");
            assert_eq!(
                entry,
                format!(
                    " PCI passthrough\n    protocol: linux\n    module_path: {directory}/initramfs-linux-cachyos\n    \
                     path: {directory}/vmlinuz-linux-cachyos\n    cmdline: quiet rw root=UUID=1{init} passthru.off\n"
                ),
                "{shell:?}"
            );
            // It takes its own entry out first, wherever the tool has put it.
            assert_eq!(with_off_entry(&script, &once, shell).as_deref(), Some(&*once));
            let moved = before.replace("/+CachyOS", &format!("/Without{entry}/+CachyOS"));
            assert_eq!(with_off_entry(&script, &moved, shell).as_deref(), Some(&*once));
        }
    }
    // A menu in which there is nothing to go by stays as it is.
    let strange = "timeout: 5\n/Windows\n    path: boot():/a.efi\n";
    assert_eq!(with_off_entry(&script, strange, SHELLS[0]).as_deref(), Some(strange));
}

#[test]
fn words_are_added_to_the_last_file_that_gives_any() {
    let mut facts = cachy();
    put(&mut facts, SETTINGS, "ESP_PATH=/boot\n");
    put(&mut facts, managed::LIMINE_SETTINGS[1], "KERNEL_CMDLINE[default]=\"rw root=UUID=1\"\n");
    let drop_in = "/etc/limine-entry-tool.d/defaults.conf";
    put(&mut facts, drop_in, "KERNEL_CMDLINE[default]+=\" quiet\"\n");
    let plan = isolate(&facts, &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    let edited: Vec<(&str, String)> = plan
        .steps
        .iter()
        .filter(|step| step.id.starts_with("limine-settings"))
        .filter_map(|step| match &step.action {
            Action::File { path, after, .. } => {
                Some((path.as_str(), String::from_utf8_lossy(after.content()?).into_owned()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(edited, [(drop_in, "KERNEL_CMDLINE[default]+=\" quiet intel_iommu=on\"\n".to_owned())]);
}

#[test]
fn what_stands_in_the_way_is_named_with_its_cure() {
    let refusal =
        |facts: &HostFacts| isolate(facts, &[at("02:00.0")], &INSISTING).expect_err("a refusal").to_string();
    let mut reasons: Vec<String> = [
        // With any words of its own the tool takes no others, so that root= would be lost.
        "ESP_PATH=/boot\n".to_owned(),
        DEFAULTS.replace("root=UUID=1", ""),
        DEFAULTS.replace("quiet", "$(cat /x)"),
        format!("{DEFAULTS}KERNEL_CMDLINE[linux-lts]=\"rw\"\n"),
        format!("{DEFAULTS}ENABLE_UKI=yes\n"),
        format!("{DEFAULTS}ENABLE_ENROLL_LIMINE_CONFIG=yes\n"),
    ]
    .map(|text| {
        let mut facts = cachy();
        put(&mut facts, SETTINGS, &text);
        refusal(&facts)
    })
    .into();
    let mut facts = cachy();
    facts.initramfs = Fact::known(InitramfsGenerator::Dracut, "/usr/bin/dracut", "");
    reasons.push(refusal(&facts));
    let mut facts = cachy();
    facts.files.insert(SETTINGS.to_owned(), FileState::Absent);
    put(&mut facts, "/usr/share/limine-entry-tool.d/vendor.conf", DEFAULTS);
    reasons.push(refusal(&facts));
    insta::assert_snapshot!(reasons.join("\n\n"));
    let untried = isolate(&cachy(), &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
    assert_eq!(untried.flags(), ["--untried-boot-chain"]);
}
