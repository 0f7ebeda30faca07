//! Files that a plan reads, each wrong in every way in which files go wrong: there is a plan, or one clear error that names the
//! file and the cure, and nothing is ever guessed.

use std::fmt::Write as _;
use std::path::Path;

use passthru_host::{Host, Options, Subject, Subjects, gather_with};
use passthru_model::HostFacts;
use passthru_plan::{Consent, isolate};

use crate::Made;

/// The files of others, and what stands there when all is well.
const FILES: [(&str, &str); 5] = [
    ("/etc/default/grub", "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=off\"\n"),
    ("/etc/default/grub.d/local.cfg", "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX intel_iommu=off\"\n"),
    (
        "/boot/grub/grub.cfg",
        "menuentry 'D' $menuentry_id_option 'gnulinux-simple-1' {\n\tlinux /vmlinuz ro quiet intel_iommu=off\n}\n",
    ),
    ("/etc/passthru/passthru.toml", "method = \"override\"\n"),
    ("/etc/modprobe.d/vfio.conf", "options kvm ignore_msrs=1\n"),
];

/// A way in which a file is wrong.
type Fault = fn(&Path, &str);

/// All ways. What stands at the path is taken away first.
const FAULTS: [(&str, Fault); 11] = [
    ("right", |path, text| write(path, text.as_bytes())),
    ("missing", |_, _| {}),
    ("empty", |path, _| write(path, b"")),
    ("a directory", |path, _| std::fs::create_dir_all(path).expect("makes")),
    ("a dangling link", |path, _| link("/nowhere/at-all", path)),
    ("a circular link", |path, _| link(&format!("./{}", name(path)), path)),
    ("not UTF-8", |path, text| write(path, &[b"# \xff\n", text.as_bytes()].concat())),
    ("with lines ended by CR LF", |path, text| write(path, text.replace('\n', "\r\n").as_bytes())),
    ("without a final newline", |path, text| write(path, text.trim_end().as_bytes())),
    ("with an unclosed quote", |path, text| {
        let at = text.rfind(['"', '\'']).map_or(text.len() - 1, |at| at);
        let (head, tail) = text.split_at(at);
        let tail = tail.strip_prefix(['"', '\'']).map_or_else(|| format!("\"{tail}"), str::to_owned);
        write(path, format!("{head}{tail}").as_bytes());
    }),
    ("10 MB long", |path, text| {
        write(path, &[text.as_bytes(), b"# ", &b"x".repeat(10_000_000), b"\n"].concat());
    }),
];

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("writes");
}

fn link(target: &str, path: &Path) {
    std::os::unix::fs::symlink(target, path).expect("links");
}

/// Takes away whatever stands there.
fn clear(path: &Path) {
    let _ = std::fs::remove_file(path);
    let _ = std::fs::remove_dir(path);
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// A host whose IOMMU is turned off by its settings, so that these have to be edited.
fn host() -> Made {
    let line = "BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro quiet intel_iommu=off\n";
    Made::new()
        .file("/proc/cmdline", line)
        .file("/etc/default/grub", FILES[0].1)
        .file("/boot/grub/grub.cfg", FILES[2].1)
}

/// What comes of asking for a plan.
fn outcome(made: &Made, address: &str) -> String {
    planned(&made.facts(), address)
}

fn planned(facts: &HostFacts, address: &str) -> String {
    let consent = Consent::default();
    match isolate(facts, &[address.parse().expect("an address")], &consent) {
        Ok(change) => {
            let edits = change.plan.steps.iter().filter_map(|step| step.path());
            let others: Vec<&str> = edits.filter(|path| FILES.iter().any(|(file, _)| path == file)).collect();
            format!("a plan of {} steps, which changes {}", change.plan.steps.len(), others.join(", "))
        }
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn each_file_that_is_wrong_in_any_way_is_planned_around_or_named_with_its_cure() {
    let mut text = String::new();
    let made = host();
    let whole = made.facts();
    // Devices do not change with a file: what files say is read anew each time, and the rest once.
    let subjects = Subjects::of(&[Subject::Files, Subject::Binding, Subject::BootChain, Subject::Initramfs]);
    let opened = Host::open(&made.place("/")).expect("opens");
    for (file, right) in FILES {
        let _ = writeln!(text, "{file}");
        let place = made.place(file);
        let before = std::fs::read(&place).ok();
        std::fs::create_dir_all(place.parent().expect("a parent")).expect("makes");
        for (what, fault) in FAULTS {
            clear(&place);
            fault(&place, right);
            let read = gather_with(&opened, &Options { subjects, ..Options::default() });
            let facts = HostFacts {
                files: read.files,
                unreadable_files: read.unreadable_files,
                binding: read.binding,
                boot: read.boot,
                bootloader: read.bootloader,
                initramfs: read.initramfs,
                ..whole.clone()
            };
            let _ = writeln!(text, "  {what}: {}", planned(&facts, "01:00.0").replace('\n', "\n    "));
        }
        clear(&place);
        if let Some(before) = before {
            write(&place, &before);
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_host_on_which_it_cannot_work_is_told_so_with_its_cure() {
    let kernel = "/usr/lib/modules/6.12.43+deb13-amd64";
    let hosts: [(&str, Made, &str); 5] = [
        ("boot is not mounted", host().emptied("/boot"), "01:00.0"),
        (
            "a kernel without vfio",
            host()
                .file(&format!("{kernel}/modules.dep"), "kernel/fs/ext4.ko:\n")
                .file(&format!("{kernel}/modules.builtin"), ""),
            "01:00.0",
        ),
        ("an address that is not there", host(), "09:00.0"),
        ("a bridge", host(), "00:01.0"),
        ("a function that the host draws on", host(), "00:02.0"),
    ];
    let all: Vec<String> =
        hosts.iter().map(|(what, made, address)| format!("{what}: {}", outcome(made, address))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_card_that_changed_its_identity_since_it_was_chosen_is_not_taken() {
    let made = host().isolated();
    let text = std::fs::read_to_string(made.place("/etc/passthru/passthru.toml")).expect("reads");
    let made = made.file("/etc/passthru/passthru.toml", text.replace("10de:13c2", "10de:1b81"));
    let facts = made.facts();
    let intent = passthru_plan::intent::of(&facts).expect("an intent").expect("chosen");
    let refusal = passthru_plan::plan_for(&facts, &intent, &Consent::default()).expect_err("refuses");
    insta::assert_snapshot!(refusal.to_string());
}

#[test]
fn a_file_that_nobody_may_read_is_named_with_what_would_settle_it() {
    let mut facts = host().facts();
    facts.surroundings.root = false;
    let mut text = String::new();
    for (file, _) in FILES {
        let mut facts = facts.clone();
        facts.files.remove(file);
        facts.unreadable_files.insert(file.to_owned(), format!("{file} may not be read by this user"));
        let refusal = isolate(&facts, &["01:00.0".parse().expect("an address")], &Consent::default());
        let said = refusal.map_or_else(
            |refusal| refusal.to_string(),
            |change| format!("a plan of {} steps", change.plan.steps.len()),
        );
        let _ = writeln!(text, "{file}: {said}");
    }
    insta::assert_snapshot!(text);
}
