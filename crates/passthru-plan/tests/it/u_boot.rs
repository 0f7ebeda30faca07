//! Whole plans for hosts whose menu u-boot-update makes, and what the real program makes of them.

use std::fmt::Write as _;

use passthru_formats::shell::value_of_all;
use passthru_formats::{boot_entries, u_boot_menu};
use passthru_model::facts::Bootloader;
use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::program::Program;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, IntentEdit, isolate, isolate_by};

use crate::common::{self, INSISTING, at, cmdline, host, put, shown, there_and_back};
use crate::texts::{run, write};

const MENU: &str = managed::SYSLINUX[1];
const SETTINGS: &str = "## /etc/default/u-boot\n\n#U_BOOT_PROMPT=\"0\"\nU_BOOT_ROOT=\"root=UUID=1\"\nU_BOOT_PARAMETERS=\"ro intel_iommu=off \
                        quiet\"\n";

/// The plain host with this menu; `settings`: what `/etc/default/u-boot` says.
fn with_settings(settings: &str) -> HostFacts {
    let mut facts = host();
    for path in [managed::GRUB_DEFAULTS, managed::GRUB_CFG] {
        facts.files.insert(path.to_owned(), FileState::Absent);
    }
    facts.bootloader = Fact::known(Bootloader::UBootMenu, MENU, "");
    put(&mut facts, managed::U_BOOT_DEFAULTS, settings);
    make_menu(&mut facts);
    cmdline(&mut facts, "root=UUID=1 ro intel_iommu=off quiet");
    facts
}

pub(crate) fn u_boot() -> HostFacts {
    with_settings(SETTINGS)
}

/// What u-boot-update makes of its settings, with the entry of ours where that is asked for.
fn make_menu(facts: &mut HostFacts) {
    let text = |path: &str| {
        let bytes = facts.files.get(path).and_then(FileState::content).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    };
    let mut line = value_of_all(&[&text(managed::U_BOOT_DEFAULTS)], u_boot_menu::PARAMETERS).expect("plain");
    if line.is_empty() {
        line = text(managed::KERNEL_CMDLINE).trim().replace("root=UUID=1 ", "");
    }
    if line.is_empty() {
        u_boot_menu::BUILT_IN.clone_into(&mut line);
    }
    let mut menu = format!(
        "default l0\nlabel l0\n\tmenu label Debian\n\tlinux /vmlinuz-6.12.43+deb13-amd64\n\tinitrd /initrd.img-6.12.43+deb13-amd64\n\t\
         append root=UUID=1 {line}\n"
    );
    if !text(managed::U_BOOT_OFF_ENTRY).is_empty() {
        let _ = write!(
            menu,
            "\nlabel passthru-off\n\tlinux /vmlinuz\n\tappend root=UUID=1 {line} passthru.off\n"
        );
    }
    put(facts, MENU, &menu);
    let entries = boot_entries::syslinux(MENU, menu.as_bytes());
    facts.boot.entries = Fact::known(entries, "/boot", "");
}

/// The host after a plan.
pub(crate) fn after(facts: &HostFacts, plan: &Plan) -> HostFacts {
    common::after_making(facts, plan, Program::UBootUpdate, make_menu)
}

