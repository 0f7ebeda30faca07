//! Whole plans for hosts whose GRUB reads no drop-ins: `/etc/default/grub` itself is edited, in whatever shell it is written.

use passthru_formats::cmdline::CommandLine;
use passthru_formats::grub_cfg;
use passthru_formats::shell::ShellFile;
use passthru_model::boot::{Grub, MenuMaker};
use passthru_model::facts::Bootloader;
use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::program::Program;
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, IntentEdit, isolate, isolate_by};

use crate::common::{self, INSISTING, at, cmdline, host, put, shown, there_and_back};
use crate::texts::{run, write};

const SETTINGS: &str = "\
# GRUB boot loader configuration
GRUB_DEFAULT=0
GRUB_CMDLINE_LINUX_DEFAULT=\"loglevel=3 quiet\"
GRUB_CMDLINE_LINUX='intel_iommu=off' # for now
GRUB_PRELOAD_MODULES=\"part_gpt part_msdos\"
";

/// The plain host, with GRUB as most distributions have it.
pub(crate) fn one_file(maker: MenuMaker) -> HostFacts {
    let mut facts = host();
    let menu = if maker == MenuMaker::Grub2Mkconfig { "/boot/grub2/grub.cfg" } else { managed::GRUB_CFG };
    facts.files.insert(managed::GRUB_CFG.to_owned(), FileState::Absent);
    let found = Grub { drop_ins: false, maker, menu: menu.to_owned() };
    facts.bootloader = Fact::known(Bootloader::Grub(found), menu, "");
    put(&mut facts, managed::GRUB_DEFAULTS, SETTINGS);
    make_menu(&mut facts);
    cmdline(&mut facts, "BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro intel_iommu=off loglevel=3 quiet");
    facts
}

/// What the program makes of the settings that stand.
fn make_menu(facts: &mut HostFacts) {
    let Some(Bootloader::Grub(found)) = facts.bootloader.value().cloned() else { panic!("GRUB") };
    let text = facts.files[managed::GRUB_DEFAULTS].content().expect("settings").to_vec();
    let text = String::from_utf8(text).expect("text");
    let file = ShellFile::parse(&text).expect("shell");
    let value = |name| file.value(name).unwrap_or_default().unwrap_or_default();
    let line = format!("{} {}", value("GRUB_CMDLINE_LINUX"), value("GRUB_CMDLINE_LINUX_DEFAULT"));
    let off = facts.files[managed::GRUB_OFF_ENTRY] != FileState::Absent;
    put(facts, &found.menu, &common::grub_cfg(&line, off));
}

/// The host after a plan.
pub(crate) fn after(facts: &HostFacts, plan: &Plan) -> HostFacts {
    let mut facts = facts.clone();
    for step in &plan.steps {
        if let Action::Run { program: Program::GrubMkconfig | Program::Grub2Mkconfig, .. } = &step.action {
            make_menu(&mut facts);
        } else {
            let steps = vec![step.clone()];
            let one = Plan { title: String::new(), steps, notes: Vec::new(), guest: None };
            facts = common::after(&facts, &one);
        }
    }
    facts
}

/// The steps of a plan that have to do with GRUB.
fn of_grub(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.steps.retain(|step| {
        step.id == "grub-menu"
            || step.path().is_some_and(|path| path.contains("grub") || path == managed::PARAMETERS)
    });
    plan
}

#[test]
fn isolating_edits_the_settings_themselves_and_makes_the_menu_that_is_booted() {
    let wish = IntentEdit { disable_idle_d3: Some(true), ..IntentEdit::default() };
    let plan = |maker| {
        let change = isolate_by(&one_file(maker), &[at("02:00.0")], &wish, &INSISTING).expect("a plan");
        of_grub(&change.plan)
    };
    insta::assert_snapshot!(shown(&plan(MenuMaker::GrubMkconfig)));
    let menu = plan(MenuMaker::Grub2Mkconfig).steps.into_iter().find(|step| step.id == "grub-menu");
    let Some(Action::Run { program, arguments, rewrites, .. }) = menu.map(|step| step.action) else {
        panic!("a program")
    };
    assert_eq!(program.command_line(&arguments), "grub2-mkconfig -o /boot/grub2/grub.cfg");
    assert_eq!(rewrites, ["/boot/grub2/grub.cfg"]);
}

