//! Whole plans for hosts whose kernel the firmware starts itself (EFISTUB).

use passthru_formats::{boot_entries, efi_variable};
use passthru_model::boot::{FirmwareEntries, FirmwareEntry};
use passthru_model::facts::Bootloader;
use passthru_model::kernel::InstalledKernel;
use passthru_model::plan::{FileState, Plan, Step};
use passthru_model::{Fact, HostFacts, managed};
use passthru_plan::{Consent, isolate};

use crate::common::{self, INSISTING, at, cmdline, shown, there_and_back};
use crate::mkinitcpio::{CONF, arch};
use crate::texts::run;

const LINE: &str = "root=UUID=1 rw intel_iommu=off quiet initrd=\\initramfs-linux.img";

/// A node of a device path.
fn node(kind: u8, subtype: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 4).expect("short").to_le_bytes();
    [&[kind, subtype][..], &length, data].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A boot entry as efivarfs shows it: of a file on the first partition of a GPT.
pub(crate) fn entry(description: &str, file: &str, data: &[u8]) -> Vec<u8> {
    let numbers = [&1_u32.to_le_bytes()[..], &2048_u64.to_le_bytes(), &1_048_576_u64.to_le_bytes()].concat();
    let partition = node(4, 1, &[&numbers[..], &[0x5a; 16], &[2, 2]].concat());
    let paths = [partition, node(4, 4, &utf16(&format!("{file}\0"))), node(0x7f, 0xff, &[])].concat();
    let length = u16::try_from(paths.len()).expect("short").to_le_bytes();
    let head = [&[7, 0, 0, 0, 1, 0, 0, 0][..], &length, &utf16(&format!("{description}\0"))].concat();
    [head, paths, data.to_vec()].concat()
}

fn put(facts: &mut HostFacts, path: &str, bytes: Vec<u8>) {
    facts.files.insert(path.to_owned(), FileState::root_file(bytes, 0o644));
}

/// An Arch whose two kernels the firmware starts, beside a Windows.
pub(crate) fn efistub() -> HostFacts {
    let mut facts = arch(true, CONF);
    facts.files.retain(|path, _| !managed::has_entries(path));
    let [arch, windows, lts] = [1, 0, 3].map(managed::boot_variable);
    put(&mut facts, &arch, entry("Arch Linux", "\\vmlinuz-linux", &utf16(LINE)));
    put(
        &mut facts,
        &windows,
        entry("Windows Boot Manager", "\\EFI\\Microsoft\\Boot\\bootmgfw.efi", b"WINDOWS\0"),
    );
    let line = format!("{LINE}\0").replace("linux.img", "linux-lts.img");
    put(&mut facts, &lts, entry("Arch Linux LTS", "\\vmlinuz-linux-lts", &utf16(&line)));
    put(&mut facts, managed::BOOT_ORDER, vec![7, 0, 0, 0, 1, 0, 0, 0, 3, 0]);
    let found = FirmwareEntries {
        root: "/boot".to_owned(),
        entries: [(arch, ""), (lts, "-lts")]
            .map(|(variable, kernel)| FirmwareEntry {
                variable,
                images: vec![format!("/boot/initramfs-linux{kernel}.img")],
            })
            .to_vec(),
    };
    if let Fact::Known(kernels, _) = &mut facts.kernel.installed {
        let lts = InstalledKernel {
            release: "6.6.60-1-lts".to_owned(),
            image: Some("/boot/vmlinuz-linux-lts".to_owned()),
            initramfs: Some("/boot/initramfs-linux-lts.img".to_owned()),
            ..kernels[0].clone()
        };
        kernels.push(lts);
    }
    facts.bootloader = Fact::known(Bootloader::Firmware(found), managed::BOOT_CURRENT, "1");
    cmdline(&mut facts, LINE);
    facts
}

/// The host after a plan.
pub(crate) fn after(before: &HostFacts, plan: &Plan) -> HostFacts {
    let mut facts = before.clone();
    let variables = |path: &&str| path.starts_with(managed::EFI_VARIABLES);
    for path in plan.steps.iter().filter_map(Step::path).filter(variables) {
        facts.files.entry(path.to_owned()).or_insert(FileState::Absent);
    }
    let mut facts = common::after(&facts, plan);
    let is_gone =
        |path: &str, state: &FileState| managed::boot_number(path).is_some() && *state == FileState::Absent;
    facts.files.retain(|path, state| !is_gone(path, state));
    facts
}

/// The steps of a plan on variables of the firmware.
fn on_variables(mut plan: Plan) -> Plan {
    plan.steps.retain(|step| step.path().is_some_and(|path| path.starts_with(managed::EFI_VARIABLES)));
    plan
}

