//! The texts that a plan writes, judged by the programs that read them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use passthru_model::boot::Layout;
use passthru_model::plan::Action;
use passthru_model::{HostFacts, managed};
use passthru_plan::{Consent, isolate};

use crate::boot_chains::{dracut, systemd_boot};
use crate::common::{at, host};

/// The text of each file of a plan.
fn texts() -> BTreeMap<String, String> {
    texts_of(&host())
}

/// The text of each file of a plan for a host.
fn texts_of(facts: &HostFacts) -> BTreeMap<String, String> {
    let consent = Consent { untried_boot_chain: true, ..Consent::default() };
    let plan = isolate(facts, &[at("02:00.0"), at("03:00.0")], &consent).expect("a plan").plan;
    let text = |action: &Action| match action {
        Action::File { path, after, .. } => {
            Some((path.clone(), String::from_utf8(after.content()?.to_vec()).expect("text")))
        }
        Action::Run { .. } | Action::Rebind { .. } | Action::Tune { .. } => None,
    };
    plan.steps.iter().filter_map(|step| text(&step.action)).collect()
}

/// Runs a program where it is there.
#[expect(clippy::disallowed_types, reason = "the test asks the programs that read these files")]
pub(crate) fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    std::process::Command::new(program).args(arguments).output().ok()
}

#[expect(clippy::disallowed_methods, reason = "the test puts the files where their readers look for them")]
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("created");
    std::fs::write(path, text).expect("written");
}

pub(crate) const SHELLS: [&[&str]; 4] = [&["sh"], &["dash"], &["bash"], &["busybox", "sh"]];

#[test]
fn every_script_is_read_by_every_shell() {
    let directory = tempfile::tempdir().expect("a directory");
    for path in
        [managed::EARLY, managed::INITRAMFS_HOOK, managed::INITRAMFS_INIT_TOP, managed::GRUB_OFF_ENTRY]
    {
        let file = directory.path().join("script");
        write(&file, &texts()[path]);
        let file = file.to_string_lossy();
        for shell in SHELLS {
            let arguments: Vec<&str> = shell[1..].iter().copied().chain(["-n", &file]).collect();
            if let Some(output) = run(shell[0], &arguments) {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success() && said.is_empty(), "{path} under {shell:?}: {said}");
            }
        }
    }
}

#[test]
fn every_file_says_first_who_wrote_it_and_how_to_undo_it() {
    for (path, text) in texts() {
        if path == managed::GRUB_DEFAULTS {
            continue;
        }
        let first: Vec<&str> = text.lines().take(3).collect();
        assert!(first.iter().any(|line| line.starts_with("# Written by passthru.")), "{path}: {first:?}");
        assert!(first.iter().any(|line| line.contains("`passthru undo`")), "{path}: {first:?}");
        assert!(text.ends_with('\n'), "{path}");
    }
}

#[test]
fn systemd_and_udev_accept_what_they_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let texts = texts();
    for path in [managed::EARLY_UNIT, managed::VERIFY_UNIT, managed::RECORD_UNIT] {
        let file = directory.path().join(path.trim_start_matches('/'));
        write(&file, &texts[path]);
        if let Some(output) = run("systemd-analyze", &["verify", &file.to_string_lossy()]) {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!said.contains("passthru"), "{path}: {said}");
        }
    }
    let file = directory.path().join("10-passthru.rules");
    write(&file, &texts[managed::UDEV_RULE]);
    if let Some(output) = run("udevadm", &["verify", &file.to_string_lossy()]) {
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() || said.contains("Unknown command"), "{said}");
    }
}

#[test]
fn udev_reads_no_line_that_is_too_long_for_it() {
    // udev reads lines of at most 16 KiB (UDEV_LINE_SIZE); a card has eight functions at most.
    let mut facts = host();
    for number in 0..8 {
        let address = format!("04:00.{number}");
        let function = crate::common::function(&address, "1234:1111", "030000", None, &["00:02.1"]);
        if let passthru_model::Fact::Known(functions, _) = &mut facts.pci {
            functions.insert(function.address, function);
        }
    }
    let plan = isolate(&facts, &[at("04:00.0")], &Consent::default()).expect("a plan").plan;
    let rule = plan.steps.iter().find(|step| step.id == "udev-rule").expect("the rule");
    let Action::File { after, .. } = &rule.action else { panic!("a file") };
    let text = String::from_utf8_lossy(after.content().expect("a text")).into_owned();
    assert_eq!(text.lines().filter(|line| line.starts_with("TEST!=")).count(), 8);
    assert!(text.lines().all(|line| line.len() < 8192));
}

