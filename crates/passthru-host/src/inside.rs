//! Running a program inside another system's root: by a child, which is this program once more, in a mount namespace of its
//! own, so that nothing of what it mounts is seen by others or stays.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::fs::CWD;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags};
use rustix::thread::UnshareFlags;

use crate::program;

/// The name under which the child is started.
const NAME: &str = "passthru-inside";

/// What of the running system a program inside sees at the same paths: devices, processes and mounts, the kernel's attributes,
/// and what udev knows.
pub const LENT: [&str; 4] = ["/dev", "/proc", "/sys", "/run"];

/// How the child ends where it could not start the program, as shells have it.
const NOT_STARTED: u8 = 127;

/// The command that starts the child for a program.
pub(crate) fn command(root: &Path, program: &str, arguments: &[String]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).arg(root).arg(program).args(arguments);
    command
}

/// To be called first in `main`: where this process is the child, it becomes the program, or says why it could not.
pub fn enter() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    if arguments.next()? != NAME {
        return None;
    }
    let arguments: Vec<OsString> = arguments.collect();
    let error = match arguments.as_slice() {
        [root, program, arguments @ ..] => become_program(Path::new(root), program, arguments),
        _ => io::Error::other("nothing was said to run"),
    };
    let _ = writeln!(io::stderr(), "{error}");
    Some(ExitCode::from(NOT_STARTED))
}

/// Comes back only where it failed.
fn become_program(root: &Path, name: &OsStr, arguments: &[OsString]) -> io::Error {
    let go = || -> io::Result<std::convert::Infallible> {
        own_namespace()?;
        let at = |what: &str| {
            let what = what.to_owned();
            move |error: rustix::io::Errno| io::Error::other(format!("{what}: {}", io::Error::from(error)))
        };
        // Taken before the root is changed, and put where the same paths lead then: no link can lead out.
        let lent: Vec<(&str, OwnedFd)> = LENT
            .iter()
            .map(|path| {
                let flags = OpenTreeFlags::OPEN_TREE_CLONE
                    | OpenTreeFlags::AT_RECURSIVE
                    | OpenTreeFlags::OPEN_TREE_CLOEXEC;
                let tree = rustix::mount::open_tree(CWD, *path, flags);
                tree.map(|tree| (*path, tree)).map_err(at(&format!("{path} cannot be lent")))
            })
            .collect::<io::Result<_>>()?;
        rustix::process::chroot(root).map_err(at("its root cannot be entered"))?;
        rustix::process::chdir("/").map_err(at("its root cannot be entered"))?;
        for (path, tree) in lent {
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            rustix::mount::move_mount(&tree, "", CWD, path, flags)
                .map_err(at(&format!("{path} of this system cannot be mounted in the other")))?;
        }
        let name = name.to_string_lossy();
        let path = program::named(&name)
            .ok_or_else(|| io::Error::other(format!("{name} is not installed in that system")))?;
        let error = Command::new(&path).args(arguments).exec();
        Err(io::Error::other(format!("{path} of that system, or what runs it, cannot be started: {error}")))
    };
    match go() {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// From now on what this thread and the processes that it starts mount is seen by nobody else. For root.
pub fn own_namespace() -> io::Result<()> {
    #[expect(
        deprecated,
        reason = "mount points alone are parted, and no descriptors, which is what the other name warns of"
    )]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(())
}
