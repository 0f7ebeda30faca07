//! A system that is mounted somewhere: looked at and repaired from outside, by the program as its user runs it.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use passthru_apply::{RunFailure, Runner, Silent, Target};
use passthru_model::program::Program;
use passthru_plan::{Consent, isolate};

use crate::{Made, say};

const IMAGE: &str = "/boot/initrd.img-6.12.43+deb13-amd64";

/// What each path of a tree is, but the state that stays after an undo.
pub(crate) type Tree = BTreeMap<String, (u32, Vec<u8>)>;

pub(crate) fn tree(root: &Path) -> Tree {
    fn walk(root: &Path, place: &Path, found: &mut Tree) {
        for entry in std::fs::read_dir(place).expect("lists") {
            let path = entry.expect("an entry").path();
            let meta = path.symlink_metadata().expect("is there");
            let content = if meta.is_symlink() {
                std::fs::read_link(&path).expect("a link").into_os_string().into_encoded_bytes()
            } else if meta.is_dir() {
                walk(root, &path, found);
                Vec::new()
            } else {
                std::fs::read(&path).expect("reads")
            };
            let inside = path.strip_prefix(root).expect("inside").display().to_string();
            if !inside.starts_with("var/lib") {
                found.insert(inside, (meta.mode(), content));
            }
        }
    }
    let mut found = Tree::new();
    walk(root, root, &mut found);
    found
}

/// Stands for the programs of the system while it still ran: writes what a plan expects of them.
pub(crate) struct Programs;

impl Runner for Programs {
    fn run(
        &mut self,
        program: Program,
        _: &[String],
        root: &Path,
        _: &mut dyn FnMut(&str),
    ) -> Result<(), RunFailure> {
        let (path, bytes) = if program == Program::UpdateGrub {
            let entry = "menuentry 'Without' $menuentry_id_option 'passthru-off' {\n\tlinux /vmlinuz passthru.off\n}\n";
            ("boot/grub/grub.cfg", entry.as_bytes().to_vec())
        } else {
            ("boot/initrd.img-6.12.43+deb13-amd64", crate::boots::image(&crate::boots::WHOLE))
        };
        std::fs::write(root.join(path), bytes).expect("writes");
        Ok(())
    }

    fn starts_processes(&self) -> bool {
        false
    }
}

/// A system that was isolated while it ran, and how it was before.
fn isolated() -> (Made, Tree) {
    let made = Made::new().file("/etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 13\"\n");
    isolated_of(made)
}

fn isolated_of(made: Made) -> (Made, Tree) {
    std::fs::create_dir_all(made.place("/var/lib")).expect("makes");
    let before = tree(&made.place("/"));
    let address = "01:00.0".parse().expect("an address");
    let plan = isolate(&made.facts(), &[address], &Consent::default()).expect("a plan").plan;
    let target = Target::open(made.place("/")).expect("opens");
    passthru_apply::apply(&target, &plan, &mut Programs, &mut Silent).expect("applies");
    (made, before)
}

/// What the program says of a system, with the places of this run made plain, and its exit code.
fn run(made: &Made, arguments: &[&str]) -> (i32, String) {
    let root = std::fs::canonicalize(made.place("/")).expect("is there").display().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_passthru"))
        .args(arguments)
        .args(["--root", &root])
        .stdin(Stdio::null())
        .output()
        .expect("starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8").replace(&root, "DIR");
    (output.status.code().expect("was not killed"), text)
}

/// The name of the only journal has the time in it.
fn plain(text: &str) -> String {
    let stamp = |word: &str| word.len() > 16 && word.as_bytes().get(8) == Some(&b'T') && word.contains("Z-");
    let words = text.split_inclusive([' ', '\n', '(', ')', '/']);
    words.map(|word| if stamp(word) { word.replace(&word[..16], "TIME") } else { word.to_owned() }).collect()
}

/// A system is changed by root alone; elsewhere there is a word about what was not shown.
fn may_change() -> bool {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if !is_root {
        say("skipped: undoing in a mounted system takes root");
    }
    is_root
}

#[test]
fn what_was_done_to_it_and_whether_it_stands_is_told_from_outside() {
    let (made, _) = isolated();
    let all: Vec<String> = ["status", "history", "verify"]
        .iter()
        .map(|command| {
            let (code, text) = run(&made, &[command]);
            format!("{command}: {code}\n{}", plain(&text))
        })
        .collect();
    insta::assert_snapshot!(all.join("\n"));
    let (code, text) = run(&made.file(IMAGE, crate::boots::image(&[])), &["verify"]);
    assert_eq!(code, 1);
    assert!(text.contains("lacks etc/passthru/devices"), "{text}");
}

#[test]
fn undo_gives_every_file_back_inside_it_and_says_what_it_does() {
    if !may_change() {
        return;
    }
    let (made, before) = isolated();
    let (code, text) = run(&made, &["undo", "--yes"]);
    assert_eq!(code, 0, "{text}");
    pretty_assertions::assert_eq!(tree(&made.place("/")), before);
    insta::assert_snapshot!(plain(&text));
    let (code, text) = run(&made, &["undo", "--yes"]);
    assert_eq!((code, text.contains("nothing that was applied is left to undo")), (1, true), "{text}");
}

