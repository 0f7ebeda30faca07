//! Odd surroundings of a live machine: no root, nothing under /sys, nothing under /proc. Made with util-linux's `unshare` and
//! `setpriv`; where these or root are missing, the tests say that they skip.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::common::{Answer, answer};

/// Commands that must give a clear answer wherever they run.
const COMMANDS: &[&[&str]] =
    &[&[], &["doctor"], &["groups"], &["verify"], &["plan"], &["history"], &["guest", "list"]];

/// A copy of the program that another user may run, in a directory of its own.
fn program() -> (tempfile::TempDir, String) {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("a directory");
    let copy = directory.path().join("passthru");
    // By a program of its own: a descriptor that this process had open for writing could be inherited by the child of
    // another test, and then the copy would be busy when it is started.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_passthru")).arg(&copy).status();
    assert!(copied.is_ok_and(|status| status.success()), "the program can be copied");
    for path in [directory.path(), &copy] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("opens it to others");
    }
    let copy = copy.to_str().expect("UTF-8").to_owned();
    (directory, copy)
}

/// Whether the tests can make other surroundings; says so where they cannot.
fn can(tool: &str) -> bool {
    let able = rustix::process::geteuid().is_root()
        && ["/usr/bin", "/bin"].iter().any(|directory| Path::new(directory).join(tool).exists())
        && Command::new(tool)
            .args(if tool == "unshare" { &["--mount", "true"][..] } else { &["--reuid=65534", "true"] })
            .status()
            .is_ok_and(|status| status.success());
    if !able {
        skip(&format!("needs root and a working {tool}"));
    }
    able
}

/// Says that a test could not be made here.
fn skip(why: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("skipped: {why}\n").as_bytes());
}

/// Asserts a clear answer.
fn assert_clear(answer: &Answer, what: &str) {
    assert!(matches!(answer.code, 0 | 1 | 3), "{what}: exit {}\n{}{}", answer.code, answer.out, answer.err);
    assert!(!answer.err.contains("panicked"), "{what}: {}", answer.err);
    assert!(!(answer.out.is_empty() && answer.err.is_empty()), "{what}: no answer at all");
}

#[test]
fn a_user_without_rights_gets_a_clear_answer() {
    if !can("setpriv") {
        return;
    }
    let (_directory, program) = program();
    for command in COMMANDS {
        let answer = answer(
            Command::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--reset-env", &program])
                .args(*command),
        );
        assert_clear(&answer, &format!("{command:?} as nobody"));
    }
}

#[test]
fn with_sys_or_proc_masked_there_is_a_clear_answer() {
    if !can("unshare") {
        return;
    }
    let (_directory, program) = program();
    for masked in
        [&["/sys"][..], &["/proc"], &["/sys", "/proc"], &["/sys", "/proc", "/dev", "/boot", "/lib/modules"]]
    {
        for command in COMMANDS {
            // The shell is the test's, to set the scene; the program is started by its argument vector.
            let mut script = String::from("set -e; ");
            for path in masked {
                let _ = write!(script, "if [ -d {path} ]; then mount -t tmpfs none {path}; fi; ");
            }
            script.push_str("exec \"$@\"");
            let answer = answer(
                Command::new("unshare").args(["--mount", "sh", "-c", &script, "sh", &program]).args(*command),
            );
            assert_clear(&answer, &format!("{command:?} with {masked:?} masked"));
        }
    }
}

#[test]
fn a_reading_command_opens_nothing_for_writing() {
    let (_directory, program) = program();
    let traced = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=openat,openat2,open,creat,mkdir,mkdirat,rename,renameat2,unlink,unlinkat",
        ])
        .args([&program, "doctor"])
        .output();
    let Ok(traced) = traced else {
        skip("strace is not installed");
        return;
    };
    let trace = String::from_utf8_lossy(&traced.stderr);
    if !trace.contains("open") {
        skip("strace cannot trace here");
        return;
    }
    let writing: Vec<&str> = trace
        .lines()
        .filter(|line| {
            ["O_WRONLY", "O_RDWR", "O_CREAT", "mkdir", "rename", "unlink", "creat("]
                .iter()
                .any(|word| line.contains(word))
        })
        // Whether KVM can be used is known only by opening it; nothing is written to it.
        .filter(|line| !line.contains("\"/dev/kvm\""))
        .collect();
    assert_eq!(writing, Vec::<&str>::new());
}
