//! A machine of the laboratory: QEMU around it, the guest agent inside it.

pub mod accel;
mod agent;
mod launch;
mod panic;
mod qmp;
pub mod spec;
mod topology;

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::spec::MachineSpec;
use crate::exec::tail;
use crate::target::{Job, LabFault, Output, Target};
pub use agent::Agent;
pub use launch::{Disk, FIRMWARE, FRESH_VARIABLES, Setup, uefi_arguments};
pub use qmp::{Qmp, connect};
pub use topology::arguments as device_arguments;

/// From power-on to an answering agent. An idle machine takes one minute, one that compiles meanwhile took five.
const BOOT_LIMIT: Duration = Duration::from_mins(15);
/// From a saved state to an answering agent; a second or two on an idle machine.
const RESTORE_LIMIT: Duration = Duration::from_mins(1);
/// Changes with every boot of a kernel.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A running lab host. Ends with its owner.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    qmp: Qmp,
    agent: Agent,
    boot_id: String,
    setup: Setup,
    /// Holds the sockets: their paths have to be shorter than those of logs may be.
    _sockets: TempDir,
}

impl Machine {
    /// Starts QEMU; the guest is at its very beginning when this returns.
    pub fn start(setup: Setup) -> Result<Self> {
        let (mut child, sockets) = launch::spawn(&setup)?;
        let limit = Duration::from_secs(20);
        let connected = Qmp::connect(&sockets.path().join("qmp"), limit)
            .and_then(|qmp| Ok((qmp, Agent::connect(&sockets.path().join("agent"))?)));
        match connected {
            Ok((qmp, agent)) => {
                Ok(Self { child, qmp, agent, boot_id: String::new(), setup, _sockets: sockets })
            }
            Err(error) => {
                child.kill().ok();
                child.wait().ok();
                let said = fs::read_to_string(setup.logs.join("qemu.stderr")).unwrap_or_default();
                Err(error).with_context(|| format!("QEMU did not start: {}", tail(&said, 8)))
            }
        }
    }

    /// Starts QEMU and waits until the guest has booted.
    pub fn boot(setup: Setup) -> Result<Self> {
        let mut machine = Self::start(setup)?;
        machine.wait_for_boot()?;
        Ok(machine)
    }

    /// Waits until an agent of another boot than the last known one answers, and udev has bound what it binds.
    pub fn wait_for_boot(&mut self) -> Result<()> {
        let until = Instant::now() + BOOT_LIMIT;
        loop {
            self.alive()?;
            if Instant::now() > until {
                bail!(
                    "no boot within {} seconds; see {}",
                    BOOT_LIMIT.as_secs(),
                    self.setup.logs.join("serial.log").display()
                );
            }
            let answers = self.agent.answers(Duration::from_secs(3));
            if !self.guard(answers)? {
                continue;
            }
            // On the way down the agent still answers, and may stop between two questions.
            match self.agent.run(&Job::new(["cat", BOOT_ID]).limit(Duration::from_secs(20))) {
                Ok(output) if output.stdout.trim() != self.boot_id => {
                    output.stdout.trim().clone_into(&mut self.boot_id);
                    break;
                }
                Ok(_) | Err(_) => thread::sleep(Duration::from_millis(300)),
            }
        }
        // The agent answers before udev has bound drivers.
        self.ask(&["udevadm", "settle", "-t", "180"])?;
        Ok(())
    }

    /// Waits until a restored state runs. No boot is waited for: what was saved had booted.
    pub fn resume(&mut self) -> Result<()> {
        let until = Instant::now() + RESTORE_LIMIT;
        while self.qmp.call("query-status", &Value::Null)?["status"] == "inmigrate" {
            self.alive()?;
            ensure!(Instant::now() < until, "loading the state took too long");
            thread::sleep(Duration::from_millis(50));
        }
        // It was saved stopped, and so it comes back.
        self.qmp.call("cont", &Value::Null)?;
        let answers = self.agent.answers(RESTORE_LIMIT);
        if !self.guard(answers)? {
            bail!("the restored machine does not answer");
        }
        self.ask(&["cat", BOOT_ID])?.trim().clone_into(&mut self.boot_id);
        Ok(())
    }

    /// QEMU's own commands, for snapshots.
    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// Waits until QEMU ends, however long that takes: a person is working in the machine.
    pub fn wait_for_end(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }

    /// Where the processors are, twice with a second between: whether they move at all.
    pub fn processors(&mut self) -> Result<String> {
        let mut said = String::new();
        for round in 0..2 {
            if round > 0 {
                thread::sleep(Duration::from_secs(1));
            }
            let arguments = json!({"command-line": "info registers -a"});
            let text = self.qmp.call("human-monitor-command", &arguments)?;
            said.push_str(text.as_str().unwrap_or_default());
        }
        Ok(said)
    }

