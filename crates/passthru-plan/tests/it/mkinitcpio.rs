//! Whole plans for a host whose images mkinitcpio makes: Arch Linux, started by systemd-boot with an entry written by hand.

use passthru_model::boot::{Dialect, WrittenEntries};
use passthru_model::facts::{Bootloader, ImagePreset, InitramfsGenerator, Mkinitcpio};
use passthru_model::plan::{Action, FileState, Plan};
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::isolate;

use crate::common::{INSISTING, at, host_with_groups, put, shown, there_and_back};
use crate::texts::{run, write};
use crate::written_entries;

pub(crate) const CONF: &str = "# vim:set ft=sh\nMODULES=()\nBINARIES=()\nFILES=()\nHOOKS=(base udev autodetect microcode modconf kms\n  \
                    keyboard block filesystems fsck) # as installed\n";
const ENTRY: &str = "/boot/loader/entries/arch.conf";

pub(crate) fn arch(drop_ins: bool, conf: &str) -> HostFacts {
    let mut facts = host_with_groups();
    for path in [managed::GRUB_DEFAULTS, managed::GRUB_CFG, managed::INITRAMFS_MODULES] {
        facts.files.insert(path.to_owned(), FileState::Absent);
    }
    if let Fact::Known(kernels, _) = &mut facts.kernel.installed {
        for kernel in kernels {
            "6.12.1-arch1-1".clone_into(&mut kernel.release);
            kernel.image = Some("/boot/vmlinuz-linux".to_owned());
            kernel.initramfs = Some("/boot/initramfs-linux.img".to_owned());
        }
    }
    put(
        &mut facts,
        ENTRY,
        "title Arch Linux\nlinux /vmlinuz-linux\ninitrd /initramfs-linux.img\noptions root=UUID=1 rw quiet\n",
    );
    let found = WrittenEntries {
        dialect: Dialect::Bls,
        files: vec![ENTRY.to_owned()],
        root: "/boot".to_owned(),
        root_parameter: Some("UUID=1".to_owned()),
    };
    facts.bootloader = Fact::known(Bootloader::Written(found), ENTRY, "");
    let preset = ImagePreset {
        name: "linux".to_owned(),
        images: ["/boot/initramfs-linux.img", "/boot/initramfs-linux-fallback.img"]
            .map(str::to_owned)
            .to_vec(),
    };
    let found = Mkinitcpio { drop_ins, presets: vec![preset] };
    facts.initramfs = Fact::known(InitramfsGenerator::Mkinitcpio(found), "/usr/bin/mkinitcpio", "");
    put(&mut facts, managed::MKINITCPIO_CONF, conf);
    facts
}

/// The plan without the files that every generator has in its images, and without the loader's.
fn of_mkinitcpio(mut plan: Plan) -> Plan {
    plan.steps.retain(|step| {
        matches!(step.action, Action::Run { .. }) || step.path().is_some_and(|path| path.contains("initcpio"))
    });
    plan
}

