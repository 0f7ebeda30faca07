//! One QEMU of a trial: its files, its life, its end.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use passthru_model::guest_report::GuestReport;

use super::watch::Watch;
use super::{TryError, TryEvent, TryPlan};
use crate::machine::Machine;
use crate::qmp::Qmp;
use crate::render;
use crate::run::child::{self, Life, Place};
use crate::run::{Launcher, explain};

/// How often the serial ports are looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// How long firmware may take with KVM before KVM is held to be broken; a few seconds are usual.
const KVM_FIRMWARE: Duration = Duration::from_mins(1);
/// How long a guest that has reported gets to switch itself off.
const GOODBYE: Duration = Duration::from_secs(10);

/// The files of one boot, in a directory that only we enter and that goes with us.
pub(super) struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    pub(super) fn new() -> Result<Self, TryError> {
        let private = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("passthru-try-").permissions(private).tempdir();
        Ok(Self { directory: directory.map_err(|error| TryError::Io(std::env::temp_dir(), error))? })
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Starts QEMU and follows it to the report or to its end.
pub(super) fn boot(
    plan: &TryPlan,
    machine: &Machine,
    memlock: Option<u64>,
    files: &Files,
    launcher: &Launcher,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(TryEvent),
) -> Result<GuestReport, TryError> {
    let (log, console, report) = (files.at("log"), files.at("console"), files.at("report"));
    let at_log = |error| TryError::Io(log.clone(), error);
    let out = File::create(&log).map_err(at_log)?;
    let err = out.try_clone().map_err(at_log)?;
    let place = Place { memlock, ..Place::default() };
    let mut command = child::command(launcher, Life::WithParent, &files.at("process.json"), &place);
    command.args(render::arguments(machine)).stdin(Stdio::null()).stdout(out).stderr(err);
    let mut qemu = Qemu(command.spawn().map_err(|error| TryError::Io(launcher.helper.clone(), error))?);
    let firmware = plan.may_fall_back_from(machine.accel).then_some(KVM_FIRMWARE);
    let mut watch = Watch::new(plan.limit(machine.accel), firmware, &console, &report);
    loop {
        if stop.load(Ordering::SeqCst) {
            return Err(TryError::Interrupted);
        }
        // Whether it runs is asked before its ports are read: what an ended QEMU wrote is all there then.
        let ended = qemu.0.try_wait().map_err(at_log)?;
        if let Some(answer) = watch.look(progress) {
            if answer.is_ok() && !qemu.ends_within(GOODBYE) {
                let _ = Qmp::connect(&machine.qmp, GOODBYE)
                    .and_then(|mut qmp| qmp.execute("quit", None, GOODBYE));
                qemu.ends_within(GOODBYE);
            }
            return answer;
        }
        match ended {
            Some(status) if status.success() => {
                return Err(TryError::NoReport { stage: watch.stage, console: watch.console_end() });
            }
            Some(_) => return Err(died(&log)),
            None => std::thread::sleep(GLANCE),
        }
    }
}

fn died(log: &Path) -> TryError {
    let text = std::fs::read(log).unwrap_or_default();
    let (words, cause) = explain(&String::from_utf8_lossy(&text));
    let words = if words.is_empty() { "it ended without a word".to_owned() } else { words };
    TryError::Qemu { words, cause }
}

/// A QEMU that does not outlive its owner.
struct Qemu(Child);

impl Qemu {
    fn ends_within(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            match self.0.try_wait() {
                Ok(Some(_)) => return true,
                _ if Instant::now() >= deadline => return false,
                _ => std::thread::sleep(GLANCE),
            }
        }
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            let _ = self.0.kill();
            self.ends_within(GOODBYE);
        }
    }
}