#[test]
fn isolating_edits_the_settings_and_has_the_menu_made_anew() {
    let mut plan = isolate(&u_boot(), &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    plan.steps.retain(|step| {
        step.path().is_some_and(|path| path == MENU || path.contains("u-boot") || path == managed::PARAMETERS)
    });
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn what_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was_but_for_words() {
    there_and_back(&u_boot(), after, |before, files| {
        let left = String::from_utf8_lossy(files[managed::U_BOOT_DEFAULTS].content().expect("settings"))
            .into_owned();
        assert_eq!(left, SETTINGS.replace("intel_iommu=off quiet", "quiet intel_iommu=on"));
        for path in [managed::U_BOOT_DEFAULTS, MENU] {
            files.insert(path.to_owned(), before.files[path].clone());
        }
    });
}

#[test]
fn words_go_where_they_come_from() {
    let changed = |facts: &HostFacts| {
        let plan = isolate(facts, &[at("02:00.0")], &INSISTING).expect("a plan").plan;
        let text = |action: &Action| match action {
            Action::File { path, after, .. }
                if path.contains("u-boot") || path == managed::KERNEL_CMDLINE =>
            {
                Some((path.clone(), String::from_utf8(after.content()?.to_vec()).expect("text")))
            }
            _ => None,
        };
        let mut found: Vec<_> = plan.steps.iter().filter_map(|step| text(&step.action)).collect();
        found.retain(|(path, _)| path != managed::U_BOOT_OFF_ENTRY);
        found
    };
    let pair = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    // What u-boot-update takes where nothing is set stays.
    let mut facts = with_settings("#U_BOOT_PARAMETERS=\"ro quiet\"\n");
    let built_in = "#U_BOOT_PARAMETERS=\"ro quiet\"\nU_BOOT_PARAMETERS=\"ro quiet intel_iommu=on\"\n";
    assert_eq!(changed(&facts), [pair(managed::U_BOOT_DEFAULTS, built_in)]);
    facts.files.insert(managed::U_BOOT_DEFAULTS.to_owned(), FileState::Absent);
    let alone = "U_BOOT_PARAMETERS=\"ro quiet intel_iommu=on\"\n";
    assert_eq!(changed(&facts), [pair(managed::U_BOOT_DEFAULTS, alone)]);
    // Or what it reads then.
    put(&mut facts, managed::KERNEL_CMDLINE, "root=UUID=1 ro splash\n");
    assert_eq!(changed(&facts), [pair(managed::KERNEL_CMDLINE, "root=UUID=1 ro splash intel_iommu=on\n")]);
    // The last file that sets the words gets those that are added; they go from all.
    let mut facts = u_boot();
    let drop_in = "/etc/u-boot-menu/conf.d/local.conf";
    put(&mut facts, drop_in, "U_BOOT_PARAMETERS=\"$U_BOOT_PARAMETERS splash\"\n");
    assert_eq!(
        changed(&facts),
        [
            pair(managed::U_BOOT_DEFAULTS, &SETTINGS.replace("intel_iommu=off ", "")),
            pair(drop_in, "U_BOOT_PARAMETERS=\"$U_BOOT_PARAMETERS splash intel_iommu=on\"\n"),
        ]
    );
}

#[test]
fn what_stands_in_the_way_is_named_with_its_cure() {
    let refusal =
        |facts: &HostFacts| isolate(facts, &[at("02:00.0")], &INSISTING).expect_err("a refusal").to_string();
    let mut reasons: Vec<String> = [
        "U_BOOT_PARAMETERS=\"ro $(cat /x)\"\n",
        "U_BOOT_PARAMETERS=\"ro\n",
        "U_BOOT_UPDATE=false\nU_BOOT_PARAMETERS=ro\n",
    ]
    .map(|text| {
        let mut facts = u_boot();
        put(&mut facts, managed::U_BOOT_DEFAULTS, text);
        refusal(&facts)
    })
    .into();
    let mut facts = u_boot();
    put(&mut facts, "/usr/share/u-boot-menu/conf.d/vendor.conf", "U_BOOT_PARAMETERS=ro\n");
    reasons.push(refusal(&facts));
    let mut facts = u_boot();
    facts.unreadable_files.insert(managed::U_BOOT_DEFAULTS.to_owned(), "is a directory".to_owned());
    facts.files.remove(managed::U_BOOT_DEFAULTS);
    reasons.push(refusal(&facts));
    insta::assert_snapshot!(reasons.join("\n\n"));
    let untried = isolate(&u_boot(), &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
    assert_eq!(untried.flags(), ["--untried-boot-chain"]);
}

/// The menu that the real u-boot-update makes of these settings and our file, in a namespace of mounts in which two kernels are
/// installed; `None`: it is not here, or there are no namespaces.
fn real_menu(settings: &str, off: &str) -> Option<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| write(&directory.path().join(name), text);
    put("etc/default/u-boot", settings);
    put("etc/u-boot-menu/conf.d/90-passthru.conf", off);
    put("etc/os-release", "PRETTY_NAME=Debian\n");
    for release in ["6.1.0-9-amd64", "6.12.1-test"] {
        put(&format!("boot/vmlinuz-{release}"), "");
        put(&format!("boot/initrd.img-{release}"), "");
    }
    put("boot/extlinux/extlinux.conf", "");
    let root = directory.path().display();
    // Twice, for the second finds our entry in the menu already. Programs are found through links in alternatives.
    let script = format!(
        "cp -a /etc/alternatives {root}/etc/ && mount --bind {root}/boot /boot && mount --bind {root}/etc /etc && echo ready && \
         u-boot-update && u-boot-update"
    );
    let output = run("unshare", &["--map-root-user", "--mount", "sh", "-c", &script])?;
    if !String::from_utf8_lossy(&output.stdout).contains("ready") || !is_installed() {
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    #[expect(clippy::disallowed_methods, reason = "the test looks at what the program wrote")]
    let menu = std::fs::read_to_string(directory.path().join("boot/extlinux/extlinux.conf")).expect("a menu");
    Some(menu)
}

fn is_installed() -> bool {
    run("sh", &["-c", "command -v u-boot-update"]).is_some_and(|output| output.status.success())
}

#[test]
fn the_real_program_makes_of_the_settings_what_was_meant() {
    for settings in [
        "U_BOOT_PARAMETERS=\"ro intel_iommu=off quiet\"\nU_BOOT_ROOT=root=/dev/sda1\n",
        "U_BOOT_PARAMETERS=ro\nU_BOOT_ROOT=root=/dev/sda1\nU_BOOT_ALTERNATIVES=default\nU_BOOT_ENTRIES=1\n",
        "#U_BOOT_PARAMETERS=\"ro quiet\"\nU_BOOT_ROOT=root=/dev/sda1\n",
    ] {
        let facts = with_settings(settings);
        let wish = IntentEdit { disable_idle_d3: Some(true), ..IntentEdit::default() };
        let plan = isolate_by(&facts, &[at("02:00.0")], &wish, &INSISTING).expect("a plan").plan;
        let text = |path: &str| {
            let step = plan.steps.iter().find(|step| step.path() == Some(path)).expect("a step");
            let Action::File { after, .. } = &step.action else { panic!("a file") };
            String::from_utf8(after.content().expect("a file").to_vec()).expect("text")
        };
        let made = real_menu(&text(managed::U_BOOT_DEFAULTS), &text(managed::U_BOOT_OFF_ENTRY));
        let (Some(before), Some(after)) = (real_menu(settings, "#\n"), made) else { return };
        let lines = |menu: &str| {
            let entries = boot_entries::syslinux(MENU, menu.as_bytes());
            entries.into_iter().map(|entry| (entry.title, entry.kernel, entry.cmdline)).collect::<Vec<_>>()
        };
        let (before, after) = (lines(&before), lines(&after));
        let (off, usual) = after.split_last().expect("entries");
        assert_eq!(usual.len(), before.len());
        for ((title, kernel, line), (old_title, old_kernel, old)) in usual.iter().zip(&before) {
            assert_eq!((title, kernel), (old_title, old_kernel));
            let old = old.replace(" intel_iommu=off", "");
            let added = " intel_iommu=on vfio_pci.disable_idle_d3=1";
            // What is for repairs says so at its end.
            let meant = old
                .strip_suffix(" single")
                .map_or_else(|| format!("{old}{added}"), |old| format!("{old}{added} single"));
            assert_eq!(*line, meant);
        }
        assert_eq!(off.0.as_deref(), Some("passthru-off"));
        assert_eq!(off.1, before[0].1);
        assert_eq!(
            off.2,
            format!("{} intel_iommu=on passthru.off", before[0].2.replace(" intel_iommu=off", ""))
        );
    }
}
