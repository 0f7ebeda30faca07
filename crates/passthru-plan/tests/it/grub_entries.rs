//! Whole plans for hosts whose GRUB reads a file an entry, as on Fedora.

use passthru_model::boot::{Dialect, WrittenEntries};
use passthru_model::facts::Bootloader;
use passthru_model::kernel::{InstalledKernel, ModuleState};
use passthru_model::plan::{Action, FileState};
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, IntentEdit, isolate, isolate_by};

use crate::boot_chains::dracut;
use crate::common::{INSISTING, at, cmdline, host, options, put, shown, there_and_back};
use crate::texts::{SHELLS, run, write};
use crate::written_entries::{after, entries};

const MACHINE: &str = "7b1f8f0e5d1b4a579c430a4b6c1d2e3f";
const RELEASES: [&str; 2] = ["6.11.4-301.fc41.x86_64", "6.12.9-200.fc41.x86_64"];
const LINE: &str = "root=UUID=1 ro rootflags=subvol=root rhgb quiet intel_iommu=off";

fn entry_path(release: &str) -> String {
    format!("/boot/loader/entries/{MACHINE}-{release}.conf")
}

fn entry(release: &str) -> String {
    format!(
        "title Fedora Linux ({release}) 41 (Workstation Edition)\nversion {release}\nlinux /vmlinuz-{release}\n\
         initrd /initramfs-{release}.img $tuned_initrd\noptions {LINE} $tuned_params\ngrub_users $grub_users\n\
         grub_arg --unrestricted\ngrub_class fedora\n"
    )
}

/// The plain host as a Fedora.
pub(crate) fn fedora() -> HostFacts {
    let mut facts = dracut(host());
    let installed = RELEASES.map(|release| InstalledKernel {
        release: release.to_owned(),
        image: Some(format!("/boot/vmlinuz-{release}")),
        initramfs: Some(format!("/boot/initramfs-{release}.img")),
        modules: Fact::known(
            ["vfio_pci", "pci_stub"].map(|name| (name.to_owned(), ModuleState::Loadable)).into(),
            "/lib/modules/modules.dep",
            "",
        ),
        options: options(),
    });
    facts.kernel.installed = Fact::known(installed.to_vec(), "/lib/modules", "");
    facts.files.insert(managed::GRUB_CFG.to_owned(), FileState::Absent);
    put(&mut facts, managed::GRUB_MENUS[1], "insmod blscfg\nblscfg\n");
    put(
        &mut facts,
        managed::GRUB_DEFAULTS,
        "GRUB_DEFAULT=saved\nGRUB_CMDLINE_LINUX=\"rootflags=subvol=root rhgb quiet intel_iommu=off\"\nGRUB_ENABLE_BLSCFG=true\n",
    );
    put(&mut facts, managed::KERNEL_CMDLINE, &format!("{LINE}\n"));
    for release in RELEASES {
        put(&mut facts, &entry_path(release), &entry(release));
    }
    let found = WrittenEntries {
        dialect: Dialect::GrubBls,
        files: RELEASES.map(entry_path).to_vec(),
        root: "/boot".to_owned(),
        root_parameter: Some("UUID=1".to_owned()),
    };
    facts.bootloader = Fact::known(Bootloader::Written(found), entry_path(RELEASES[1]), "");
    cmdline(&mut facts, &format!("BOOT_IMAGE=(hd0,gpt2)/vmlinuz {LINE}"));
    facts
}

fn isolated(facts: &HostFacts) -> passthru_plan::IntentChange {
    isolate(facts, &[at("02:00.0")], &INSISTING).expect("a plan")
}

