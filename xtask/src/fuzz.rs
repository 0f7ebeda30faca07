//! `cargo xtask fuzz`: all fuzz targets in turn, for a time each, and a report.

use std::fs::File;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::paths;

/// Runs every target, or those named, for so many seconds each. Fails where one has found something.
pub fn work(seconds: u32, only: &[String]) -> Result<ExitCode> {
    let targets: Vec<String> =
        targets()?.into_iter().filter(|name| only.is_empty() || only.contains(name)).collect();
    if targets.is_empty() {
        bail!("no such target in fuzz/Cargo.toml");
    }
    let logs = paths::repo().join("fuzz/target/logs");
    std::fs::create_dir_all(&logs)?;
    let mut found = Vec::new();
    for target in &targets {
        let path = logs.join(format!("{target}.log"));
        let log = File::create(&path)?;
        let status = fuzz()
            .args(["run", target, "--", "-rss_limit_mb=4096", "-timeout=30", "-print_final_stats=1"])
            .arg(format!("-max_total_time={seconds}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .context("cannot start cargo")?;
        let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
        let runs = text
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
            .map_or_else(|| "no".to_owned(), |number| number.trim().to_owned());
        if status.success() {
            println!("{target:<14} {runs:>10} runs, nothing found");
        } else {
            println!("{target:<14} {runs:>10} runs, FOUND SOMETHING or did not start: {}", path.display());
            found.push(target.as_str());
        }
    }
    println!("{} targets, {seconds} seconds each; findings: {}", targets.len(), found.len());
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `cargo fuzz` of the nightly compiler, in the project. A cargo that runs this one has set itself up in the environment, and
/// would stand in the way of the other compiler.
fn fuzz() -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz"]).current_dir(paths::repo()).env_remove("RUSTUP_TOOLCHAIN");
    command.env_remove("CARGO").env_remove("RUSTC");
    command
}

fn targets() -> Result<Vec<String>> {
    let output = fuzz().arg("list").output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!(
            "‘cargo +nightly fuzz’ does not run; it needs ‘rustup toolchain install nightly’ and ‘cargo install cargo-fuzz’:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}
