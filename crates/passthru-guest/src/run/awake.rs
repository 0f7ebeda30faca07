//! Keeping the host awake while a guest has functions of it: a lock of systemd-logind (`systemd-inhibit(1)`).
//!
//! The lock is held by a process of its own that waits for QEMU's end. So it does not depend on the supervisor, which may be killed while
//! the guest runs, and libvirt's guests, which have none, get it the same way.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::name::GuestName;

/// Where distributions install the program.
const PROGRAMS: [&str; 2] = ["/usr/bin/systemd-inhibit", "/bin/systemd-inhibit"];

/// Where logind keeps its locks; it makes the directory when it starts (`src/login/logind.c`).
const LOCKS: &str = "/run/systemd/inhibit";

/// What is locked. A closed lid is a lock of its own: by itself logind sends a laptop to sleep then whatever else is locked
/// (`LidSwitchIgnoreInhibited=`, `logind.conf(5)`).
const WHAT: &str = "--what=sleep:handle-lid-switch";

/// Has the host stay awake until a process, the guest's QEMU, has ended. What goes wrong later is written to `log`.
///
/// The error says why nothing keeps it awake.
pub(super) fn until_ended(guest: &GuestName, qemu: i32, log: Stdio) -> Result<Child, String> {
    let program = PROGRAMS.iter().find(|path| Path::new(path).exists() && Path::new(LOCKS).exists());
    let program = program.ok_or_else(|| asleep("systemd-logind does not run here"))?;
    command(program, guest, qemu)
        .stderr(log)
        .spawn()
        .map_err(|error| asleep(&format!("{program} cannot be started: {error}")))
}

/// That nothing keeps the host awake, and why.
pub(super) fn asleep(why: &str) -> String {
    format!("the host may go to sleep while the guest has its devices: {why}")
}

/// `tail` is what waits: of the programs that every distribution has it is the one that ends with a process that is not its child.
fn command(program: &str, guest: &GuestName, qemu: i32) -> Command {
    let mut command = Command::new(program);
    command
        .args([WHAT, "--mode=block", "--who=passthru"])
        .arg(format!("--why=the guest {guest} has devices of this host"))
        .args(["tail", &format!("--pid={qemu}"), "-f", "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .current_dir("/")
        .process_group(0);
    command
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn sleep_and_a_closed_lid_are_locked_until_qemu_has_ended() {
        let guest = "win".parse().expect("a name");
        let words: Vec<_> = command("systemd-inhibit", &guest, 4711)
            .get_args()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        insta::assert_snapshot!(words.join("\n"));
    }

    #[test]
    fn what_waits_ends_with_the_process_that_it_waits_for() {
        let mut waited_for = std::process::Command::new("sleep").arg("600").spawn().expect("sleep");
        // The real lock needs logind: `env` stands for the program that takes it, without its options.
        let pid = i32::try_from(waited_for.id()).expect("a process id");
        let words = command("-", &"win".parse().expect("a name"), pid);
        let waiting: Vec<_> = words.get_args().skip_while(|word| *word != "tail").collect();
        let mut waiter = std::process::Command::new("env").args(waiting).spawn().expect("tail");
        assert!(waiter.try_wait().expect("a state").is_none());
        waited_for.kill().expect("killed");
        waited_for.wait().expect("its end");
        assert!(waiter.wait().expect("its end").success());
    }
}
