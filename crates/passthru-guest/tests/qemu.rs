//! Guests on a real QEMU, under TCG, without passed devices. Skipped with a word where QEMU or OVMF is not installed.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

#[path = "../src/testing.rs"]
#[expect(dead_code, reason = "the unit tests use all of it")]
mod testing;

#[path = "qemu/handed_over.rs"]
mod handed_over;

#[path = "qemu/hooked.rs"]
mod hooked;

#[path = "qemu/sound.rs"]
mod sound;

#[path = "qemu/supervised.rs"]
mod supervised;

#[path = "qemu/users.rs"]
mod users;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use passthru_guest::look::Looked;
use passthru_guest::run::{
    GuestPaths, GuestState, HowStopped, Launcher, StartError, Started, StopError, StopOptions, Tuning,
    devices, in_use, list, start, state, stop,
};
use passthru_guest::spec::{AccelChoice, Disk, DiskFormat, Display, FirmwareKind, Medium};
use passthru_guest::{Guest, GuestSpec, MemorySize};

/// One QEMU at a time: TCG takes every core it gets.
static ALONE: Mutex<()> = Mutex::new(());
const PATIENCE: Duration = Duration::from_mins(1);

fn launcher() -> Option<Launcher> {
    let qemu = PathBuf::from("/usr/bin/qemu-system-x86_64");
    if !qemu.exists() || !Path::new("/usr/share/OVMF/OVMF_CODE_4M.fd").exists() {
        eprintln!("skipped: qemu-system-x86 and ovmf are not installed");
        return None;
    }
    Some(Launcher { qemu, helper: env!("CARGO_BIN_EXE_passthru-guest-test-helper").into() })
}

/// A guest with everything that needs no hardware, its files in a directory with a comma.
fn spec(directory: &Path) -> GuestSpec {
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.memory = MemorySize::from_mib(256).expect("a size");
    spec.cpus = 1;
    spec.accel = AccelChoice::Tcg;
    spec.display = Some(Display::Vnc);
    for (file, size) in [("disk, one.img", 1 << 20), ("disc.iso", 1 << 20)] {
        std::fs::write(directory.join(file), vec![0; size]).expect("written");
    }
    spec.disks.push(Disk { path: directory.join("disk, one.img"), format: DiskFormat::Raw });
    spec.media.push(Medium { path: directory.join("disc.iso") });
    spec
}

fn build(spec: &GuestSpec) -> Guest {
    Guest::build(spec, &testing::facts(), &Looked::here(spec)).expect("a guest")
}

/// Starts a guest for which nothing of the host is changed.
fn begin(guest: &Guest, paths: &GuestPaths, launcher: &Launcher) -> Result<Started, StartError> {
    start(guest, paths, launcher, &Tuning::none(guest.name()), PATIENCE, &mut |_| {})
}

/// Waits until something holds, which takes a busy machine its time.
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A line of what the kernel says of a process.
fn line_of(pid: i32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("reads");
    status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
}

/// Lets other users go through a directory.
fn open(directory: &Path) {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o711)).expect("set");
}

fn at_once(force: bool) -> StopOptions {
    StopOptions { patience: Duration::from_millis(200), force }
}