fn isolated(facts: &HostFacts) -> Plan {
    isolate(facts, &[at("02:00.0")], &INSISTING).expect("a plan").plan
}

#[test]
fn isolating_changes_the_entries_of_this_system_and_adds_one_without_passthrough_as_the_last() {
    let plan = on_variables(isolated(&efistub()));
    insta::assert_snapshot!(shown(&plan));
    let after = after(&efistub(), &plan);
    let order = efi_variable::order(after.files[managed::BOOT_ORDER].content().expect("a file"));
    assert_eq!(order, Some(vec![1, 0, 3, 2]));
    assert_eq!(after.files[&managed::boot_variable(0)], efistub().files[&managed::boot_variable(0)]);
}

#[test]
fn what_is_at_its_intent_needs_nothing_and_is_released_to_what_it_was_but_for_words() {
    there_and_back(&efistub(), after, |before, files| {
        for number in [1, 3] {
            let path = managed::boot_variable(number);
            let entry =
                boot_entries::firmware(&path, files[&path].content().expect("a file")).expect("a kernel");
            assert!(
                entry.cmdline.ends_with("intel_iommu=on") && !entry.cmdline.contains("=off"),
                "{}",
                entry.cmdline
            );
            files.insert(path.clone(), before.files[&path].clone());
        }
    });
}

#[test]
fn what_stands_in_the_way_is_named_with_its_cure() {
    let refusal = |change: &dyn Fn(&mut HostFacts)| {
        let mut facts = efistub();
        change(&mut facts);
        isolate(&facts, &[at("02:00.0")], &INSISTING).expect_err("a refusal").to_string()
    };
    let with_images = |facts: &mut HostFacts, images: &[&str]| {
        if let Fact::Known(Bootloader::Firmware(found), _) = &mut facts.bootloader {
            found.entries[1].images = images.iter().map(|&image| image.to_owned()).collect();
        }
    };
    let first = managed::boot_variable(1);
    let reasons = [
        refusal(&|facts| with_images(facts, &[])),
        refusal(&|facts| with_images(facts, &["/boot/amd-ucode.img", "/boot/initramfs-old.img"])),
        refusal(&|facts| put(facts, managed::BOOT_ORDER, vec![7, 0, 0, 0, 1])),
        refusal(&|facts| put(facts, &first, vec![7, 0, 0, 0, 1])),
        refusal(&|facts| {
            facts.files.remove(&first);
            facts.unreadable_files.insert(first.clone(), "permission denied".to_owned());
        }),
    ];
    insta::assert_snapshot!(reasons.join("\n\n"));
    let untried = isolate(&efistub(), &[at("02:00.0")], &Consent::default()).expect_err("a refusal");
    assert_eq!(untried.flags(), ["--untried-boot-chain"]);
}

/// What the real efibootmgr shows of these variables; `None`: it is not here.
#[expect(clippy::disallowed_methods, reason = "the program reads variables from a directory of files")]
fn real_listing(facts: &HostFacts) -> Option<String> {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, state) in &facts.files {
        if let (Some(name), Some(bytes)) = (path.strip_prefix(managed::EFI_VARIABLES), state.content()) {
            std::fs::write(directory.path().join(name.trim_start_matches('/')), bytes).expect("written");
        }
    }
    let variables = format!("EFIVARFS_PATH={}/", directory.path().display());
    let output = run("env", &[&variables, "efibootmgr", "--verbose", "--unicode"])?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_real_efibootmgr_reads_of_the_variables_what_was_meant() {
    let facts = efistub();
    let (Some(before), Some(after)) = (real_listing(&facts), real_listing(&after(&facts, &isolated(&facts))))
    else {
        return;
    };
    let line = |text: &str, begin: &str| text.lines().find(|line| line.starts_with(begin)).map(str::to_owned);
    assert_eq!(line(&after, "BootOrder: "), Some("BootOrder: 0001,0000,0003,0002".to_owned()));
    assert_eq!(line(&after, "Boot0000"), line(&before, "Boot0000"));
    let on = "root=UUID=1 rw quiet initrd=\\initramfs-linux.img intel_iommu=on";
    for (begin, end) in [
        ("Boot0001* Arch Linux\t", on.to_owned()),
        ("Boot0002* Arch Linux, without PCI passthrough\t", format!("{on} passthru.off")),
        ("Boot0003* Arch Linux LTS\t", on.replace("linux.img", "linux-lts.img")),
    ] {
        let line = line(&after, begin).unwrap_or_default();
        // The path of the device is that of the old entry, also of the copy.
        assert!(line.contains("HD(1,GPT,5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a,0x800,0x100000)"), "{after}");
        assert!(line.ends_with(&end), "{after}");
    }
}
