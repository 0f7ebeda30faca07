//! `cargo xtask bench`: how long `groups` and `doctor` take beside what people use today, on the same trees in the same run, and
//! what `guest start` adds to QEMU's own start.
//!
//! Figures are wall-clock medians of whole processes, started in turn (A B C A B C …) after one round that is not counted, so
//! that all read warm files and the machine's moods meet all alike. Nothing is asserted: a busy machine says nothing.
//!
//! Trees lie in memory, on a mount without device nodes, as a distribution's `/tmp` is one: passthru then need not look what each
//! file of another host's tree is before it opens it. Where nothing may be mounted they lie in the directory for temporary files.

mod guest;
mod place;
mod tree;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::{exec, paths};

/// Sizes of all trees, in functions.
const SIZES: [u32; 4] = [256, 512, 1024, 4096];

/// Those of which it is shown that cost grows in proportion.
const GROWING: [u32; 3] = [256, 1024, 4096];

/// The page's first script, in one line, for a tree in the place of `/sys`.
const SCRIPT: &str = r#"shopt -s nullglob
for device in "$0"/sys/kernel/iommu_groups/*/devices/*; do
  group=${device#*/iommu_groups/}
  printf 'IOMMU Group %s ' "${group%%/*}"
  lspci -A linux-sysfs -O sysfs.path="$0/sys/bus/pci" -nns "${device##*/}"
done"#;

/// One thing that is timed.
struct Contender {
    name: &'static str,
    command: Vec<String>,
    target: Option<Target>,
}

/// What is aimed at.
#[derive(Clone, Copy)]
enum Target {
    /// That ours takes no more than this part of the other's time.
    Ratio(f64),
    /// That ours takes no more than so many milliseconds.
    Milliseconds(f64),
}

impl Contender {
    fn new(name: &'static str, words: &[&str]) -> Self {
        Self { name, command: words.iter().map(|word| (*word).to_owned()).collect(), target: None }
    }

    fn aiming(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    fn once(&self) -> Result<Duration> {
        let (program, arguments) = self.command.split_first().context("a contender is a command")?;
        let begin = Instant::now();
        // A `doctor` that finds faults says so by its exit code, and is timed all the same.
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(begin.elapsed())
    }
}

/// Runs everything and prints medians and ratios. `binary`: the passthru to time, else one is built for release.
pub fn work(binary: Option<&Path>, repeats: usize) -> Result<ExitCode> {
    let passthru = match binary {
        Some(binary) => binary.to_owned(),
        None => build()?,
    };
    let passthru = passthru.to_str().context("the binary's path is not UTF-8")?;
    let place = tempfile::tempdir()?;
    place::mount(place.path());
    let bare = bare_loop(place.path())?;
    let lspci = exec::find("lspci").is_some();
    if !lspci {
        println!("lspci is not installed (package pciutils): nothing to compare with but the bare loop");
    }
    for functions in SIZES {
        tree::make(&place.path().join(functions.to_string()), functions)?;
    }
    for functions in [512, 4096] {
        let root = root(place.path(), functions)?;
        let sysfs = format!("sysfs.path={root}/sys/bus/pci");
        println!("\n{functions} functions, each in a group");
        let groups = || Contender::new("passthru groups", &[passthru, "--host", &root, "groups"]);
        let mut contenders = vec![
            groups(),
            Contender::new("bare loop, 1 thread", &[&bare, &root, "1"]).aiming(Target::Ratio(1.3)),
            Contender::new("bare loop, as many threads", &[&bare, &root, "8"]).aiming(Target::Ratio(1.3)),
        ];
        if lspci {
            let words = ["lspci", "-A", "linux-sysfs", "-O", &sysfs, "-nnk"];
            contenders.push(Contender::new("lspci -nnk", &words).aiming(Target::Ratio(0.2)));
        }
        race(&contenders, repeats)?;
        if lspci && functions == 512 {
            let script = Contender::new("the page's script", &["bash", "-c", SCRIPT, &root]);
            race(&[groups(), script.aiming(Target::Ratio(0.002))], 3)?;
        }
    }
    println!("\nthis machine");
    let doctor = Contender::new("passthru doctor", &[passthru, "doctor"]);
    race(
        &[
            doctor.aiming(Target::Milliseconds(50.0)),
            Contender::new("passthru groups", &[passthru, "groups"]),
        ],
        repeats,
    )?;
    guest::work(passthru, repeats)?;
    growth(place.path(), passthru, repeats)?;
    calls(place.path(), passthru)?;
    Ok(ExitCode::SUCCESS)
}

/// The tree with so many functions.
fn root(place: &Path, functions: u32) -> Result<String> {
    let root = place.join(functions.to_string());
    Ok(root.to_str().context("the temporary path is not UTF-8")?.to_owned())
}

/// Times contenders in turn and prints the median of each, its ratio to the first, and what is aimed at.
fn race(contenders: &[Contender], repeats: usize) -> Result<()> {
    let medians = medians(contenders, repeats)?;
    let own = medians.first().copied().unwrap_or_default();
    for (contender, milliseconds) in contenders.iter().zip(&medians) {
        let ratio = own / milliseconds;
        let target = match contender.target {
            None => String::new(),
            Some(Target::Ratio(most)) => format!(", target {most}"),
            Some(Target::Milliseconds(most)) => format!(", target {most} ms"),
        };
        println!("  {:<28} {milliseconds:>10.2} ms   ours is {ratio:.4} of it{target}", contender.name);
    }
    Ok(())
}

/// The median time of each contender in milliseconds; they take turns.
fn medians(contenders: &[Contender], repeats: usize) -> Result<Vec<f64>> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    for round in 0..=repeats {
        for (contender, times) in contenders.iter().zip(&mut times) {
            let took = contender.once()?;
            if round > 0 {
                times.push(took);
            }
        }
    }
    Ok(times.iter_mut().map(|times| median(times)).collect())
}

