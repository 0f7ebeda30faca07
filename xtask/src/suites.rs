//! The test command: tests, examples in documentation, and the laboratory's smoke scenarios, with one line in the end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::ui::Ui;
use crate::{exec, lab, packages, paths};

/// What came of a suite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Runs everything.
pub fn work(no_lab: bool, options: &lab::Options) -> Result<ExitCode> {
    let mut all = Tally::default();
    let smoke = lab::tagged("smoke")?;
    // The laboratory comes first: the tests of the tiny guest want its QEMU, its OVMF and its kernel.
    let lab = if no_lab { None } else { Some(lab::open(options, false)?) };
    packages::ensure_for_tests(&Ui::new());
    let kernel = lab.as_ref().map(|lab| lab.image.kernel());
    let suite = |arguments: &[&str]| suite(arguments, kernel.as_deref());
    if exec::find("cargo-nextest").is_some() || in_cargo_home("cargo-nextest") {
        all.add(suite(&["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=pass"])?);
        all.add(suite(&["test", "--workspace", "--doc", "--no-fail-fast"])?);
    } else {
        all.add(suite(&["test", "--workspace", "--no-fail-fast"])?);
    }
    all.add(if docs(true)? == ExitCode::SUCCESS {
        Tally { passed: 1, ..Tally::default() }
    } else {
        println!("generated documents are out of date; `cargo xtask docs` makes them anew");
        Tally { failed: 1, ..Tally::default() }
    });
    if let Some(lab) = lab {
        let tally = lab::run(&lab, &smoke);
        all.passed += tally.passed;
        all.failed += tally.failed;
    } else {
        println!("lab: {} scenarios left out (--no-lab)", smoke.len());
        all.skipped += smoke.len() as u64;
    }
    println!("{} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped);
    Ok(if all.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes what can be made of the code, or says what of it is out of date.
pub fn docs(check: bool) -> Result<ExitCode> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--quiet", "--package", "passthru", "--example", "docs"]).current_dir(paths::repo());
    if check {
        command.args(["--", "--check"]);
    }
    let status = command.status().context("cannot start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs cargo, shows what it prints, and adds up its own summaries. `kernel` is the image that tests may boot a guest with.
fn suite(arguments: &[&str], kernel: Option<&Path>) -> Result<Tally> {
    println!("$ cargo {}", arguments.join(" "));
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .current_dir(paths::repo())
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    if let Some(kernel) = kernel {
        command.env("PASSTHRU_TEST_KERNEL", kernel);
    }
    let mut child = command.spawn().context("cannot start cargo")?;
    // Our copies of the pipe's other end go with the command: otherwise the last line never comes.
    drop(command);
    let mut tally = Tally::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        if let Some(counts) = summary(arguments[0], &line) {
            tally.add(counts);
        }
    }
    let status = child.wait()?;
    // A suite that did not build, or was ended, has no summary to count: it failed all the same.
    if !status.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    println!(
        "cargo {}: {} passed, {} failed, {} skipped\n",
        arguments[0], tally.passed, tally.failed, tally.skipped
    );
    Ok(tally)
}

/// Reads the closing line of the runner: nextest's own, or that of each of libtest's programs.
fn summary(runner: &str, line: &str) -> Option<Tally> {
    let counts = if runner == "nextest" {
        // It shows what a failed test printed, libtest's closing line among it: that one is counted already.
        let line = line.trim().strip_prefix("Summary [")?;
        line.split_once("tests run:").or_else(|| line.split_once("test run:"))?.1
    } else {
        line.strip_prefix("test result:")?.split_once(". ")?.1
    };
    let mut tally = Tally::default();
    for part in counts.split([',', ';']) {
        let mut words = part.split_whitespace();
        let (Some(count), Some(word)) = (words.next(), words.next()) else { continue };
        let Ok(count) = count.parse::<u64>() else { continue };
        match word {
            "passed" => tally.passed += count,
            "failed" | "timed" => tally.failed += count,
            "ignored" | "skipped" => tally.skipped += count,
            _ => {}
        }
    }
    Some(tally)
}

fn in_cargo_home(program: &str) -> bool {
    let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| Some(std::path::Path::new(&std::env::var_os("HOME")?).join(".cargo")));
    home.is_some_and(|home| home.join("bin").join(program).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_runners() {
        let tally = |passed, failed, skipped| Some(Tally { passed, failed, skipped });
        let nextest =
            "     Summary [   2.134s] 34 tests run: 30 passed (2 slow), 3 failed, 1 timed out, 7 skipped";
        assert_eq!(summary("nextest", nextest), tally(30, 4, 7));
        assert_eq!(summary("nextest", "Summary [ 0.1s] 1 test run: 1 passed, 0 skipped"), tally(1, 0, 0));
        let libtest = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(summary("test", libtest), tally(3, 1, 2));
        assert_eq!(summary("nextest", &format!("    {libtest}")), None);
        assert_eq!(summary("test", "test a::b ... ok"), None);
    }
}
