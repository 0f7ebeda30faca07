//! Carrying out a trial.

use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use passthru_model::PciFunction;
use passthru_model::guest_report::GuestReport;

use super::watch::Watch;
use super::{
    Expected, HostRom, Stage, TRY_SCHEMA, TryError, TryEvent, TryPlan, TryReport, initramfs, judge, rom,
};
use crate::accel::Accel;
use crate::entry::TINY_GUEST;
use crate::machine::{Backing, Boot, Clock, DirectKernel, DiskBus, GuestSlot, Machine, Serial};
use crate::qmp::Qmp;
use crate::render;
use crate::run::child::{self, Life};
use crate::run::{Launcher, copy_once, explain, limit_for, memlock_needed};
use crate::size::MemorySize;

/// Enough for OVMF and a distribution's kernel, little enough to be pinned anywhere.
const MEMORY_MIB: u64 = 512;
/// How often the serial ports are looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// How long firmware may take with KVM before KVM is held to be broken; a few seconds are usual.
const KVM_FIRMWARE: Duration = Duration::from_mins(1);
/// How long a guest that has reported gets to switch itself off.
const GOODBYE: Duration = Duration::from_secs(10);

/// Runs a trial. `init` is the program that becomes `/init`: a static one that calls [`crate::entry::enter`].
///
/// Returns when QEMU has ended, whatever became of it; QEMU also ends when this thread does.
pub fn run(
    plan: &TryPlan,
    init: &[u8],
    launcher: &Launcher,
    progress: &mut dyn FnMut(TryEvent),
) -> Result<TryReport, TryError> {
    plan.notes.iter().for_each(|note| progress(TryEvent::Note(note.clone())));
    // The kernel's image is looked at first: it is often for root alone, and QEMU's words about it are poor.
    File::open(&plan.kernel).map_err(|error| TryError::Io(plan.kernel.clone(), error))?;
    let started = Instant::now();
    let roms: Vec<HostRom> = plan.functions.iter().map(|function| host_rom(plan, function)).collect();
    let mut notes = plan.notes.clone();
    let first = once(plan, plan.accel, init, launcher, progress);
    let (accel, report) = match first.as_ref().err().and_then(|error| kvm_fault(plan, error)) {
        Some(fault) => {
            let note = format!("{fault}; the guest is emulated, which takes some minutes");
            progress(TryEvent::Note(note.clone()));
            notes.push(note);
            (Accel::Tcg, once(plan, Accel::Tcg, init, launcher, progress)?)
        }
        None => (plan.accel, first?),
    };
    Ok(conclude(plan, accel, &roms, &report, started.elapsed(), notes))
}

fn host_rom(plan: &TryPlan, function: &PciFunction) -> HostRom {
    match (plan.rehearsal, function.has_rom) {
        (_, false) => HostRom::None,
        (true, true) => rom::of_bytes(&rom::stand_in(function.id)),
        (false, true) => rom::of_host(function),
    }
}

/// The slots of the machine: in a rehearsal, the devices with a ROM get one.
fn slots(plan: &TryPlan, files: &Files) -> Result<Vec<GuestSlot>, TryError> {
    let mut slots = plan.slots.clone();
    let placed = slots.iter_mut().flat_map(|slot| &mut slot.functions);
    for (placed, function) in placed.zip(&plan.functions) {
        if let Backing::Emulated(device) = &mut placed.backing
            && function.has_rom
        {
            let path = files.at("rom");
            std::fs::write(&path, rom::stand_in(function.id))
                .map_err(|error| TryError::Io(path.clone(), error))?;
            let _ = write!(device, ",romfile={}", render::escape(&path.to_string_lossy()));
        }
    }
    Ok(slots)
}

/// Whether a failed trial is KVM's fault and emulation may be tried, in words. A KVM inside another hypervisor may be
/// there, open, and not run a single instruction.
fn kvm_fault(plan: &TryPlan, error: &TryError) -> Option<String> {
    match error {
        _ if !may_fall_back(plan, plan.accel) => None,
        TryError::Qemu { words, .. } if words.to_ascii_lowercase().contains("kvm") => {
            Some(format!("KVM failed ({words})"))
        }
        TryError::TimeLimit { stage: Stage::Firmware, limit, .. } => Some(format!(
            "with KVM the firmware did not get to the kernel within {} seconds",
            limit.as_secs()
        )),
        _ => None,
    }
}

fn may_fall_back(plan: &TryPlan, accel: Accel) -> bool {
    plan.may_fall_back && accel == Accel::Kvm
}