/// A shell, with the libraries that it takes.
fn with_shell(made: Made) -> Option<Made> {
    let shell = std::fs::canonicalize("/bin/sh").ok()?;
    let output = Command::new("ldd").arg(&shell).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
    let copy = |from: &str, to: &str| {
        let to = made.place(to);
        std::fs::create_dir_all(to.parent().expect("a parent")).expect("makes");
        std::fs::copy(from, &to).expect("copies");
    };
    for library in libraries {
        copy(library, library);
    }
    copy(&shell.to_string_lossy(), "/bin/sh");
    Some(made)
}

#[test]
fn an_image_that_was_rebuilt_since_is_built_again_inside_it_by_its_own_program() {
    if !may_change() {
        return;
    }
    let made = Made::new().file("/etc/os-release", "ID=debian\n");
    let Some(made) = with_shell(made) else {
        say("skipped: there is no shell here that could be put into the system");
        return;
    };
    for directory in ["/dev", "/proc", "/sys", "/run"] {
        std::fs::create_dir_all(made.place(directory)).expect("makes");
    }
    // It says what it sees: its own root, and what is lent to it.
    let script = "#!/bin/sh\n\
        [ -e /etc/passthru/devices ] && exit 9\n\
        [ -c /dev/null ] && [ -r /proc/self/mountinfo ] && read -r line < /etc/os-release || exit 8\n\
        echo \"building for $line: $*\"\n\
        echo \"made of $line\" > /boot/initrd.img-6.12.43+deb13-amd64\n";
    let made = made.file("/usr/sbin/update-initramfs", script);
    let (made, before) = isolated_of(made);
    let made = made.file(IMAGE, "built by a kernel update\n");
    let (code, text) = run(&made, &["undo", "--yes"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("building for ID=debian: -u -k 6.12.43+deb13-amd64"), "{text}");
    assert!(text.contains("was rebuilt since; built again without our change"), "{text}");
    let mut after = tree(&made.place("/"));
    let image = after.insert(
        "boot/initrd.img-6.12.43+deb13-amd64".to_owned(),
        before["boot/initrd.img-6.12.43+deb13-amd64"].clone(),
    );
    assert_eq!(image.expect("is there").1, b"made of ID=debian\n");
    pretty_assertions::assert_eq!(after, before, "what was lent is gone, and all files are as before");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("reads");
    assert!(!mounts.contains(&made.place("/").display().to_string()), "{mounts}");
}

#[test]
fn a_program_that_fails_inside_it_is_named_with_the_command_that_finishes_by_hand() {
    if !may_change() {
        return;
    }
    let made = Made::new().file("/etc/os-release", "ID=debian\n").without("/usr/sbin/update-initramfs");
    let made = made.file("/sbin/update-initramfs", "#!/bin/sh\nexit 1\n");
    let (made, _) = isolated_of(made);
    let made = made.file(IMAGE, "built by a kernel update\n");
    let (code, text) = run(&made, &["undo", "--yes"]);
    assert_eq!(code, 6, "{text}");
    assert!(
        text.contains("/sbin/update-initramfs of that system, or what runs it, cannot be started"),
        "{text}"
    );
    assert!(text.contains("chroot DIR update-initramfs -u -k 6.12.43+deb13-amd64"), "{text}");
}

#[test]
fn no_absolute_link_of_it_leads_out() {
    if !may_change() {
        return;
    }
    let outside = tempfile::tempdir().expect("a folder");
    let state = outside.path().display().to_string();
    let made = Made::new().file("/etc/os-release", "ID=debian\n");
    // Inside, the same path is a directory of the system's own.
    std::fs::create_dir_all(made.place(&state)).expect("makes");
    std::fs::create_dir_all(made.place("/var/lib")).expect("makes");
    symlink(&state, made.place("/var/lib/passthru")).expect("links");
    let (made, _) = isolated_of(made);
    let (code, text) = run(&made, &["undo", "--yes"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(std::fs::read_dir(outside.path()).expect("lists").count(), 0, "something was written outside");
    assert!(made.place(&format!("{state}/journal")).is_dir());
}

#[test]
fn what_is_no_system_or_lacks_its_boot_is_refused_before_anything_is_read() {
    let bare = Made::new().without("/etc/os-release");
    let lacking = Made::new()
        .file("/etc/os-release", "ID=debian\n")
        .file("/etc/fstab", "UUID=8f3c-12ab /boot/efi vfat umask=0077 0 1\n");
    let say = |made: &Made, command: &[&str]| {
        let (code, text) = run(made, command);
        format!("{code} {text}")
    };
    insta::assert_snapshot!(
        [say(&bare, &["status"]), say(&lacking, &["undo", "--yes"]), say(&lacking, &["verify", "--record"])]
            .concat()
    );
}
