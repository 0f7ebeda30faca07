//! The tiny guest booted for real, under TCG, with emulated devices in the place of a card. Skipped with a word where
//! there is no QEMU, no OVMF, or no kernel: one is named by `PASSTHRU_TEST_KERNEL`, else the newest of `/boot` is taken.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so, and how long the others took")]

#[path = "../src/testing.rs"]
#[expect(dead_code, reason = "the unit tests use all of it")]
mod testing;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use passthru_guest::accel::Accel;
use passthru_guest::attempt::{Stage, TryError, TryEvent, TryOptions, TryReport, rehearsal, run};
use passthru_guest::run::Launcher;
use passthru_guest::spec::{AccelChoice, FirmwareKind};

/// One QEMU at a time: TCG takes every core it gets.
static ALONE: Mutex<()> = Mutex::new(());
const HELPER: &str = env!("CARGO_BIN_EXE_passthru-guest-test-helper");
const QEMU: &str = "/usr/bin/qemu-system-x86_64";

fn kernel() -> Option<PathBuf> {
    let found = std::env::var_os("PASSTHRU_TEST_KERNEL").map(PathBuf::from).or_else(|| {
        let entries = std::fs::read_dir("/boot").ok()?.filter_map(Result::ok).map(|entry| entry.path());
        entries.filter(|path| path.to_string_lossy().starts_with("/boot/vmlinuz-")).max()
    });
    let needed = [Path::new(QEMU), Path::new("/usr/share/OVMF/OVMF_CODE_4M.fd")];
    if found.is_none() || !needed.iter().all(|path| path.exists()) {
        eprintln!("skipped: a kernel image, qemu-system-x86 and ovmf are needed");
        return None;
    }
    found
}

/// A rehearsal, and how far it got.
fn rehearse(options: &TryOptions, init: &[u8]) -> (Result<TryReport, TryError>, Vec<Stage>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = rehearsal(&testing::facts(), options).expect("a plan");
    let launcher = Launcher { qemu: QEMU.into(), helper: HELPER.into() };
    let mut stages = Vec::new();
    let report = run(&plan, init, &launcher, &AtomicBool::new(false), &mut |event| {
        eprintln!("{event:?}");
        if let TryEvent::Reached { stage, .. } = event {
            stages.push(stage);
        }
    });
    (report, stages)
}

fn options(kernel: PathBuf, firmware: FirmwareKind) -> TryOptions {
    TryOptions { kernel: Some(kernel), firmware, accel: AccelChoice::Tcg, time_limit: None }
}

fn sees_its_devices(firmware: FirmwareKind) {
    let Some(kernel) = kernel() else { return };
    let init = std::fs::read(HELPER).expect("the helper");
    let (report, stages) = rehearse(&options(kernel, firmware), &init);
    let report = report.expect("a report");
    eprintln!("{}", serde_json::to_string_pretty(&report).expect("JSON"));
    assert!(report.ok);
    assert_eq!((report.accel, report.firmware, report.devices.len()), (Accel::Tcg, firmware.word(), 2));
    for device in &report.devices {
        assert!(device.bars.iter().all(|bar| bar.start != 0), "{device:?}");
    }
    // The emulated VGA has a ROM, the audio function MSI: both were read in the guest.
    assert!(report.devices[0].rom.as_ref().is_some_and(|rom| rom.signature));
    assert!(report.devices[1].msi);
    assert_eq!(stages.last(), Some(&Stage::Reported));
}

#[test]
fn a_guest_booted_by_ovmf_sees_both_functions_with_their_bars() {
    sees_its_devices(FirmwareKind::Uefi);
}

#[test]
fn a_guest_booted_by_seabios_sees_both_functions_with_their_bars() {
    sees_its_devices(FirmwareKind::Seabios);
}

#[test]
fn a_kvm_that_does_not_work_is_given_up_for_emulation() {
    let Some(kernel) = kernel() else { return };
    let init = std::fs::read(HELPER).expect("the helper");
    // Where KVM works this is the fast way; where it hangs, emulation is what ends in a report.
    let options = TryOptions { accel: AccelChoice::Auto, ..options(kernel, FirmwareKind::Seabios) };
    let (report, _) = rehearse(&options, &init);
    let report = report.expect("a report");
    assert!(report.ok);
    assert_eq!(report.accel == Accel::Tcg, !report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn a_guest_that_dies_and_one_that_hangs_are_told_apart() {
    let Some(kernel) = kernel() else { return };
    let mut options = options(kernel, FirmwareKind::Seabios);
    let (report, _) = rehearse(&options, b"no program");
    let error = report.expect_err("no init");
    assert!(matches!(error, TryError::NoReport { .. }), "{error}");
    assert!(error.to_string().contains("init"), "{error}");
    options.time_limit = Some(Duration::from_millis(500));
    let (report, _) = rehearse(&options, b"no program");
    assert!(matches!(report, Err(TryError::TimeLimit { .. })));
}

#[test]
fn a_trial_that_is_told_to_stop_ends_at_once_and_leaves_no_qemu() {
    let Some(kernel) = kernel() else { return };
    let init = std::fs::read(HELPER).expect("the helper");
    let plan = rehearsal(&testing::facts(), &options(kernel, FirmwareKind::Seabios)).expect("a plan");
    let launcher = Launcher { qemu: QEMU.into(), helper: HELPER.into() };
    let stop = AtomicBool::new(false);
    let report = run(&plan, &init, &launcher, &stop, &mut |_| stop.store(true, Ordering::SeqCst));
    assert!(matches!(report, Err(TryError::Interrupted)), "{report:?}");
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    assert_eq!(children.trim(), "");
}