/// A tree of sysfs as the early script sees it, and what stands in it after the script has run in a namespace of its own.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a directory"));
        for (address, id) in [
            ("0000:02:00.0", "0x1111"),
            ("0000:02:00.1", "0x293e"),
            ("0000:03:00.0", "0x1111"),
            ("0000:03:00.1", "0x293e"),
        ] {
            let sound = address.ends_with('1');
            tree.set(address, "vendor", if sound { "0x8086" } else { "0x1234" });
            tree.set(address, "device", id);
            tree.set(address, "subsystem_vendor", "0x1af4");
            tree.set(address, "subsystem_device", "0x1100");
            tree.set(address, "class", if sound { "0x040300" } else { "0x030000" });
            tree.set(address, "modalias", "pci:v0");
            tree.set(address, "iommu_group/type", "DMA");
            tree.set(address, "driver_override", "(null)");
        }
        write(&tree.0.path().join("sys/bus/pci/drivers_probe"), "");
        tree.put("cmdline", "root=/dev/sda1 quiet");
        tree.put("bin/modprobe", "#!/bin/sh\nexit 1");
        tree.put("passthru/devices", &texts()[managed::DEVICES]);
        tree.put("passthru/early", &texts()[managed::EARLY]);
        tree
    }

    fn put(&self, path: &str, text: &str) {
        write(&self.0.path().join(path), &format!("{text}\n"));
    }

    fn set(&self, address: &str, name: &str, text: &str) {
        self.put(&format!("sys/bus/pci/devices/{address}/{name}"), text);
    }

    /// Gives a function a driver. What the script follows is where the link leads, so a directory of that name does.
    #[expect(clippy::disallowed_methods, reason = "the test makes the tree that the script reads")]
    fn drive(&self, address: &str, driver: &str) {
        let to = self.0.path().join("sys/bus/pci/drivers").join(driver);
        std::fs::create_dir_all(&to).expect("created");
        let link = self.0.path().join(format!("sys/bus/pci/devices/{address}/driver"));
        std::os::unix::fs::symlink(format!("../../drivers/{driver}"), link).expect("linked");
    }

    /// Runs the script under a shell; false where this machine allows no namespaces.
    fn run(&self, shell: &[&str], word: &str) -> bool {
        let root = self.0.path().display();
        let script = format!(
            "mount --bind {root}/sys/bus/pci /sys/bus/pci && mount --bind {root}/cmdline /proc/cmdline && \
             mount -t tmpfs tmpfs /etc && mkdir /etc/passthru && mount --bind {root}/passthru /etc/passthru && \
             {{ [ ! -e /dev/kmsg ] || mount --bind /dev/null /dev/kmsg; }} && \
             PATH={root}/bin:$PATH && chmod -R +x {root}/bin && echo ready && exec {} /etc/passthru/early {word}",
            shell.join(" ")
        );
        let Some(output) = run("unshare", &["--map-root-user", "--mount", "sh", "-c", &script]) else {
            return false;
        };
        let ready = String::from_utf8_lossy(&output.stdout).contains("ready");
        if ready {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && said.is_empty(), "{shell:?}: {said}");
        }
        ready
    }

    #[expect(clippy::disallowed_methods, reason = "the test looks at what the script wrote")]
    fn marked(&self) -> Vec<&'static str> {
        let all = ["0000:02:00.0", "0000:02:00.1", "0000:03:00.0", "0000:03:00.1"];
        let read = |address: &str| {
            std::fs::read_to_string(
                self.0.path().join(format!("sys/bus/pci/devices/{address}/driver_override")),
            )
        };
        all.into_iter().filter(|address| read(address).is_ok_and(|text| text == "vfio-pci\n")).collect()
    }
}

/// Runs a case under every shell that is there.
fn early(word: &str, prepare: impl Fn(&Tree), expected: &[&str]) {
    for shell in SHELLS {
        let tree = Tree::new();
        prepare(&tree);
        if run(shell[0], &["-c", ":"]).is_some() && tree.run(shell, word) {
            assert_eq!(tree.marked(), expected, "{shell:?}");
        }
    }
}

const FIRST: [&str; 2] = ["0000:02:00.0", "0000:02:00.1"];
const SECOND: [&str; 2] = ["0000:03:00.0", "0000:03:00.1"];

#[test]
fn the_early_script_marks_what_was_chosen() {
    early("mark", |_| {}, &[&FIRST[..], &SECOND[..]].concat());
}

#[test]
fn the_early_script_does_nothing_where_it_is_turned_off() {
    early("mark", |tree| tree.put("cmdline", "quiet passthru.off"), &[]);
    early("mark", |tree| tree.put("cmdline", "passthru.off=1 quiet"), &[]);
    early("verify", |tree| tree.put("cmdline", "passthru.off"), &[]);
    let near = |tree: &Tree| tree.put("cmdline", "xpassthru.off passthru.offx passthru.off=0 * ?");
    early("mark", near, &[&FIRST[..], &SECOND[..]].concat());
}

#[test]
fn a_card_with_one_function_changed_or_gone_is_left_alone_as_a_whole() {
    early("mark", |tree| tree.set("0000:02:00.1", "subsystem_device", "0xdead"), &SECOND);
    early("mark", |tree| tree.set("0000:03:00.0", "class", "0x038000"), &FIRST);
    let take_out = |tree: &Tree| {
        std::fs::remove_dir_all(tree.0.path().join("sys/bus/pci/devices/0000:02:00.0")).expect("removed");
    };
    early("mark", take_out, &SECOND);
}

