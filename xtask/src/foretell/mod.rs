//! Foretold groups against those of a real kernel, on random machines.

mod random;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::exec::Run;
use crate::fast::Machine;
use crate::machine::spec::{Iommu, MachineSpec};
use crate::paths;
use crate::scenario::predicted::{self, Agreement};
use crate::scenario::run::Lab;
use crate::target::{Job, Output, Target, persevere};
use crate::ui::seconds;

/// What to try.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// At least so many machines.
    pub machines: usize,
    /// Where the numbers begin.
    pub seed: u64,
    /// Foretells each machine's groups while its IOMMU is off, and compares after another boot.
    pub off: bool,
}

/// What came of all of it.
#[derive(Debug, Default)]
struct Tally {
    machines: usize,
    boots: usize,
    functions: usize,
    virtual_functions: usize,
    groups: usize,
    wrong: Vec<String>,
}

/// Boots random machines until there were enough, Intel's and AMD's IOMMU in turn, and compares every group.
///
/// A machine is one tree: a slot of a root bus with all that is below it, whose groups nothing outside of it can change.
/// Many are in one boot.
pub fn run(lab: &Lab, trial: Trial) -> Result<ExitCode> {
    let begun = Instant::now();
    let virtual_functions = has_virtual_functions()?;
    let mut tally = Tally::default();
    let mut seed = trial.seed;
    while tally.machines < trial.machines {
        let iommu = if seed.is_multiple_of(2) { Iommu::Intel } else { Iommu::Amd };
        let (spec, trees) = random::machine(seed, iommu, virtual_functions);
        let outcome = persevere(&lab.ui, || once(lab, &spec, seed, trial.off));
        let (agreement, more) = outcome.with_context(|| format!("seed {seed}"))?;
        lab.ui.say(&format!(
            "seed {seed}, {iommu:?}: {trees} machines, {} functions in {} groups, {} wrong",
            agreement.functions,
            agreement.groups,
            agreement.wrong.len()
        ));
        tally.boots += 1;
        tally.machines += trees;
        tally.functions += agreement.functions;
        tally.virtual_functions += more;
        tally.groups += agreement.groups;
        tally.wrong.extend(agreement.wrong.into_iter().map(|line| format!("seed {seed}: {line}")));
        seed += 1;
    }
    for line in &tally.wrong {
        println!("{line}");
    }
    println!(
        "foretell: {} machines in {} boots, {} functions ({} of them virtual) in {} groups, {} wrong, {}",
        tally.machines,
        tally.boots,
        tally.functions,
        tally.virtual_functions,
        tally.groups,
        tally.wrong.len(),
        seconds(begun.elapsed())
    );
    Ok(if tally.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One boot: foretold groups against the kernel's, and the number of virtual functions among them.
///
/// Where `off` is asked for, what is compared was foretold in a boot before, with the IOMMU turned off. Virtual functions
/// stay off in both: the driver that makes them does not always come up under an emulated IOMMU, and what is in one boot has
/// to be in the other.
fn once(lab: &Lab, spec: &MachineSpec, seed: u64, off: bool) -> Result<(Agreement, usize)> {
    let before = if off {
        let parameter = if matches!(spec.iommu, Iommu::Amd) { "amd_iommu=off" } else { "intel_iommu=off" };
        let spec = MachineSpec { kernel_args: vec![parameter.to_owned()], ..spec.clone() };
        let mut machine = boot(lab, &spec, &format!("foretell-{seed}-off"))?;
        Some(predicted::foretold(&foretell(&mut machine)?)?)
    } else {
        None
    };
    let mut machine = boot(lab, spec, &format!("foretell-{seed}"))?;
    let more = if off { 0 } else { turn_on_virtual_functions(&mut machine)? };
    let foretold = match before {
        Some(foretold) => foretold,
        None => predicted::foretold(&foretell(&mut machine)?)?,
    };
    Ok((predicted::compare(&mut machine, &foretold)?, more))
}

fn boot(lab: &Lab, spec: &MachineSpec, name: &str) -> Result<Machine> {
    Machine::boot(spec, lab.kit(), &paths::fresh_logs(name)?)
}

fn foretell(machine: &mut Machine) -> Result<Output> {
    machine.run(&Job::new(["passthru", "groups", "--predict", "--json"]))
}

/// Whether this QEMU has a controller with virtual functions.
fn has_virtual_functions() -> Result<bool> {
    let output = Run::new("qemu-system-x86_64").args(["-device", "nvme,help"]).stdout()?;
    Ok(output.contains("sriov_max_vfs"))
}

/// Turns virtual functions on wherever a function has some; says how many there are then.
fn turn_on_virtual_functions(machine: &mut Machine) -> Result<usize> {
    const SCRIPT: &str = "modprobe nvme 2>/dev/null; n=0
for total in /sys/bus/pci/devices/*/sriov_totalvfs; do
    [ -e $total ] || continue
    cat $total > ${total%totalvfs}numvfs
done
for link in /sys/bus/pci/devices/*/physfn; do [ -e $link ] && n=$((n + 1)); done
echo $n";
    let said = machine.ask(&["sh", "-c", SCRIPT])?;
    said.trim().parse().with_context(|| format!("not a number of virtual functions: {said:?}"))
}