    /// Whether the agent has anything to say.
    pub fn answers(&mut self) -> bool {
        self.agent.answers(Duration::from_secs(10)).unwrap_or(false)
    }

    /// Shuts the guest down in order and waits for QEMU's end.
    pub fn power_off(&mut self) -> Result<()> {
        self.agent.start(&Job::new(["systemctl", "poweroff"])).ok();
        let until = Instant::now() + Duration::from_mins(3);
        while Instant::now() < until {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        bail!("the lab host did not shut down within three minutes")
    }

    /// An error of ours whenever QEMU has ended by itself, or has ended the kernel in it; a panic of the kernel's own is none of ours.
    fn alive(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else {
            // Of a console on the caller's terminal there is no log.
            let console = fs::read(self.setup.logs.join("serial.log")).unwrap_or_default();
            if let Some(panic) = panic::find(&String::from_utf8_lossy(&console)) {
                if panic.emulator {
                    return Err(LabFault(format!("the emulator lost a breakpoint: {}", panic.said)).into());
                }
                bail!("the kernel panicked: {}", panic.said);
            }
            let state = self.qmp.call("query-status", &Value::Null)?;
            if state["status"] == "internal-error" {
                return Err(LabFault("the accelerator cannot go on (internal error)".to_owned()).into());
            }
            return Ok(());
        };
        let said = fs::read_to_string(self.setup.logs.join("qemu.stderr")).unwrap_or_default();
        Err(LabFault(format!("QEMU ended with {status}: {}", tail(&said, 4))).into())
    }

    /// Tells a broken connection to a live QEMU from one to a QEMU that has just died.
    fn guard<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            let until = Instant::now() + Duration::from_secs(3);
            while Instant::now() < until {
                self.alive()?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        outcome
    }
}

impl Machine {
    /// The disk that it writes to, where that can be handed to another machine once this one has ended.
    pub fn overlay(&self) -> Option<PathBuf> {
        match &self.setup.disk {
            Disk::Overlay(file) => Some(file.clone()),
            Disk::Raw(_) => None,
        }
    }

    /// Boots again, after its end, as the same machine or another; the console's log of what was before is kept under a name.
    pub fn boot_again(&mut self, spec: MachineSpec, before: &str) -> Result<()> {
        let setup = Setup { spec, incoming: None, ..self.setup.clone() };
        let serial = setup.logs.join("serial.log");
        fs::rename(&serial, setup.logs.join(format!("serial-before-{before}.log")))?;
        *self = Self::boot(setup)?;
        Ok(())
    }

    /// What it is made of.
    pub fn spec(&self) -> &MachineSpec {
        &self.setup.spec
    }

    /// Has the boot loader boot an entry once: GRUB by its id, systemd-boot by the end of its file's name.
    fn once(&mut self, entry: &str) -> Result<()> {
        const ENTRIES: &str = "/boot/efi/loader/entries";
        let found =
            self.run(&Job::new(["find", ENTRIES, "-name", &format!("*-{entry}.conf"), "-printf", "%f"]))?;
        match found.stdout.trim() {
            "" => self.ask(&["grub-reboot", entry]),
            file => self.ask(&["bootctl", "set-oneshot", file]),
        }?;
        Ok(())
    }
}

impl Target for Machine {
    fn run(&mut self, job: &Job) -> Result<Output> {
        let outcome = self.agent.run(job);
        self.guard(outcome)
    }

    fn reboot(&mut self, entry: Option<&str>) -> Result<()> {
        if let Some(entry) = entry {
            self.once(entry)?;
        }
        // The agent dies with the system and may not say that the command went well.
        let started = self.agent.start(&Job::new(["systemctl", "reboot"]));
        self.guard(started)?;
        self.wait_for_boot()
    }

    fn rebuild(&mut self, machine: &str, kernel_args: &[String]) -> Result<()> {
        ensure!(kernel_args.is_empty(), "a distribution takes its command line from its boot loader");
        self.power_off()?;
        self.boot_again(MachineSpec::load(machine)?, machine)
    }

    fn rescue(&mut self, _machine: &str) -> Result<()> {
        bail!("only a scenario has a rescue system for its lab host")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Being killed is fine: the overlay goes with the run, and nothing outside of it was written.
        self.qmp.call("quit", &Value::Null).ok();
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Writes a file inside a machine; the directory has to be there.
pub fn put(target: &mut dyn Target, path: &str, content: &[u8], mode: &str) -> Result<()> {
    let output = target.run(&Job::new(["dd", "status=none", &format!("of={path}")]).input(content))?;
    if output.code != 0 {
        bail!("cannot write {path}: {}", json!(output.stderr));
    }
    target.ask(&["chmod", mode, path])?;
    Ok(())
}