#[test]
fn a_guest_starts_is_known_again_and_stops() {
    let Some(launcher) = launcher() else { return };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a directory");
    let (run, data) = (directory.path().join("run"), directory.path().join("data"));
    let guest = build(&spec(directory.path()));
    let paths = GuestPaths::new(&run, &data, guest.name());
    assert_eq!(state(&paths).expect("a state"), GuestState::Stopped);

    let started = begin(&guest, &paths, &launcher).expect("started");
    assert_eq!(started.status, "running");
    assert!(started.fresh_vars);
    let vars = paths.vars("raw");
    assert_eq!(std::fs::metadata(&vars).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(state(&paths).expect("a state"), GuestState::Running { pid: started.pid });
    assert_eq!(list(&run, &data).expect("a list").len(), 1);
    assert!(devices(&paths, &[]).expect("an answer").is_empty());
    let again = begin(&guest, &paths, &launcher);
    assert!(matches!(again, Err(StartError::Running { pid }) if pid == started.pid));

    // Its own session: what ends ours does not end it.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", started.pid)).expect("running");
    let session = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(3)).map(str::to_owned);
    assert_eq!(session, Some(started.pid.to_string()));

    // Firmware does not heed the power button.
    assert!(matches!(stop(&paths, at_once(false)), Err(StopError::StillRunning { .. })));
    assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::Quit);
    assert_eq!(state(&paths).expect("a state"), GuestState::Stopped);
    assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::NotRunning);
    assert!(vars.exists());
    assert!(!begin(&guest, &paths, &launcher).expect("started again").fresh_vars);
    assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::Quit);
}

#[test]
fn a_tpm_comes_and_goes_with_its_guest_and_keeps_what_it_holds() {
    let Some(launcher) = launcher() else { return };
    if !Path::new("/usr/bin/swtpm").exists() {
        eprintln!("skipped: swtpm is not installed");
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a directory");
    let mut spec = GuestSpec::new("box".parse().expect("a name"));
    spec.memory = MemorySize::from_mib(256).expect("a size");
    (spec.cpus, spec.accel, spec.firmware) = (1, AccelChoice::Tcg, FirmwareKind::Seabios);
    spec.tpm = Some(true);
    let guest = build(&spec);
    let paths = GuestPaths::new(directory.path(), directory.path(), guest.name());
    // It takes its record away when it ends.
    let is_there = || paths.tpm_record().exists();
    for _ in 0..2 {
        begin(&guest, &paths, &launcher).expect("started");
        assert!(is_there());
        assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::Quit);
        let deadline = std::time::Instant::now() + PATIENCE;
        while is_there() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(!is_there(), "swtpm stays when QEMU has ended");
    }
    assert!(std::fs::read_dir(paths.tpm_state()).expect("there").count() > 0);
    // A QEMU that does not come up leaves no TPM behind.
    let absent = Launcher { qemu: "/nowhere/qemu".into(), ..launcher };
    begin(&guest, &paths, &absent).expect_err("no QEMU");
    assert!(!is_there());
}

#[test]
fn a_guest_that_was_killed_is_dead_and_starts_again() {
    let Some(launcher) = launcher() else { return };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a directory");
    let mut spec = spec(directory.path());
    spec.firmware = FirmwareKind::Seabios;
    let guest = build(&spec);
    let paths = GuestPaths::new(directory.path(), directory.path(), guest.name());
    let started = begin(&guest, &paths, &launcher).expect("started");
    let pid = rustix::process::Pid::from_raw(started.pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    until("the supervisor has ended", || !in_use(&paths).expect("looked"));
    assert!(matches!(state(&paths).expect("a state"), GuestState::Dead { .. }));
    begin(&guest, &paths, &launcher).expect("started again");
    assert_eq!(stop(&paths, at_once(true)).expect("stopped"), HowStopped::Quit);
}

#[test]
fn a_qemu_that_cannot_start_says_why_and_leaves_nothing_running() {
    let Some(launcher) = launcher() else { return };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a directory");
    let mut spec = spec(directory.path());
    spec.disks[0].format = DiskFormat::Qcow2;
    let guest = build(&spec);
    let paths = GuestPaths::new(directory.path(), directory.path(), guest.name());
    let error = begin(&guest, &paths, &launcher).expect_err("a raw image is no qcow2").to_string();
    assert!(error.contains("Image is not in qcow2 format"), "{error}");
    assert_eq!(state(&paths).expect("a state"), GuestState::Stopped);

    let absent = Launcher { qemu: "/nowhere/qemu".into(), ..launcher };
    let error = begin(&guest, &paths, &absent).expect_err("no QEMU").to_string();
    assert!(error.contains("/nowhere/qemu cannot be started: No such file"), "{error}");
}
