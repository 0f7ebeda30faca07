//! The commands of the laboratory.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Subcommand;

use crate::image::{Image, Variant};
use crate::machine::accel::{Accel, Wanted};
use crate::machine::spec::MachineSpec;
use crate::payload::Payload;
use crate::scenario::run::Lab;
use crate::scenario::{Scenario, Size, captures};
use crate::ui::{Ui, seconds};
use crate::{foretell, packages, paths};

/// What all commands of the laboratory have in common.
#[derive(Debug, Clone)]
pub struct Options {
    /// The accelerator of its machines.
    pub accel: Wanted,
    /// The binary to judge, if not one that is built now.
    pub binary: Option<PathBuf>,
    /// Boots every lab host instead of restoring a saved state.
    pub no_snapshots: bool,
}

/// What to do in the laboratory.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the scenarios.
    List,
    /// Runs scenarios by name, or all with `--tag`.
    Run {
        /// Names of files in lab/scenarios, without their ending.
        #[arg(required_unless_present = "tag")]
        names: Vec<String>,
        /// Runs all scenarios with this tag as well.
        #[arg(long)]
        tag: Option<String>,
        /// Shows what the programs print.
        #[arg(long)]
        talkative: bool,
    },
    /// Runs scenarios and keeps the captures that they take in fixtures/captures, for the tests of the checks.
    Record {
        /// Names of files in lab/scenarios, without their ending.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Boots a machine of lab/machines and gives its serial console; `poweroff` ends it.
    Shell {
        /// The file's name without its ending.
        machine: String,
    },
    /// Compares the groups that `groups --predict` foretells with a kernel's on random machines, many to a boot.
    Foretell {
        /// At least so many machines.
        #[arg(long, default_value_t = 36)]
        machines: usize,
        /// The first seed; even ones have Intel's IOMMU, odd ones AMD's.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Foretells each machine's groups while its IOMMU is off, and compares after another boot.
        #[arg(long)]
        off: bool,
    },
    /// Builds the lab host's image unless it is in the cache.
    Image,
}

/// Does it.
pub fn work(command: &Command, options: &Options) -> Result<ExitCode> {
    match command {
        Command::List => list(),
        Command::Run { names, tag, talkative } => {
            let mut scenarios = names.iter().map(|name| Scenario::named(name)).collect::<Result<Vec<_>>>()?;
            if let Some(tag) = tag {
                scenarios.extend(tagged(tag)?);
            }
            let lab = open(options, *talkative)?;
            Ok(run(&lab, &scenarios).exit())
        }
        Command::Record { names } => record(options, names),
        Command::Shell { machine } => shell(options, machine),
        Command::Foretell { machines, seed, off } => {
            let trial = foretell::Trial { machines: *machines, seed: *seed, off: *off };
            foretell::run(&open(options, false)?, trial)
        }
        Command::Image => {
            let ui = Ui::new();
            packages::ensure(&ui)?;
            let accel = Accel::choose(options.accel)?;
            let image = Image::ready(&ui, accel, Variant::default())?;
            ui.say(&format!("accelerator {accel:?}, image {}", image.disk().display()));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The scenarios that carry a tag.
pub fn tagged(tag: &str) -> Result<Vec<Scenario>> {
    Ok(Scenario::all()?.into_iter().filter(|scenario| scenario.tags.iter().any(|own| own == tag)).collect())
}

/// Everything that running scenarios needs: packages, image, and the program under test.
pub fn open(options: &Options, talkative: bool) -> Result<Lab> {
    let ui = Ui::new();
    packages::ensure(&ui)?;
    let accel = Accel::choose(options.accel)?;
    ui.say(&format!("accelerator {accel:?}"));
    paths::sweep()?;
    let image = Image::ready(&ui, accel, Variant::default())?;
    let payload = match &options.binary {
        Some(binary) => Payload::with(binary.clone())?,
        None => Payload::build(&ui)?,
    };
    Ok(Lab { ui, accel, image, payload, talkative, snapshots: !options.no_snapshots })
}

/// How many scenarios passed and failed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Those in which everything held.
    pub passed: u64,
    /// The others.
    pub failed: u64,
}

impl Tally {
    fn exit(self) -> ExitCode {
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Runs scenarios one after the other, whatever comes of each.
pub fn run(lab: &Lab, scenarios: &[Scenario]) -> Tally {
    let mut tally = Tally::default();
    let mut lines = Vec::new();
    for scenario in scenarios {
        let begun = Instant::now();
        let mut why = String::new();
        let mark = match lab.run(scenario) {
            Ok(_) => {
                tally.passed += 1;
                "ok"
            }
            Err(error) => {
                tally.failed += 1;
                eprintln!("\n{error:#}\n");
                // Said again in the end: of a long log often only that is kept.
                why = format!("\n     {}", format!("{error:#}").replace('\n', "\n     "));
                "FAIL"
            }
        };
        lines.push((mark, begun.elapsed(), format!("{}{why}", scenario.name)));
    }
    println!();
    for (mark, took, name) in lines {
        println!("{mark:<4} {:>7}  {name}", seconds(took));
    }
    println!("lab: {} scenarios passed, {} failed", tally.passed, tally.failed);
    tally
}

/// Runs scenarios and keeps their captures.
fn record(options: &Options, names: &[String]) -> Result<ExitCode> {
    let scenarios = names.iter().map(|name| Scenario::named(name)).collect::<Result<Vec<_>>>()?;
    let lab = open(options, false)?;
    for scenario in &scenarios {
        lab.run(scenario)?;
        let count = captures::keep(&scenario.name)?;
        lab.ui.say(&format!("{count} captures are in fixtures/captures/{}", scenario.name));
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> Result<ExitCode> {
    for scenario in Scenario::all()? {
        let size = match scenario.size {
            Size::Distribution => "distribution",
            Size::Fast => "fast",
        };
        println!("{:<24} {size:<13} {:<14} {}", scenario.name, scenario.tags.join(","), scenario.description);
    }
    Ok(ExitCode::SUCCESS)
}

fn shell(options: &Options, machine: &str) -> Result<ExitCode> {
    let spec = MachineSpec::load(machine)?;
    let lab = open(options, true)?;
    let scratch = tempfile::Builder::new().prefix("run-").tempdir_in(paths::cache()?)?;
    lab.ui.say("the serial console follows; once logged in: tar -C /usr/local/bin -xf /dev/disk/by-id/virtio-payload");
    let mut host = lab.hosts().terminal(&spec, &paths::fresh_logs("shell")?, scratch.path())?;
    host.wait_for_end()?;
    Ok(ExitCode::SUCCESS)
}

/// The scenario `the-way`, with everything shown, and a table of its parts at the end.
pub fn demo(options: &Options) -> Result<ExitCode> {
    let scenario = Scenario::named("the-way")?;
    let lab = open(options, true)?;
    let outcome = lab.run(&scenario);
    let parts = outcome?;
    println!("\n{}\n", scenario.description);
    for (name, took) in &parts {
        println!("  {:>7}  {name}", seconds(*took));
    }
    let all: Duration = parts.iter().map(|(_, took)| *took).sum();
    println!("  {:>7}  all parts; {} with building and booting\n", seconds(all), seconds(lab.ui.elapsed()));
    Ok(ExitCode::SUCCESS)
}