#[test]
fn what_has_a_driver_or_no_group_is_left_alone() {
    early(
        "mark",
        |tree| tree.drive("0000:02:00.0", "bochs"),
        &["0000:02:00.1", "0000:03:00.0", "0000:03:00.1"],
    );
    let no_group = |tree: &Tree| {
        std::fs::remove_dir_all(tree.0.path().join("sys/bus/pci/devices/0000:03:00.1/iommu_group"))
            .expect("removed");
    };
    early("mark", no_group, &["0000:02:00.0", "0000:02:00.1", "0000:03:00.0"]);
}

#[test]
fn lines_that_are_not_understood_are_skipped() {
    let hostile = |tree: &Tree| {
        let good = "0000:02:00.0 0x1234 0x1111 0x1af4 0x1100 0x030000";
        let lines = [
            "../../../etc/passwd 0x1234 0x1111 0x1af4 0x1100 0x030000",
            "0000:03:00.0 0x1234",
            "0000:03:00.0 0x1234 0x1111 0x1af4 0x1100 0x030000 more",
            "$(reboot) `reboot` 0x1111 0x1af4 0x1100 0x030000",
            "* * * * * *",
            "\\",
            "",
            good,
        ];
        // Without a newline at its end, as an editor may leave it.
        write(&tree.0.path().join("passthru/devices"), &lines.join("\n"));
    };
    early("mark", hostile, &["0000:02:00.0"]);
}

#[test]
fn what_vfio_pci_does_not_take_is_given_back() {
    // No driver binds in a tree of plain files: verify must leave no override behind, and not touch what a driver has.
    let half = |tree: &Tree| {
        tree.drive("0000:02:00.0", "vfio-pci");
        tree.set("0000:02:00.0", "driver_override", "vfio-pci");
        tree.set("0000:02:00.1", "driver_override", "vfio-pci");
    };
    early("verify", half, &["0000:02:00.0"]);
}

#[test]
fn dracut_is_told_of_every_file_that_it_is_to_take_and_of_no_other() {
    let texts = texts_of(&dracut(host()));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("50-passthru.conf");
    write(&file, &texts[managed::DRACUT_CONF]);
    let script = format!(
        "add_drivers=a; install_items=b; . {}; echo $add_drivers; echo $install_items",
        file.display()
    );
    let Some(output) = run("bash", &["-euc", &script]) else { return };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("a vfio-pci vfio_iommu_type1"));
    let items: Vec<&str> = lines.next().expect("a line").split(' ').skip(1).collect();
    assert!(items.iter().all(|path| texts.contains_key(*path) || *path == managed::EARLY_WANT), "{items:?}");
    assert_eq!(items.len(), 5);
}

/// The plugin as kernel-install runs it (kernel-install(8), "Environment variables").
#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the test runs the plugin as kernel-install does"
)]
#[test]
fn the_plugin_of_kernel_install_repeats_an_entry_without_passthrough_and_goes_with_it() {
    let plugin = &texts_of(&systemd_boot(Layout::Entries))[managed::KERNEL_INSTALL_OFF];
    let directory = tempfile::tempdir().expect("a directory");
    let (root, script) = (directory.path().join("boot"), directory.path().join("95-passthru.install"));
    write(&script, plugin);
    let entry = root.join("loader/entries/t-6.12.conf");
    write(
        &entry,
        "# made\ntitle  Debian\nversion 6.12\nsort-key debian\noptions root=UUID=1 & \\x quiet\nlinux /t/6.12/linux\n",
    );
    let off = root.join("loader/entries/t-6.12-passthru-off.conf");
    for shell in SHELLS {
        let kernel_install = |command: &str, layout: &str| {
            let mut shell = std::process::Command::new(shell[0]);
            shell.args(&SHELLS.iter().find(|one| one[0] == shell.get_program()).expect("a shell")[1..]);
            shell.arg(&script).args([command, "6.12"]).env("KERNEL_INSTALL_LAYOUT", layout);
            shell.env("KERNEL_INSTALL_BOOT_ROOT", &root).env("KERNEL_INSTALL_ENTRY_TOKEN", "t");
            shell
                .output()
                .map(|output| (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
        };
        let Ok(done) = kernel_install("add", "bls") else { continue };
        assert_eq!(done, (true, String::new()), "{shell:?}");
        assert_eq!(
            std::fs::read_to_string(&off).expect("made"),
            "# Written by passthru. Made anew by /etc/kernel/install.d/95-passthru.install.\n\
             title  Debian (without PCI passthrough)\nversion 6.12\noptions root=UUID=1 & \\x quiet passthru.off\n\
             linux /t/6.12/linux\nsort-key zz-passthru-off\n"
        );
        assert_eq!(kernel_install("remove", "bls").expect("runs"), (true, String::new()));
        assert!(!off.exists());
        assert_eq!(kernel_install("add", "other").expect("runs"), (true, String::new()));
        assert!(!off.exists());
    }
}
