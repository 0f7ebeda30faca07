//! Running scenarios: the machines for them, the steps on each, one line of outcome a step.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::rescue::Rescuable;
use super::steps::Stage;
use super::{Scenario, Size, Step};
use crate::host::Hosts;
use crate::image::{Image, Variant};
use crate::machine::Machine;
use crate::machine::accel::Accel;
use crate::machine::spec::MachineSpec;
use crate::payload::Payload;
use crate::target::{Job, Target, persevere};
use crate::ui::Ui;
use crate::{fast, paths};

/// What all scenarios of one call have in common.
#[derive(Debug)]
pub struct Lab {
    /// The clock and the printer.
    pub ui: Ui,
    /// The accelerator.
    pub accel: Accel,
    /// The lab host.
    pub image: Image,
    /// What is under test.
    pub payload: Payload,
    /// Shows what the programs print.
    pub talkative: bool,
    /// Whether saved states of lab hosts are used.
    pub snapshots: bool,
}

/// How long each part of a scenario took: its headings in order.
pub type Parts = Vec<(String, Duration)>;

impl Lab {
    /// Runs a scenario on all of its machines; faults of the laboratory get it more tries.
    pub fn run(&self, scenario: &Scenario) -> Result<Parts> {
        let mut parts = Parts::new();
        for machine in &scenario.machines {
            let label = if scenario.machines.len() == 1 {
                scenario.name.clone()
            } else {
                format!("{}/{machine}", scenario.name)
            };
            self.ui.say(&format!("scenario {label}"));
            let outcome = persevere(&self.ui, || self.once(scenario, machine, &label));
            parts.extend(outcome.with_context(|| {
                format!("scenario {label}; logs: {}", paths::target().join("lab").join(&label).display())
            })?);
        }
        Ok(parts)
    }

    fn once(&self, scenario: &Scenario, machine: &str, label: &str) -> Result<Parts> {
        let logs = paths::fresh_logs(label)?;
        let spec = MachineSpec::load(machine)?;
        match scenario.size {
            Size::Distribution => {
                let scratch = tempfile::Builder::new().prefix("run-").tempdir_in(paths::cache()?)?;
                let other = match scenario.image {
                    Variant::Plain => None,
                    variant => Some(Image::ready(&self.ui, self.accel, variant)?),
                };
                let hosts = Hosts { image: other.as_ref().unwrap_or(&self.image), ..self.hosts() };
                let mut host = Rescuable::new(hosts.plain(&spec, &logs, scratch.path())?, self.kit(), &logs);
                let outcome = self.steps(scenario, &mut host, &logs);
                if outcome.is_err()
                    && let Some(machine) = host.machine()
                {
                    evidence(machine, &logs);
                }
                outcome
            }
            Size::Fast => {
                let begun = Instant::now();
                let mut machine = fast::Machine::boot(&spec, self.kit(), &logs)?;
                self.ui.done("ok", begun.elapsed(), "boot");
                self.steps(scenario, &mut machine, &logs)
            }
        }
    }

    /// What it takes to have fast machines.
    pub fn kit(&self) -> fast::Kit {
        let binary = self.payload.binary().to_owned();
        fast::Kit { accel: self.accel, image: self.image.clone(), binary, disk: None }
    }

    /// What it takes to have lab hosts.
    pub fn hosts(&self) -> Hosts<'_> {
        Hosts {
            ui: &self.ui,
            accel: self.accel,
            image: &self.image,
            payload: &self.payload,
            snapshots: self.snapshots,
        }
    }

    fn steps(&self, scenario: &Scenario, target: &mut dyn Target, logs: &Path) -> Result<Parts> {
        let mut stage =
            Stage { logs: logs.to_owned(), talkative: self.talkative, manifests: BTreeMap::new(), number: 0 };
        let mut parts = Parts::new();
        for step in &scenario.step {
            if let Some(heading) = &step.say {
                self.ui.say(&format!("--- {heading}"));
                parts.push((heading.clone(), Duration::ZERO));
            }
            let begun = Instant::now();
            let outcome = stage.perform(target, step);
            let took = begun.elapsed();
            if let Some((_, part)) = parts.last_mut() {
                *part += took;
            }
            let title = title(step);
            match &outcome {
                Ok(note) if note.is_empty() => self.ui.done("ok", took, &title),
                Ok(note) => self.ui.done("ok", took, &format!("{title}: {note}")),
                Err(error) => self.ui.done("FAIL", took, &format!("{title}\n{error:#}")),
            }
            outcome.with_context(|| format!("step {}: {title}", stage.number))?;
        }
        Ok(parts)
    }
}

/// What a failed lab host can still tell; of one whose agent is silent, only where its processors are.
fn evidence(machine: &mut Machine, logs: &Path) {
    if let Ok(text) = machine.processors() {
        fs::write(logs.join("end-processors.log"), text).ok();
    }
    if !machine.answers() {
        return;
    }
    let questions: [(&str, &[&str]); 5] = [
        ("end-kernel.log", &["dmesg"]),
        ("end-journal.log", &["journalctl", "-b", "--no-pager"]),
        ("end-pci.log", &["lspci", "-nnk"]),
        ("end-cmdline.log", &["cat", "/proc/cmdline", "/etc/default/grub"]),
        ("end-passthru.log", &["find", "/etc/passthru", "/var/lib/passthru", "/run/passthru", "-ls"]),
    ];
    for (file, argv) in questions {
        if let Ok(output) = machine.run(&Job::new(argv.iter().copied()).limit(Duration::from_mins(1))) {
            fs::write(logs.join(file), output.stdout + &output.stderr).ok();
        }
    }
}

/// A step in one line.
fn title(step: &Step) -> String {
    if let Some(argv) = &step.run {
        return argv
            .iter()
            .map(|word| if word.contains(['\n', ' ']) { "…" } else { word })
            .collect::<Vec<_>>()
            .join(" ");
    }
    if let Some(reboot) = &step.reboot {
        let into = reboot.boot_entry.as_ref().map(|entry| format!("reboot into {entry}"));
        let rescue = reboot.rescue.as_ref().map(|machine| format!("boot a rescue system, machine {machine}"));
        let with = reboot.machine.as_ref().map(|machine| {
            format!("boot machine {machine} {}", reboot.kernel_args.join(" ")).trim_end().to_owned()
        });
        return into.or(rescue).or(with).unwrap_or_else(|| "reboot".to_owned());
    }
    if let Some(wanted) = &step.driver {
        let pairs: Vec<_> = wanted.iter().map(|(address, driver)| format!("{address}={driver}")).collect();
        return format!("drivers {}", pairs.join(" "));
    }
    if step.cmdline_has.is_some() || step.cmdline_lacks.is_some() {
        let words = |list: &Option<Vec<String>>, sign: &str| -> String {
            list.iter().flatten().fold(String::new(), |line, word| line + " " + sign + word)
        };
        return format!(
            "kernel command line{}{}",
            words(&step.cmdline_has, "+"),
            words(&step.cmdline_lacks, "-")
        );
    }
    if let Some(name) = &step.capture {
        return format!("capture {name}");
    }
    if let Some(order) = &step.file_manifest {
        return format!("file manifest {order}");
    }
    if let Some(log) = &step.kernel_log {
        let first: Vec<_> = log
            .probed_first
            .iter()
            .map(|(address, driver)| format!(" {address} first by {driver}"))
            .collect();
        return format!("kernel log{}", first.join(","));
    }
    if let Some(file) = &step.write_file {
        return format!("write {}", file.path);
    }
    step.builtin.clone().unwrap_or_default()
}
