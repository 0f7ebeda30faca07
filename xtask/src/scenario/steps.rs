//! Doing one step of a scenario.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::manifest::{self, Manifest};
use super::{Step, WriteFile, builtin, captures, judge};
use crate::target::{Job, Output, Target};

/// What one run of a scenario carries from step to step.
#[derive(Debug)]
pub(super) struct Stage {
    /// Where every command's output is kept.
    pub(super) logs: PathBuf,
    /// Shows what the programs print, as their user would see it.
    pub(super) talkative: bool,
    /// The manifests saved so far.
    pub(super) manifests: BTreeMap<String, Manifest>,
    /// Number of the present step, from 1.
    pub(super) number: usize,
}

impl Stage {
    /// Does the step and judges it; says what it saw.
    pub(super) fn perform(&mut self, target: &mut dyn Target, step: &Step) -> Result<String> {
        self.number += 1;
        if let Some(argv) = &step.run {
            return self.run(target, step, argv);
        }
        if let Some(reboot) = &step.reboot {
            match (&reboot.rescue, &reboot.machine) {
                (Some(machine), _) => target.rescue(machine)?,
                (None, Some(machine)) => target.rebuild(machine, &reboot.kernel_args)?,
                (None, None) => target.reboot(reboot.boot_entry.as_deref())?,
            }
            return Ok(String::new());
        }
        if let Some(wanted) = &step.driver {
            return drivers(target, wanted);
        }
        if step.cmdline_has.is_some() || step.cmdline_lacks.is_some() {
            let cmdline = target.ask(&["cat", "/proc/cmdline"])?;
            let words = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
            judge::cmdline(cmdline.trim(), &words(&step.cmdline_has), &words(&step.cmdline_lacks))?;
            return Ok(String::new());
        }
        if let Some(order) = &step.file_manifest {
            return self.manifest(target, order);
        }
        if let Some(wanted) = &step.kernel_log {
            let log = target.ask(&["dmesg"])?;
            fs::write(self.logs.join(format!("{:02}-kernel.log", self.number)), &log)?;
            judge::kernel_log(&log, wanted)?;
            return Ok(String::new());
        }
        if let Some(file) = &step.write_file {
            write_file(target, file)?;
            return Ok(String::new());
        }
        if let Some(name) = &step.capture {
            return match &step.file {
                Some(there) => captures::fetch(target, &self.logs, name, there),
                None => captures::take(target, &self.logs, name, step.root.as_deref()),
            };
        }
        match &step.builtin {
            Some(name) => builtin::find(name)?(target, None),
            None => bail!("the step does nothing"),
        }
    }

    fn run(&self, target: &mut dyn Target, step: &Step, argv: &[String]) -> Result<String> {
        let limit = Duration::from_secs(step.limit.unwrap_or(120));
        let output = target.run(&Job::new(argv.iter().cloned()).limit(limit))?;
        self.keep(argv, &output)?;
        if self.talkative {
            show(argv, &output);
        }
        judge::output(step, &output)?;
        match &step.builtin {
            Some(name) => builtin::find(name)?(target, Some(&output)),
            None => Ok(String::new()),
        }
    }

    fn keep(&self, argv: &[String], output: &Output) -> Result<()> {
        let name = Path::new(&argv[0]).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let word =
            argv.get(1).filter(|word| word.chars().all(char::is_alphanumeric)).map_or("", String::as_str);
        let file = self.logs.join(format!("{:02}-{name}-{word}.log", self.number));
        let text = format!(
            "$ {}\n# exit status {}, {:.1?}\n# stdout\n{}\n# stderr\n{}\n",
            argv.join(" "),
            output.code,
            output.took,
            output.stdout,
            output.stderr
        );
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    fn manifest(&mut self, target: &mut dyn Target, order: &str) -> Result<String> {
        match order.split_once(' ') {
            Some(("save", name)) => {
                let taken = manifest::save(target, name)?;
                let said = format!("{} files", taken.len());
                let text: String =
                    taken.iter().fold(String::new(), |text, (path, line)| text + path + "\t" + line + "\n");
                fs::write(self.logs.join(format!("manifest-{name}.txt")), text)?;
                self.manifests.insert(name.to_owned(), taken);
                Ok(said)
            }
            Some(("equals", name)) => {
                let saved =
                    self.manifests.get(name).with_context(|| format!("no manifest {name} was saved"))?;
                let wrong = manifest::differences(target, name, saved)?;
                ensure!(wrong.is_empty(), "{} files differ:\n{}", wrong.len(), wrong.join("\n"));
                Ok(format!("{} files, none differs", saved.len()))
            }
            _ => bail!("file_manifest is \"save NAME\" or \"equals NAME\", not {order:?}"),
        }
    }
}

fn drivers(target: &mut dyn Target, wanted: &BTreeMap<String, String>) -> Result<String> {
    let mut wrong = Vec::new();
    for (address, driver) in wanted {
        let device = format!("/sys/bus/pci/devices/{address}");
        // Of readlink's options busybox has none that asks for existence.
        let there = target.run(&Job::new(["test", "-e", &device]))?;
        ensure!(there.code == 0, "there is no device {address}");
        let link = target.run(&Job::new(["readlink", &format!("{device}/driver")]))?.stdout;
        let found = Path::new(link.trim()).file_name().map_or("none".into(), |name| name.to_string_lossy());
        if found != driver.as_str() {
            wrong.push(format!("{address} has the driver {found} instead of {driver}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(String::new())
}

fn write_file(target: &mut dyn Target, file: &WriteFile) -> Result<()> {
    let mut content = file.text.clone().into_bytes();
    if file.append {
        let old = target.ask(&["cat", &file.path])?;
        content = [old.as_bytes(), &content].concat();
    }
    crate::machine::put(target, &file.path, &content, file.mode.as_deref().unwrap_or("0644"))
}

/// Shows a command as its user would see it; of JSON, which nobody reads that way, only the beginning.
fn show(argv: &[String], output: &Output) {
    println!("\n    $ {}", argv.join(" "));
    let most = if argv.iter().any(|word| word == "--json") { 8 } else { usize::MAX };
    let lines: Vec<&str> = output.stdout.lines().chain(output.stderr.lines()).collect();
    for line in lines.iter().take(most) {
        println!("    {line}");
    }
    if lines.len() > most {
        println!("    … {} lines more", lines.len() - most);
    }
    println!();
}