/// Times commands on trees of several sizes, to show that what they take grows with the number of functions and not faster.
fn growth(place: &Path, passthru: &str, repeats: usize) -> Result<()> {
    println!("\nmicroseconds a function");
    for (name, words) in [
        ("passthru groups", &["groups"][..]),
        ("passthru groups --predict", &["groups", "--predict"]),
        ("passthru doctor", &["doctor"]),
    ] {
        let mut contenders = Vec::new();
        for functions in GROWING {
            let root = root(place, functions)?;
            let words = [&[passthru, "--host", &root], words].concat();
            contenders.push(Contender::new(name, &words));
        }
        let medians = medians(&contenders, repeats)?;
        let each = GROWING.iter().zip(medians).map(|(functions, milliseconds)| {
            format!("{:>8.1} of {functions}", milliseconds * 1000.0 / f64::from(*functions))
        });
        println!("  {name:<28} {}", each.collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

/// The median in milliseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1000.0
}

/// System calls for each function, to show that they grow with their number and not faster.
fn calls(place: &Path, passthru: &str) -> Result<()> {
    println!("\nsystem calls of passthru groups");
    if exec::find("strace").is_none() {
        println!("  not counted: strace is not installed");
        return Ok(());
    }
    for functions in GROWING {
        let root = root(place, functions)?;
        let counts = place.join("counts");
        Command::new("strace")
            .args(["-f", "-c", "-o"])
            .arg(&counts)
            .args([passthru, "--host", &root, "groups"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("cannot start strace")?;
        let text = std::fs::read_to_string(&counts)?;
        match total(&text) {
            Some(all) => {
                let each = f64::from(all) / f64::from(functions);
                println!("  {functions:>5} functions: {all:>7} calls, {each:.1} each");
            }
            None => bail!("strace counted nothing:\n{text}"),
        }
    }
    Ok(())
}

/// The number of calls in the last line of `strace -c`: `100.00 0.1 2 12345 67 total`.
fn total(text: &str) -> Option<u32> {
    let line = text.lines().rev().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

/// Builds passthru as it ships.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "passthru"])
        .current_dir(paths::repo())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("passthru does not build");
    }
    Ok(paths::repo().join("target/x86_64-unknown-linux-gnu/release/passthru"))
}

/// Compiles the loop by itself, optimised, so that it has nothing to carry.
fn bare_loop(place: &Path) -> Result<String> {
    let source = paths::repo().join("xtask/src/bench/bare_loop.rs");
    let program = place.join("bare-loop");
    let status = Command::new("rustc")
        .args(["--edition", "2024", "-O", "-o"])
        .arg(&program)
        .arg(&source)
        .status()
        .context("cannot start rustc")?;
    if !status.success() {
        bail!("{} does not compile", source.display());
    }
    Ok(program.to_str().context("the temporary path is not UTF-8")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_of_strace_is_read() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n 50.00    0.1    3     12     4 openat\n\
            100.00    0.331158           1     86412     61452 total\n";
        assert_eq!(total(text), Some(86412));
        assert_eq!(total("no calls"), None);
    }
}
