//! Whom QEMU becomes where root starts it.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use passthru_guest::Guest;
use passthru_guest::look::Looked;
use passthru_guest::qmp::Qmp;
use passthru_guest::run::{GuestPaths, GuestState, HowStopped, state, stop};

use super::{ALONE, at_once, begin, build, launcher, line_of, spec, testing};

#[test]
fn qemu_becomes_whom_the_specification_names_before_the_guest_runs() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(launcher) = launcher() else { return };
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root can become somebody else");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut spec = spec(directory.path());
    spec.run_as = Some("nobody".parse().expect("a name"));
    let guest = build(&spec);
    let paths = GuestPaths::new(directory.path(), directory.path(), guest.name());
    let started = begin(&guest, &paths, &launcher).expect("started");
    assert_eq!(line_of(started.pid, "Uid:"), "Uid:\t65534\t65534\t65534\t65534");
    assert_eq!(line_of(started.pid, "CapEff:"), "CapEff:\t0000000000000000");
    assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::Quit);
    spec.run_as = Some("nobody-of-this-name".parse().expect("a name"));
    let error = begin(&build(&spec), &paths, &launcher).expect_err("there is no such user").to_string();
    assert!(error.contains("run-as names no user of this host"), "{error}");
    assert_eq!(state(&paths).expect("known"), GuestState::Stopped);
}

#[test]
fn a_guest_that_root_starts_is_not_roots_though_all_its_files_are_and_stay() {
    let Some(launcher) = launcher() else { return };
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root can become somebody else");
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a directory");
    let mut spec = spec(directory.path());
    spec.tpm = Some(Path::new("/usr/bin/swtpm").exists());
    let looked = Looked::here(&spec).by_this_user();
    let guest = Guest::build(&spec, &testing::facts(), &looked).expect("a guest");
    let paths = GuestPaths::new(&directory.path().join("run"), &directory.path().join("data"), guest.name());
    let disk = spec.disks[0].path.clone();
    std::fs::set_permissions(&disk, std::fs::Permissions::from_mode(0o600)).expect("set");
    let started = begin(&guest, &paths, &launcher).expect("started");
    let user = guest.machine(&paths).run_as.expect("every Linux has one of them").user;
    assert_eq!(line_of(started.pid, "Uid:").split('\t').nth(2), Some(number_of(user.as_str()).as_str()));
    assert_eq!(line_of(started.pid, "CapPrm:"), "CapPrm:\t0000000000000000");
    // From the start on: the firmware is read anew, the TPM is asked, and the disk is still open for writing.
    let limit = Duration::from_secs(20);
    let mut qmp = Qmp::connect(&paths.qmp(), limit).expect("it answers");
    qmp.execute("system_reset", None, limit).expect("taken");
    assert_eq!(qmp.status(limit).expect("a status"), "running");
    drop(qmp);
    let all = [disk, paths.vars("raw"), paths.tpm_state(), paths.state().to_owned()];
    for path in all.iter().filter(|path| path.exists()) {
        assert_eq!(std::fs::metadata(path).expect("there").uid(), 0, "{}", path.display());
    }
    assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::Quit);
    assert!(!paths.qmp().exists() && !paths.vnc().exists());
}

/// The number of a user.
fn number_of(user: &str) -> String {
    let said = std::process::Command::new("id").args(["-u", user]).output().expect("it answers");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}