#[test]
fn what_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was_but_for_words() {
    for maker in [MenuMaker::GrubMkconfig, MenuMaker::Grub2Mkconfig] {
        there_and_back(&one_file(maker), after, |before, files| {
            let left = String::from_utf8_lossy(files[managed::GRUB_DEFAULTS].content().expect("a file"))
                .into_owned();
            let swapped =
                SETTINGS.replace("quiet", "quiet intel_iommu=on").replace("'intel_iommu=off'", "''");
            assert_eq!(left, swapped);
            for path in [managed::GRUB_DEFAULTS, managed::GRUB_MENUS[0], managed::GRUB_MENUS[1]] {
                files.insert(path.to_owned(), before.files[path].clone());
            }
        });
    }
}

#[test]
fn every_form_of_shell_that_can_be_judged_is_edited_in_its_own_form() {
    let mut shown = Vec::new();
    for text in [
        "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=''\nGRUB_TIMEOUT=5",
        "export GRUB_CMDLINE_LINUX_DEFAULT='a=\"b c\" quiet' # why\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX_DEFAULT+=\" splash\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"old\"\nGRUB_CMDLINE_LINUX_DEFAULT=\"new\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet \\\n  splash\"\n",
        "  GRUB_CMDLINE_LINUX_DEFAULT=\"quiet ${GRUB_CMDLINE_LINUX_DEFAULT}\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"cryptdevice=UUID=2:root -- init\"\r\n",
        "GRUB_CMDLINE_LINUX=\"rhgb quiet\"\n",
        "GRUB_TIMEOUT=5",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"$(cat /etc/words)\"\nGRUB_CMDLINE_LINUX=\"quiet\"\n",
    ] {
        let mut facts = one_file(MenuMaker::GrubMkconfig);
        put(&mut facts, managed::GRUB_DEFAULTS, text);
        put(&mut facts, managed::GRUB_CFG, &common::grub_cfg("quiet", false));
        cmdline(&mut facts, "root=UUID=1 ro quiet");
        let outcome = isolate(&facts, &[at("02:00.0")], &INSISTING);
        shown.push(match outcome {
            Ok(change) => {
                let step = change.plan.steps.iter().find(|step| step.path() == Some(managed::GRUB_DEFAULTS));
                let diff = step.map(passthru_plan::diff::of_step).unwrap_or_default();
                format!("{text:?}\n{diff}")
            }
            Err(refusal) => format!("{text:?}\n{refusal}"),
        });
    }
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn what_stands_in_the_way_is_named_with_its_cure() {
    let refusal =
        |facts: &HostFacts| isolate(facts, &[at("02:00.0")], &INSISTING).expect_err("a refusal").to_string();
    let mut reasons = Vec::new();
    for text in [
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"$(cat /etc/words)\"\n",
        "if true; then GRUB_CMDLINE_LINUX_DEFAULT=quiet; fi\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"dyndbg=\\\"file x\"\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=(quiet)\n",
    ] {
        let mut facts = one_file(MenuMaker::GrubMkconfig);
        put(&mut facts, managed::GRUB_DEFAULTS, text);
        reasons.push(format!("{text:?}\n{}", refusal(&facts)));
    }
    let mut facts = one_file(MenuMaker::GrubMkconfig);
    let bytes = FileState::root_file(vec![0xff, b'\n'], 0o644);
    facts.files.insert(managed::GRUB_DEFAULTS.to_owned(), bytes);
    reasons.push(refusal(&facts));
    let mut facts = one_file(MenuMaker::GrubMkconfig);
    let link = FileState::Link { target: "grub.old".to_owned() };
    facts.files.insert(managed::GRUB_DEFAULTS.to_owned(), link);
    reasons.push(refusal(&facts));
    let mut facts = one_file(MenuMaker::Grub2Mkconfig);
    facts.files.remove("/boot/grub2/grub.cfg");
    facts.unreadable_files.insert("/boot/grub2/grub.cfg".to_owned(), "is a directory".to_owned());
    reasons.push(refusal(&facts));
    let mut facts = one_file(MenuMaker::GrubMkconfig);
    put(&mut facts, managed::GRUB_DEFAULTS, "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n");
    let other = common::grub_cfg("intel_iommu=off", false).replace("gnulinux-simple-1", "custom");
    put(&mut facts, managed::GRUB_CFG, &other);
    reasons.push(refusal(&facts));
    insta::assert_snapshot!(reasons.join("\n\n"));
}

#[test]
fn this_way_was_never_started_in_the_laboratory_and_is_changed_only_for_those_who_insist() {
    let facts = one_file(MenuMaker::GrubMkconfig);
    let refusal = isolate(&facts, &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
    assert_eq!(refusal.flags(), ["--untried-boot-chain"]);
}

/// What the real `grub-mkconfig` makes of these settings and the script of our entry, in a namespace of mounts in which one kernel
/// is installed; `None`: it is not here, or there are no namespaces.
fn real_menu(settings: &str, off: &str) -> Option<Vec<grub_cfg::MenuEntry>> {
    let directory = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| write(&directory.path().join(name), text);
    put("default/grub", settings);
    put("boot/vmlinuz-6.12.1-test", "");
    put("boot/initrd.img-6.12.1-test", "");
    put("boot/grub/grub.cfg", "");
    put("scripts/42_passthru", off);
    // There is no disk to be asked about.
    put(
        "probe",
        "#!/bin/sh\ncase \"$*\" in\n*target=device*) echo /dev/sda1 ;;\n*target=fs_uuid*) echo 1111-2222 ;;\n\
         *target=fs*) echo ext2 ;;\n*target=partuuid*) echo 3333-01 ;;\n*target=abstraction*) ;;\n*target=partmap*) echo gpt ;;\n\
         *) echo hd0 ;;\nesac\n",
    );
    let root = directory.path().display();
    let script = format!(
        "cp /etc/grub.d/00_header /etc/grub.d/10_linux {root}/scripts/ && chmod +x {root}/probe {root}/scripts/* && \
         mount --bind {root}/boot /boot && mount --bind {root}/default /etc/default && \
         mount --bind {root}/scripts /etc/grub.d && mount --bind {root}/probe /usr/sbin/grub-probe && echo ready && \
         grub-mkconfig -o /boot/grub/grub.cfg && grub-script-check /boot/grub/grub.cfg"
    );
    let output = run("unshare", &["--map-root-user", "--mount", "sh", "-c", &script])?;
    if !String::from_utf8_lossy(&output.stdout).contains("ready") {
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    #[expect(clippy::disallowed_methods, reason = "the test looks at what the program wrote")]
    let menu = std::fs::read_to_string(directory.path().join("boot/grub/grub.cfg")).expect("a menu");
    Some(grub_cfg::entries(&menu))
}

#[test]
fn the_real_program_makes_of_the_edited_settings_what_was_meant() {
    for settings in [
        "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\n",
        "export GRUB_CMDLINE_LINUX_DEFAULT='a=\"b c\" quiet' # why\n",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet \\\n  splash\"\nGRUB_DISABLE_SUBMENU=y\n",
        "GRUB_CMDLINE_LINUX=\"rhgb quiet\"",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"$(echo quiet)\"\nGRUB_CMDLINE_LINUX=\"console=ttyS0\"\n",
    ] {
        let mut facts = one_file(MenuMaker::GrubMkconfig);
        put(&mut facts, managed::GRUB_DEFAULTS, settings);
        put(&mut facts, managed::GRUB_CFG, &common::grub_cfg("quiet", false));
        cmdline(&mut facts, "root=UUID=1 ro quiet");
        let wish = IntentEdit { disable_idle_d3: Some(true), ..IntentEdit::default() };
        let plan = isolate_by(&facts, &[at("02:00.0")], &wish, &INSISTING).expect("a plan").plan;
        let text = |path: &str| {
            let step = plan.steps.iter().find(|step| step.path() == Some(path)).expect("a step");
            let Action::File { after, .. } = &step.action else { panic!("a file") };
            String::from_utf8(after.content().expect("a file").to_vec()).expect("text")
        };
        let made = real_menu(&text(managed::GRUB_DEFAULTS), &text(managed::GRUB_OFF_ENTRY));
        let (Some(before), Some(after)) = (real_menu(settings, "#!/bin/sh\n"), made) else { return };
        let (off, usual) = after.split_last().expect("entries");
        assert_eq!(off.id.as_deref(), Some("passthru-off"));
        assert_eq!(off.title, "Without PCI passthrough");
        let own = ["intel_iommu=on", "vfio_pci.disable_idle_d3=1", "passthru.off"];
        let words = |entry: &grub_cfg::MenuEntry, without: &[&str]| {
            let words = CommandLine::new(&entry.cmdline).parameters().map(|word| word.text().to_owned());
            words.filter(|word| !without.contains(&word.as_str())).collect::<Vec<String>>()
        };
        for (old, new) in before.iter().zip(usual).filter(|(old, _)| !old.is_recovery()) {
            assert_eq!(words(new, &own[..2]), words(old, &[]), "{settings}");
            assert!(own[..2].iter().all(|word| CommandLine::new(&new.cmdline).has_word(word)), "{new:?}");
        }
        assert_eq!(before.len(), usual.len());
        // The IOMMU stays on without passthrough; nothing else of ours does.
        assert_eq!(words(off, &[own[0], own[2]]), words(&before[0], &[]), "{off:?}");
        assert!(CommandLine::new(&off.cmdline).is_passthru_off(), "{off:?}");
    }
}
