//! Carrying out a trial.

use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use passthru_model::PciFunction;
use passthru_model::guest_report::GuestReport;

use super::boot::{Files, boot};
use super::{
    Expected, HostRom, Stage, TRY_SCHEMA, TryError, TryEvent, TryPlan, TryReport, initramfs, judge, rom,
};
use crate::accel::Accel;
use crate::entry::TINY_GUEST;
use crate::machine::{
    Attachment, Backing, Binder, Boot, Cpu, DirectKernel, GuestSlot, HyperV, Machine, MemorySource, Serial,
    Timers,
};
use crate::render;
use crate::run::{Launcher, copy_once, limit_for, memlock_needed};
use crate::size::MemorySize;
use crate::spec::{ClockBase, DiskBus, Os};

/// Enough for OVMF and a distribution's kernel, little enough to be pinned anywhere.
const MEMORY_MIB: u64 = 512;

/// Runs a trial. `init` is the program that becomes `/init`: a static one that calls [`crate::entry::enter`].
///
/// Returns when QEMU has ended, whatever became of it; QEMU also ends when this thread does. Once `stop` is set, by a
/// signal for example, QEMU is ended and the files of the trial go with it.
pub fn run(
    plan: &TryPlan,
    init: &[u8],
    launcher: &Launcher,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(TryEvent),
) -> Result<TryReport, TryError> {
    plan.notes.iter().for_each(|note| progress(TryEvent::Note(note.clone())));
    // The kernel's image is looked at first: it is often for root alone, and QEMU's words about it are poor.
    File::open(&plan.kernel).map_err(|error| TryError::Io(plan.kernel.clone(), error))?;
    let started = Instant::now();
    let roms: Vec<HostRom> = plan.functions.iter().map(|function| host_rom(plan, function)).collect();
    let mut notes = plan.notes.clone();
    let first = once(plan, plan.accel, init, launcher, stop, progress);
    let (accel, report) = match first.as_ref().err().and_then(|error| kvm_fault(plan, error)) {
        Some(fault) => {
            let note = format!("{fault}; the guest is emulated, which takes some minutes");
            progress(TryEvent::Note(note.clone()));
            notes.push(note);
            (Accel::Tcg, once(plan, Accel::Tcg, init, launcher, stop, progress)?)
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
        _ if !plan.may_fall_back_from(plan.accel) => None,
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

/// One boot.
fn once(
    plan: &TryPlan,
    accel: Accel,
    init: &[u8],
    launcher: &Launcher,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(TryEvent),
) -> Result<GuestReport, TryError> {
    let files = Files::new()?;
    let archive = files.at("initramfs");
    let written = initramfs::build(init).and_then(|bytes| std::fs::write(&archive, bytes));
    written.map_err(|error| TryError::Io(archive.clone(), error))?;
    let mut machine = machine(plan, accel, &files, archive)?;
    let limit = if plan.rehearsal { None } else { limit_for(memlock_needed(machine.memory))? };
    progress(TryEvent::Starting { accel, firmware: plan.firmware_word() });
    match boot(plan, &machine, limit, &files, launcher, stop, progress) {
        // A QEMU that was built without seccomp refuses the option; then it runs without.
        Err(TryError::Qemu { words, .. }) if words.contains("sandbox") => {
            machine.sandbox = false;
            boot(plan, &machine, limit, &files, launcher, stop, progress)
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
            let (code, template) = (uefi.code.clone(), uefi.template.clone());
            Boot::Uefi { code, template, vars, format: uefi.format.clone(), secure_boot: uefi.secure_boot }
        }
    };
    let expected = plan.functions.len();
    Ok(Machine {
        name: "passthru-try".to_owned(),
        os: Os::Linux,
        accel,
        cpu: Cpu::plain(1),
        memory: MemorySize::from_mib(MEMORY_MIB)
            .unwrap_or_else(|| unreachable!("a constant amount of memory")),
        memory_source: MemorySource::default(),
        hyper_v: HyperV::default(),
        timers: Timers::plain(ClockBase::Utc),
        mmio_window: None,
        boot,
        kernel: Some(DirectKernel {
            image: plan.kernel.clone(),
            initramfs,
            // A panic ends the guest at once instead of hanging until the time limit. No driver is loaded, so nothing
            // but firmware and kernel has touched the device when it is looked at. The kernel's self-tests of its
            // ciphers say nothing about the device and take long where the guest is emulated.
            command_line: format!(
                "console=ttyS0 loglevel=6 panic=-1 cryptomgr.notests rdinit=/init -- {TINY_GUEST} {expected}"
            ),
        }),
        disks: Vec::new(),
        storage: Attachment { bus: DiskBus::VirtioBlk, queues: None, io_thread: false },
        media: Vec::new(),
        slots: slots(plan, files)?,
        binder: Binder::Libvirt,
        network: None,
        picture: None,
        usb: Vec::new(),
        inputs: Vec::new(),
        audio: None,
        shared: None,
        tpm: None,
        serials: vec![Serial::File(files.at("console")), Serial::File(files.at("report"))],
        qmp: files.at("qmp"),
        no_reboot: true,
        paused: false,
        run_as: None,
        sandbox: true,
    })
}