#[test]
fn isolating_edits_entries_and_what_those_to_come_are_made_from() {
    let wish = IntentEdit { disable_idle_d3: Some(true), ..IntentEdit::default() };
    let mut plan = isolate_by(&fedora(), &[at("02:00.0")], &wish, &INSISTING).expect("a plan").plan;
    plan.steps.retain(|step| {
        step.path().is_some_and(|path| {
            managed::has_entries(path)
                || path.contains("kernel")
                || path.contains("grub")
                || path == managed::PARAMETERS
        })
    });
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn the_way_back_of_each_kernel_stands_first_and_is_sorted_last() {
    let plan = entries(&isolated(&fedora()).plan);
    let names: Vec<&str> = plan
        .steps
        .iter()
        .filter_map(passthru_model::plan::Step::path)
        .filter(|path| managed::has_entries(path))
        .filter_map(|path| path.rsplit('/').next())
        .collect();
    let off = |release: &str| format!("A-{MACHINE}-{release}-passthru-off.conf");
    let usual = |release: &str| format!("{MACHINE}-{release}.conf");
    assert_eq!(names, [off(RELEASES[0]), usual(RELEASES[0]), off(RELEASES[1]), usual(RELEASES[1])]);
}

#[test]
fn what_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was_but_for_words() {
    there_and_back(&fedora(), after, |before, files| {
        let swapped = |text: &str| {
            text.replace(" intel_iommu=off", "").replace(" $tuned_params", " $tuned_params intel_iommu=on")
        };
        for release in RELEASES {
            let path = entry_path(release);
            let left = String::from_utf8_lossy(files[&path].content().expect("a file")).into_owned();
            assert_eq!(left, swapped(&entry(release)));
            files.insert(path.clone(), before.files[&path].clone());
        }
        for path in [managed::GRUB_DEFAULTS, managed::KERNEL_CMDLINE] {
            files.insert(path.to_owned(), before.files[path].clone());
        }
    });
}

#[test]
fn the_plugin_gives_a_new_kernel_the_same_way_back_under_every_shell() {
    let directory = tempfile::tempdir().expect("a directory");
    let wish = IntentEdit { disable_idle_d3: Some(true), ..IntentEdit::default() };
    let plan = isolate_by(&fedora(), &[at("02:00.0")], &wish, &INSISTING).expect("a plan").plan;
    let text = |ending: &str| {
        let is = |step: &&passthru_model::plan::Step| step.path().is_some_and(|path| path.ends_with(ending));
        let step = plan.steps.iter().find(is).expect("a step");
        let Action::File { after, .. } = &step.action else { panic!("a file") };
        String::from_utf8(after.content().expect("a file").to_vec()).expect("text")
    };
    let entries = directory.path().join("entries");
    let plugin = text("95-passthru.install").replace("/boot/loader/entries", &entries.to_string_lossy());
    write(&directory.path().join("plugin"), &format!("KERNEL_INSTALL_MACHINE_ID={MACHINE}\n{plugin}"));
    let file = directory.path().join("plugin").to_string_lossy().into_owned();
    let usual = format!("{MACHINE}-{}.conf", RELEASES[0]);
    let off = format!("A-{MACHINE}-{}-passthru-off.conf", RELEASES[0]);
    write(&entries.join(&usual), &text(&usual));
    for shell in SHELLS {
        let call = |command: &str| {
            let all: Vec<&str> =
                shell[1..].iter().copied().chain([file.as_str(), command, RELEASES[0]]).collect();
            run(shell[0], &all)
        };
        let Some(output) = call("add") else { continue };
        assert!(output.status.success() && output.stderr.is_empty(), "{shell:?}: {output:?}");
        #[expect(clippy::disallowed_methods, reason = "the test looks at what the script wrote")]
        let made = std::fs::read_to_string(entries.join(&off)).expect("an entry");
        assert_eq!(made, text(&off), "{shell:?}");
        assert!(call("remove").is_some_and(|output| output.status.success()));
        assert!(!entries.join(&off).exists(), "{shell:?}");
    }
}

#[test]
fn what_stands_in_the_way_is_named_with_its_cure() {
    let refusal =
        |facts: &HostFacts| isolate(facts, &[at("02:00.0")], &INSISTING).expect_err("a refusal").to_string();
    let mut reasons = Vec::new();
    let path = entry_path(RELEASES[0]);
    for (old, new) in [
        ("grub_users", "options quiet\ngrub_users"),
        ("initramfs-", "other/initramfs-"),
        ("rhgb quiet", "\"rhgb quiet"),
    ] {
        let mut facts = fedora();
        put(&mut facts, &path, &entry(RELEASES[0]).replace(old, new));
        reasons.push(refusal(&facts));
    }
    let mut facts = fedora();
    put(&mut facts, managed::GRUB_DEFAULTS, "GRUB_CMDLINE_LINUX_DEFAULT=$(words)\n");
    reasons.push(refusal(&facts));
    let mut facts = fedora();
    put(&mut facts, managed::KERNEL_CMDLINE, "# nothing\n");
    reasons.push(refusal(&facts));
    let mut facts = fedora();
    let link = FileState::Link { target: "/dev/null".to_owned() };
    facts.files.insert(path, link);
    reasons.push(refusal(&facts));
    insta::assert_snapshot!(reasons.join("\n\n"));
    let untried = isolate(&fedora(), &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
    assert_eq!(untried.flags(), ["--untried-boot-chain"]);
}
