//! A lab host in its plain state: booted once for each kind of machine, and restored from then on.
//!
//! A restored machine is a running one: whatever goes wrong with saving or restoring, booting does as well.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::exec::Run;
use crate::image::{Image, hex};
use crate::machine::accel::Accel;
use crate::machine::spec::{Iommu, MachineSpec};
use crate::machine::{Disk, FIRMWARE, Machine, Setup};
use crate::payload::Payload;
use crate::target::Target;
use crate::ui::Ui;

/// To be raised when the command line of lab hosts changes: a saved state fits only the very same machine.
const VERSION: u32 = 1;

/// What it takes to have lab hosts.
#[derive(Debug)]
pub struct Hosts<'a> {
    /// The clock and the printer.
    pub ui: &'a Ui,
    /// The accelerator.
    pub accel: Accel,
    /// What they boot from.
    pub image: &'a Image,
    /// The program under test.
    pub payload: &'a Payload,
    /// Whether saved states are used.
    pub snapshots: bool,
}

impl Hosts<'_> {
    /// A lab host in its plain state with the program under test in it; `scratch` holds its disk.
    pub fn plain(&self, spec: &MachineSpec, logs: &Path, scratch: &Path) -> Result<Machine> {
        // QEMU has no way to save an emulated AMD-Vi, and a saved state of KVM is bound to its processor.
        let can = self.snapshots && self.accel == Accel::Tcg && spec.iommu != Iommu::Amd;
        let mut machine = match if can { self.restored(spec, logs, scratch) } else { Ok(None) } {
            Ok(Some(machine)) => machine,
            Ok(None) => self.booted(spec, logs, scratch)?,
            Err(error) => {
                self.ui.say(&format!("no restored state ({error:#}): booting instead"));
                self.booted(spec, logs, scratch)?
            }
        };
        Payload::install(&mut machine)?;
        Ok(machine)
    }

    /// A machine at its power-on whose serial console is the caller's terminal.
    pub fn terminal(&self, spec: &MachineSpec, logs: &Path, scratch: &Path) -> Result<Machine> {
        let mut setup =
            self.setup(spec, logs, scratch, &self.image.disk(), "raw", &self.image.variables())?;
        setup.terminal = true;
        Machine::start(setup)
    }

    fn booted(&self, spec: &MachineSpec, logs: &Path, scratch: &Path) -> Result<Machine> {
        let setup = self.setup(spec, logs, scratch, &self.image.disk(), "raw", &self.image.variables())?;
        self.ui.timed("boot", || Machine::boot(setup))
    }

    fn setup(
        &self,
        spec: &MachineSpec,
        logs: &Path,
        scratch: &Path,
        base: &Path,
        format: &str,
        variables: &Path,
    ) -> Result<Setup> {
        let own = scratch.join("variables.fd");
        fs::copy(variables, &own)?;
        Ok(Setup {
            spec: spec.clone(),
            accel: self.accel,
            disk: Disk::over(base, format, scratch)?,
            variables: own,
            payload: Some(self.payload.disk().to_owned()),
            logs: logs.to_owned(),
            incoming: None,
            terminal: false,
        })
    }

    fn restored(&self, spec: &MachineSpec, logs: &Path, scratch: &Path) -> Result<Option<Machine>> {
        let Some(saved) = self.saved(spec)? else { return Ok(None) };
        let disk = saved.join("disk.qcow2");
        let mut setup = self.setup(spec, logs, scratch, &disk, "qcow2", &saved.join("variables.fd"))?;
        setup.incoming = Some(saved.join("state.zst"));
        fs::copy(saved.join("serial.log"), logs.join("serial-boot.log"))?;
        self.ui.timed("restore the booted state", || {
            let mut machine = Machine::start(setup)?;
            machine.resume()?;
            // It believes in the time at which it was saved.
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            machine.ask(&["date", "-s", &format!("@{now}")])?;
            Ok(Some(machine))
        })
    }

    /// The directory of the saved state for this machine, made now if there is none; `None`: it has devices that QEMU cannot save.
    fn saved(&self, spec: &MachineSpec) -> Result<Option<PathBuf>> {
        let store = self.image.snapshots();
        fs::create_dir_all(&store)?;
        let dir = store.join(self.key(spec)?);
        let lock = File::create(store.join("lock"))?;
        lock.lock()?;
        if !dir.exists() {
            if let Some(why) = self.unsavable(spec, &store)? {
                self.ui.say(&format!("no saved state is used, for QEMU has none of this machine ({why})"));
                return Ok(None);
            }
            self.ui.timed("save the booted state for later runs", || self.save(spec, &store, &dir))?;
        }
        Ok(Some(dir))
    }

    /// Why QEMU could not save this machine, which it knows before anything boots.
    fn unsavable(&self, spec: &MachineSpec, store: &Path) -> Result<Option<String>> {
        let scratch = tempfile::Builder::new().prefix("asking-").tempdir_in(store)?;
        let (disk, variables) = (self.image.disk(), self.image.variables());
        let setup = self.setup(spec, scratch.path(), scratch.path(), &disk, "raw", &variables)?;
        let told = Machine::start(setup)?.qmp().call("query-migrate", &json!(null))?;
        let reasons: Vec<&str> =
            told["blocked-reasons"].as_array().into_iter().flatten().filter_map(|why| why.as_str()).collect();
        Ok((!reasons.is_empty()).then(|| reasons.join(", ")))
    }

    fn key(&self, spec: &MachineSpec) -> Result<String> {
        let qemu = Run::new("qemu-system-x86_64").arg("--version").stdout()?;
        let firmware = fs::metadata(FIRMWARE)?.modified()?;
        // Not the description: words do not make another machine.
        let spec = MachineSpec { description: String::new(), ..spec.clone() };
        let parts = (VERSION, self.image.key(), serde_json::to_string(&spec)?, qemu, firmware);
        Ok(hex(&Sha256::digest(format!("{parts:?}")))[..16].to_owned())
    }

    fn save(&self, spec: &MachineSpec, store: &Path, dir: &Path) -> Result<()> {
        let scratch = tempfile::Builder::new().prefix("saving-").tempdir_in(store)?;
        let (run, made) = (scratch.path().join("run"), scratch.path().join("made"));
        fs::create_dir(&run)?;
        fs::create_dir(&made)?;
        let mut machine = self.booted(spec, &made, &run)?;
        machine.ask(&["sync"])?;
        let state = made.join("state.zst").display().to_string();
        ensure!(!state.contains(['\'', '\n']), "the cache's path must not contain quotes");
        let qmp = machine.qmp();
        qmp.call("stop", &json!(null))?;
        qmp.call("migrate", &json!({ "uri": format!("exec:zstd -q -3 -T0 > '{state}'") }))?;
        let until = Instant::now() + Duration::from_mins(3);
        loop {
            let told = qmp.call("query-migrate", &json!(null))?;
            match told["status"].as_str() {
                Some("completed") => break,
                Some("failed" | "cancelled") => {
                    bail!("QEMU could not save its state: {}", told["error-desc"])
                }
                _ if Instant::now() > until => bail!("saving took more than three minutes"),
                _ => thread::sleep(Duration::from_millis(200)),
            }
        }
        // The stopped machine has let go of its files: only its end makes them whole for sure.
        drop(machine);
        for file in ["disk.qcow2", "variables.fd"] {
            fs::rename(run.join(file), made.join(file)).with_context(|| format!("cannot keep {file}"))?;
        }
        fs::rename(&made, dir)?;
        Ok(())
    }
}