/// Judges what came back.
fn conclude(
    plan: &TryPlan,
    accel: Accel,
    roms: &[HostRom],
    report: &GuestReport,
    took: Duration,
    notes: Vec<String>,
) -> TryReport {
    let expected =
        plan.functions.iter().zip(roms).map(|(function, rom)| Expected { function, rom: rom.clone() });
    let devices = judge(&plan.slots, &expected.collect::<Vec<_>>(), report);
    let mut reasons = Vec::new();
    if plan.uefi.is_some() != report.uefi {
        let by = if report.uefi { "UEFI" } else { "no UEFI" };
        reasons.push(format!("the guest was to be booted by {}, and saw {by}", plan.firmware_word()));
    }
    TryReport {
        schema: TRY_SCHEMA,
        ok: reasons.is_empty() && devices.iter().all(|device| device.ok),
        devices,
        seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
        firmware: plan.firmware_word(),
        accel,
        kernel: report.kernel.clone(),
        rehearsal: plan.rehearsal,
        reasons,
        notes,
    }
}

/// The files of one boot, in a directory that only we enter and that goes with us.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Result<Self, TryError> {
        let private = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("passthru-try-").permissions(private).tempdir();
        Ok(Self { directory: directory.map_err(|error| TryError::Io(std::env::temp_dir(), error))? })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// One boot.
fn once(
    plan: &TryPlan,
    accel: Accel,
    init: &[u8],
    launcher: &Launcher,
    progress: &mut dyn FnMut(TryEvent),
) -> Result<GuestReport, TryError> {
    let files = Files::new()?;
    let archive = files.at("initramfs");
    let written = initramfs::build(init).and_then(|bytes| std::fs::write(&archive, bytes));
    written.map_err(|error| TryError::Io(archive.clone(), error))?;
    let mut machine = machine(plan, accel, &files, archive)?;
    let limit = if plan.rehearsal { None } else { limit_for(memlock_needed(machine.memory))? };
    progress(TryEvent::Starting { accel, firmware: plan.firmware_word() });
    match boot(plan, &machine, limit, &files, launcher, progress) {
        // A QEMU that was built without seccomp refuses the option; then it runs without.
        Err(TryError::Qemu { words, .. }) if words.contains("sandbox") => {
            machine.sandbox = false;
            boot(plan, &machine, limit, &files, launcher, progress)
        }
        other => other,
    }
}

/// The tiny machine.
fn machine(plan: &TryPlan, accel: Accel, files: &Files, initramfs: PathBuf) -> Result<Machine, TryError> {
    let boot = match &plan.uefi {
        None => Boot::Seabios,
        Some(uefi) => {
            let vars = files.at("vars");
            copy_once(&uefi.template, &vars, &uefi.format)
                .map_err(|error| TryError::NoFirmware(error.to_string()))?;
            Boot::Uefi { code: uefi.code.clone(), vars, format: uefi.format.clone() }
        }
    };
    let expected = plan.functions.len();
    Ok(Machine {
        name: "passthru-try".to_owned(),
        accel,
        cpus: 1,
        memory: MemorySize::from_mib(MEMORY_MIB)
            .unwrap_or_else(|| unreachable!("a constant amount of memory")),
        boot,
        kernel: Some(DirectKernel {
            image: plan.kernel.clone(),
            initramfs,
            // A panic ends the guest at once instead of hanging until the time limit. No driver is loaded, so nothing
            // but firmware and kernel has touched the device when it is looked at.
            command_line: format!(
                "console=ttyS0 loglevel=6 panic=-1 rdinit=/init -- {TINY_GUEST} {expected}"
            ),
        }),
        disks: Vec::new(),
        disk_bus: DiskBus::Virtio,
        media: Vec::new(),
        slots: slots(plan, files)?,
        vnc: None,
        serials: vec![Serial::File(files.at("console")), Serial::File(files.at("report"))],
        qmp: files.at("qmp"),
        clock: Clock::Utc,
        no_reboot: true,
        paused: false,
        sandbox: true,
    })
}

/// Starts QEMU and follows it to the report or to its end.
fn boot(
    plan: &TryPlan,
    machine: &Machine,
    memlock: Option<u64>,
    files: &Files,
    launcher: &Launcher,
    progress: &mut dyn FnMut(TryEvent),
) -> Result<GuestReport, TryError> {
    let (log, console, report) = (files.at("log"), files.at("console"), files.at("report"));
    let at_log = |error| TryError::Io(log.clone(), error);
    let out = File::create(&log).map_err(at_log)?;
    let err = out.try_clone().map_err(at_log)?;
    let mut command = child::command(launcher, Life::WithParent, &files.at("process.json"), memlock);
    command.args(render::arguments(machine)).stdin(Stdio::null()).stdout(out).stderr(err);
    let mut qemu = Qemu(command.spawn().map_err(|error| TryError::Io(launcher.helper.clone(), error))?);
    let firmware = may_fall_back(plan, machine.accel).then_some(KVM_FIRMWARE);
    let mut watch = Watch::new(plan.limit(machine.accel), firmware, &console, &report);
    loop {
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