#[test]
fn isolating_with_a_drop_in() {
    let plan = isolate(&arch(true, CONF), &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    insta::assert_snapshot!(shown(&of_mkinitcpio(plan)));
}

#[test]
fn isolating_where_only_the_main_file_is_read() {
    let plan = isolate(&arch(false, CONF), &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    let settings = of_mkinitcpio(plan);
    let edit =
        settings.steps.iter().find(|step| step.path() == Some(managed::MKINITCPIO_CONF)).expect("the edit");
    insta::assert_snapshot!(passthru_plan::diff::of_step(edit));
}

#[test]
fn what_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was() {
    let string = "HOOKS=\"base udev modconf\"\n";
    for (drop_ins, conf) in [(true, CONF), (false, CONF), (true, string), (false, string)] {
        there_and_back(&arch(drop_ins, conf), written_entries::after, |_, _| {});
    }
}

#[test]
fn an_image_that_no_preset_makes_is_made_by_itself() {
    let mut facts = arch(true, CONF);
    if let Fact::Known(InitramfsGenerator::Mkinitcpio(found), _) = &mut facts.initramfs {
        found.presets.clear();
    }
    let plan = isolate(&facts, &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    let arguments = plan.steps.iter().find_map(|step| match &step.action {
        Action::Run { arguments, .. } => Some(arguments.join(" ")),
        Action::File { .. } | Action::Rebind { .. } | Action::Tune { .. } => None,
    });
    assert_eq!(arguments.as_deref(), Some("-k 6.12.1-arch1-1 -g /boot/initramfs-linux.img"));
}

#[test]
fn what_stands_in_the_way_is_named_with_its_cure() {
    let mut reasons = Vec::new();
    let mut refused = |facts: &HostFacts| {
        reasons.push(isolate(facts, &[at("02:00.0")], &INSISTING).expect_err("a refusal").to_string());
    };
    let other = "/etc/mkinitcpio.conf.d/50-mine.conf";
    for text in
        ["HOOKS=(base udev)\n", "HOOKS+=(\"$(cat hooks)\")\n", "HOOKS+=\" lvm2\"\n", "MODULES+=(amdgpu)"]
    {
        let mut facts = arch(true, CONF);
        put(&mut facts, other, text);
        refused(&facts);
    }
    for (drop_ins, conf) in
        [(true, "HOOKS=(base udev\n"), (false, "HOOKS=(base udev\n"), (false, "HOOKS=($(cat hooks))\n")]
    {
        refused(&arch(drop_ins, conf));
    }
    let mut facts = arch(true, CONF);
    facts.files.insert(managed::MKINITCPIO_CONF.to_owned(), FileState::Absent);
    refused(&facts);
    let link = FileState::Link { target: "/etc/other.conf".to_owned() };
    facts.files.insert(managed::MKINITCPIO_CONF.to_owned(), link);
    refused(&facts);
    let mut facts = arch(true, CONF);
    facts.unreadable_files.insert(other.to_owned(), format!("{other}: permission denied"));
    refused(&facts);
    insta::assert_snapshot!(reasons.join("\n\n"));
}

/// The hook as mkinitcpio runs it, with what it would call saying so instead.
#[test]
fn the_hook_puts_in_what_stands_there_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().to_string_lossy().into_owned();
    let plan = isolate(&arch(true, CONF), &[at("02:00.0")], &INSISTING).expect("a plan").plan;
    let text = |path: &str| {
        plan.steps.iter().find_map(|step| match &step.action {
            Action::File { path: found, after, .. } if found == path => {
                Some(String::from_utf8_lossy(after.content()?).replace("/etc/", &format!("{root}/etc/")))
            }
            Action::File { .. } | Action::Run { .. } | Action::Rebind { .. } | Action::Tune { .. } => None,
        })
    };
    let install = text(managed::MKINITCPIO_INSTALL).expect("the hook");
    let stubs = "for name in module file symlink binary runscript; do eval \"add_$name() { echo $name \\$*; }\"; done\n";
    write(
        &directory.path().join("install"),
        &format!("{stubs}BUILDROOT={root}/image\n{install}\nbuild\necho rc=$?\n"),
    );
    let built = || {
        let output = run("bash", &["-eu", &format!("{root}/install")])?;
        assert!(output.stderr.is_empty(), "{output:?}");
        Some(String::from_utf8_lossy(&output.stdout).replace(&root, ""))
    };
    let Some(bare) = built() else { return };
    assert_eq!(bare, "module vfio-pci?\nmodule vfio_iommu_type1?\nrc=0\n");
    for path in
        [managed::DEVICES, managed::EARLY, managed::UDEV_RULE, managed::EARLY_UNIT, managed::MKINITCPIO_HOOK]
    {
        write(&directory.path().join(&path[1..]), &text(path).expect("in the plan"));
    }
    assert_eq!(
        run("chmod", &["+x", &format!("{root}{}", managed::MKINITCPIO_HOOK)]).map(|out| out.status.success()),
        Some(true)
    );
    insta::assert_snapshot!(built().expect("bash"));
    let hook = format!("{root}{}", managed::MKINITCPIO_HOOK);
    for shell in ["sh", "bash"] {
        assert!(run(shell, &["-n", &hook]).is_none_or(|output| output.status.success()), "{shell}");
    }
}
