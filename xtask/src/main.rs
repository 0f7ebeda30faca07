//! Chores of the project: the laboratory, the demonstration, the test command.
#![expect(
    unreachable_pub,
    reason = "in a program, pub only says which of a file's items the other files may use"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for developers: talking is its job")]

mod bench;
mod exec;
mod fast;
mod foretell;
mod fuzz;
mod host;
mod image;
mod lab;
mod machine;
mod packages;
mod paths;
mod payload;
mod scenario;
mod suites;
mod target;
mod ui;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use machine::accel::Wanted;

#[derive(Debug, Parser)]
#[command(about = "Chores of the project", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
    /// The accelerator of the laboratory's machines.
    #[arg(long, global = true, value_enum, default_value = "auto", env = "PASSTHRU_LAB_ACCEL")]
    accel: Wanted,
    /// The static binary to judge, instead of one built here.
    #[arg(long, global = true, value_name = "FILE", env = "PASSTHRU_LAB_BINARY")]
    binary: Option<PathBuf>,
    /// Boots every lab host instead of restoring a saved state.
    #[arg(long, global = true, env = "PASSTHRU_LAB_NO_SNAPSHOTS")]
    no_snapshots: bool,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// The laboratory: virtual machines in which everything that touches a kernel is judged.
    #[command(subcommand)]
    Lab(lab::Command),
    /// The whole way once, talkatively: a plain host, a guest that sees the device, and back.
    Demo,
    /// Makes man pages, JSON schemas and the page of checks of the code.
    Docs {
        /// Writes nothing; fails where something is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Times `groups` and `doctor` beside lspci, a bare loop of the same reads and the page's script, and `guest start` beside QEMU
    /// by itself and virsh, and prints ratios.
    Bench {
        /// How often each is timed.
        #[arg(long, default_value_t = 11)]
        repeats: usize,
    },
    /// Runs all fuzz targets in turn, or those named, and reports.
    Fuzz {
        /// How long each.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Only these.
        targets: Vec<String>,
    },
    /// The test command: all tests, then the laboratory's smoke scenarios.
    Test {
        /// Leaves the laboratory out.
        #[arg(long)]
        no_lab: bool,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let options =
        lab::Options { accel: cli.accel, binary: cli.binary.clone(), no_snapshots: cli.no_snapshots };
    let outcome = match &cli.task {
        Task::Lab(command) => lab::work(command, &options),
        Task::Demo => lab::demo(&options),
        Task::Docs { check } => suites::docs(*check),
        Task::Bench { repeats } => bench::work(cli.binary.as_deref(), *repeats),
        Task::Fuzz { seconds, targets } => fuzz::work(*seconds, targets),
        Task::Test { no_lab } => suites::work(*no_lab, &options),
    };
    match outcome {
        Ok(code) => code,
        Err(error) if error.is::<packages::NeedsPackages>() => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
