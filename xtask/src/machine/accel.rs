//! Which accelerator QEMU uses on this machine. The presence of `/dev/kvm` says little: some clouds have one that runs nothing.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use super::{FIRMWARE, FRESH_VARIABLES};
use crate::exec;

/// What the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// KVM if it really runs a guest, and TCG otherwise.
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Emulation, which is slower and works everywhere.
    Tcg,
}

/// What is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// Hardware virtualisation.
    Kvm,
    /// Emulation.
    Tcg,
}

impl Accel {
    /// Settles what is used.
    pub fn choose(wanted: Wanted) -> Result<Self> {
        match wanted {
            Wanted::Tcg => Ok(Self::Tcg),
            Wanted::Kvm if !kvm_runs() => bail!("KVM was asked for, and a trial guest did not run with it"),
            Wanted::Kvm => Ok(Self::Kvm),
            Wanted::Auto => Ok(if kvm_runs() { Self::Kvm } else { Self::Tcg }),
        }
    }

    /// QEMU's word for it.
    pub fn argument(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi",
        }
    }
}

/// Whether the firmware that lab hosts use gets to its boot manager with KVM. Less than that proves little: there
/// are machines whose KVM runs a few instructions and stops at the first one of the floating point unit.
fn kvm_runs() -> bool {
    if !Path::new("/dev/kvm").exists() || OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err()
    {
        return false;
    }
    trial().unwrap_or(false)
}

fn trial() -> Result<bool> {
    let dir = tempfile::tempdir()?;
    let (serial, said) = (dir.path().join("serial"), dir.path().join("stderr"));
    let program = exec::find("qemu-system-x86_64").context("qemu-system-x86_64 is not installed")?;
    let mut child = Command::new(program)
        .args(["-machine", "q35,kernel-irqchip=split", "-accel", "kvm", "-cpu", "max", "-m", "256M"])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
        .args(["-drive", &format!("if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}")])
        .args(["-drive", &format!("if=pflash,unit=1,format=raw,snapshot=on,file={FRESH_VARIABLES}")])
        .arg("-serial")
        .arg(format!("file:{}", serial.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said)?)
        .spawn()?;
    let until = Instant::now() + Duration::from_secs(15);
    let has = |file: &Path, word: &str| {
        fs::read(file).is_ok_and(|text| String::from_utf8_lossy(&text).contains(word))
    };
    let runs = loop {
        // With nothing to boot from, OVMF's boot manager says so on the serial port.
        if has(&serial, "BdsDxe") {
            break true;
        }
        if has(&said, "KVM internal error") || child.try_wait()?.is_some() || Instant::now() > until {
            break false;
        }
        thread::sleep(Duration::from_millis(50));
    };
    child.kill().ok();
    child.wait()?;
    Ok(runs)
}
