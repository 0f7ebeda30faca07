//! The TPM of a guest: swtpm, a program beside QEMU (`swtpm(8)`).

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::GuestPaths;
use super::process::Process;

/// The file name of the program.
pub const PROGRAM: &str = "swtpm";

/// swtpm's arguments for a guest. It makes what a new TPM holds by itself, listens before it goes into the background, and ends
/// when QEMU lets go of the socket; the directory [`GuestPaths::tpm_state`] must be there. A path with a comma comes back as the
/// error, for swtpm cuts its options there and knows no escape (`handle_*_options`, `src/swtpm/common.c`).
pub fn arguments(paths: &GuestPaths) -> Result<Vec<String>, PathBuf> {
    let plain = |path: PathBuf| {
        let text = path.to_string_lossy().into_owned();
        if text.contains(',') { Err(path) } else { Ok(text) }
    };
    let mut out: Vec<String> = ["socket", "--tpm2"].map(str::to_owned).into();
    for (option, before, path, after) in [
        ("--tpmstate", "dir=", paths.tpm_state(), ",mode=0600"),
        ("--ctrl", "type=unixio,path=", paths.tpm(), ",mode=0600"),
        ("--log", "file=", paths.tpm_log(), ",truncate"),
        ("--pid", "file=", paths.tpm_record(), ""),
    ] {
        out.extend([option.to_owned(), format!("{before}{}{after}", plain(path)?)]);
    }
    out.extend(["--terminate", "--daemon"].map(str::to_owned));
    Ok(out)
}

/// Why a guest has no TPM.
#[derive(Debug, thiserror::Error)]
pub enum SwtpmError {
    /// The program is not there.
    #[error(
        "swtpm, which emulates the guest's TPM, is not installed (Debian, Ubuntu and Fedora: swtpm, swtpm-tools; Arch: swtpm)"
    )]
    NotInstalled,
    /// A path that it would cut.
    #[error("{}: swtpm takes no path with a comma", .0.display())]
    Path(PathBuf),
    /// A directory of ours, or the program.
    #[error("{} cannot be used", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// It ended.
    #[error("swtpm did not start: {words}; its log is {}", log.display())]
    Refused {
        /// What it said.
        words: String,
        /// The whole log.
        log: PathBuf,
    },
}

/// Where distributions install it.
const PROGRAMS: [&str; 2] = ["/usr/bin/swtpm", "/bin/swtpm"];

/// How long it gets to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts a guest's TPM; when this returns, QEMU can connect to it.
pub fn start(paths: &GuestPaths) -> Result<(), SwtpmError> {
    let program =
        PROGRAMS.iter().map(Path::new).find(|path| path.exists()).ok_or(SwtpmError::NotInstalled)?;
    let arguments = arguments(paths).map_err(SwtpmError::Path)?;
    // One that an earlier QEMU never connected to holds the state's lock.
    stop(paths);
    let state = paths.tpm_state();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&state)
        .map_err(|error| SwtpmError::Io(state, error))?;
    let out = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let out = out.map_err(|error| SwtpmError::Io(program.to_owned(), error))?;
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr).into_owned()
        + &std::fs::read_to_string(paths.tpm_log()).unwrap_or_default();
    let words: String =
        said.trim().lines().last().unwrap_or("it said nothing").chars().filter(|c| !c.is_control()).collect();
    Err(SwtpmError::Refused { words, log: paths.tpm_log() })
}

/// Ends a guest's TPM that no QEMU is connected to; one that QEMU has ends with QEMU. There may be none. It is asked by a signal and
/// not over its socket, for one that makes a new TPM's keys listens to nobody meanwhile.
pub fn stop(paths: &GuestPaths) {
    let argument = format!("file={}", paths.tpm_record().to_string_lossy());
    if let Some((_, process)) = Process::of_pid_file(&paths.tpm_record(), &argument) {
        let asked = process.terminate().and_then(|()| process.ended_within(PATIENCE));
        if !matches!(asked, Ok(true)) {
            let _ = process.kill().and_then(|()| process.ended_within(PATIENCE));
        }
    }
    let _ = std::fs::remove_file(paths.tpm());
}

#[cfg(test)]
mod tests {
    use super::arguments;
    use crate::run::GuestPaths;

    #[test]
    fn swtpm_is_told_where_its_state_is_and_takes_no_path_that_it_would_cut() {
        let name = "win".parse().expect("a name");
        let paths = |data: &str| GuestPaths::new("/run/p".as_ref(), data.as_ref(), &name);
        insta::assert_snapshot!(arguments(&paths("/var/lib/p")).expect("arguments").join(" "));
        assert_eq!(arguments(&paths("/srv/a,b")), Err("/srv/a,b/win/tpm".into()));
    }
}
