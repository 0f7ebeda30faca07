//! A lab host and its rescue system, which is a fast machine with the host's disk: one of them runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::fast;
use crate::machine::Machine;
use crate::machine::spec::MachineSpec;
use crate::target::{Job, Output, Target};

/// The two of them.
#[derive(Debug)]
pub(super) struct Rescuable {
    host: Machine,
    rescue: Option<fast::Machine>,
    kit: fast::Kit,
    logs: PathBuf,
}

impl Rescuable {
    /// A running lab host, and what its rescue system would be made of.
    pub(super) fn new(host: Machine, kit: fast::Kit, logs: &Path) -> Self {
        Self { host, rescue: None, kit, logs: logs.join("rescue") }
    }

    /// The lab host, where it is what runs.
    pub(super) fn machine(&mut self) -> Option<&mut Machine> {
        self.rescue.is_none().then_some(&mut self.host)
    }
}

impl Target for Rescuable {
    fn run(&mut self, job: &Job) -> Result<Output> {
        match &mut self.rescue {
            Some(rescue) => rescue.run(job),
            None => self.host.run(job),
        }
    }

    fn reboot(&mut self, entry: Option<&str>) -> Result<()> {
        let Some(rescue) = self.rescue.take() else { return self.host.reboot(entry) };
        ensure!(entry.is_none(), "a rescue system does not choose an entry of the boot menu");
        rescue.end()?;
        self.host.boot_again(self.host.spec().clone(), "rescue")
    }

    fn rescue(&mut self, machine: &str) -> Result<()> {
        ensure!(self.rescue.is_none(), "the rescue system runs already");
        let spec = MachineSpec::load(machine)?;
        ensure!(spec.disk, "the machine {machine} has no disk");
        self.host.power_off()?;
        let disk = self.host.overlay().context("the lab host writes to its image")?;
        std::fs::create_dir_all(&self.logs)?;
        let kit = fast::Kit { disk: Some(disk), ..self.kit.clone() };
        self.rescue = Some(fast::Machine::boot(&spec, kit, &self.logs)?);
        Ok(())
    }

    fn rebuild(&mut self, machine: &str, kernel_args: &[String]) -> Result<()> {
        ensure!(self.rescue.is_none(), "reboot from the rescue system first");
        self.host.rebuild(machine, kernel_args)
    }
}
