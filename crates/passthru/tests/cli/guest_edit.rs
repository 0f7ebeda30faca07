//! Specifications that are edited in place: whole or not at all. On this machine, for a user whose home is a folder of the test.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::common::{Answer, answer};

const SPEC: &str = "# Mine.\nmemory = \"1G\"\ncpus = 1\nfirmware = \"seabios\"\naccel = \"tcg\"\n";

/// A user with one guest and an editor that does what a script says.
struct User {
    home: tempfile::TempDir,
    program: PathBuf,
}

impl User {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let program = home.path().join("passthru");
        // By a program of its own, as a descriptor that is open for writing may be inherited by another test's child.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_passthru")).arg(&program).status();
        assert!(copied.is_ok_and(|status| status.success()), "the program can be copied");
        let user = Self { home, program };
        let specs = user.spec();
        std::fs::create_dir_all(specs.parent().expect("a parent")).expect("made");
        std::fs::write(&specs, SPEC).expect("written");
        let status = Command::new("chmod").args(["-R", "a+rwX"]).arg(user.home.path()).status();
        assert!(status.is_ok_and(|status| status.success()), "opened to others");
        user
    }

    fn spec(&self) -> PathBuf {
        self.home.path().join(".config/passthru/guests/box.toml")
    }

    fn now(&self) -> String {
        std::fs::read_to_string(self.spec()).expect("there")
    }

    /// Runs `guest edit` with an editor of these commands; the copy is `$1`.
    fn edits(&self, commands: &str) -> Answer {
        let editor = self.home.path().join("editor");
        std::fs::write(&editor, format!("#!/bin/sh\n{commands}\n")).expect("written");
        std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).expect("set");
        self.says(&["guest", "edit", "box"], &format!("/bin/sh {}", editor.display()))
    }

    fn says(&self, arguments: &[&str], editor: &str) -> Answer {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("EDITOR", editor);
        if rustix::process::geteuid().is_root() {
            command.uid(65534).gid(65534);
        }
        answer(&mut command)
    }
}

#[test]
fn what_can_be_read_takes_the_place_of_the_file() {
    let user = User::new();
    let answer = user.edits("sed -i 's/1G/2G/' \"$1\"");
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(user.now(), SPEC.replace("1G", "2G"));
    let same = user.edits("true");
    assert!(same.code == 0 && same.err.contains("Nothing was changed"), "{}", same.err);
}

#[test]
fn what_cannot_be_read_changes_nothing_and_leaves_nothing() {
    let user = User::new();
    let wrong = user.edits("echo 'memroy = 1' >> \"$1\"");
    assert_eq!(wrong.code, 2, "{}", wrong.err);
    assert!(wrong.err.contains("box.toml:6: memroy: unknown field"), "{}", wrong.err);
    let failed = user.edits("echo 'cpus = 9' > \"$1\"; exit 3");
    assert_eq!(failed.code, 1, "{}", failed.err);
    let absent = user.says(&["guest", "edit", "box"], "/no/such/editor");
    assert!(absent.code == 1 && absent.err.contains("cannot be run"), "{}", absent.err);
    let meanwhile =
        user.edits(&format!("echo '# Theirs.' >> {}; sed -i s/1G/2G/ \"$1\"", user.spec().display()));
    assert!(meanwhile.code != 0 && meanwhile.err.contains("somebody else"), "{}", meanwhile.err);
    assert_eq!(user.now(), format!("{SPEC}# Theirs.\n"));
    let left = std::fs::read_dir(user.spec().parent().expect("a parent")).expect("lists").count();
    assert_eq!(left, 1);
}

#[test]
fn a_guest_is_not_promoted_to_a_card_that_nobody_isolated() {
    let user = User::new();
    let answer = user.says(&["guest", "promote", "box"], "true");
    assert_eq!(answer.code, 1, "{}", answer.err);
    assert!(answer.err.contains("no GPU is isolated for guests"), "{}", answer.err);
    assert_eq!(user.now(), SPEC);
}
