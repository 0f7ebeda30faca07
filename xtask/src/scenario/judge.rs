//! Pure judgement of what was seen: each function says what is wrong, or nothing.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{JsonCheck, KernelLog, Step};
use crate::exec::tail;
use crate::target::Output;

/// Judges what a program printed and how it ended.
pub(super) fn output(step: &Step, output: &Output) -> Result<()> {
    let wanted = step.exit.unwrap_or(0);
    if output.code != wanted {
        let late = if output.code == 124 { " (its time limit)" } else { "" };
        bail!(
            "exit status {}{late} instead of {wanted}\nstdout: {}\nstderr: {}",
            output.code,
            tail(&output.stdout, 15),
            tail(&output.stderr, 15)
        );
    }
    let contains = |name: &str, text: &str, pieces: &[String], wanted: bool| -> Result<()> {
        for piece in pieces {
            if text.contains(piece.as_str()) != wanted {
                let verb = if wanted { "lacks" } else { "contains" };
                bail!("{name} {verb} {piece:?}:\n{}", tail(text, 25));
            }
        }
        Ok(())
    };
    contains("stdout", &output.stdout, &step.stdout_contains, true)?;
    contains("stdout", &output.stdout, &step.stdout_lacks, false)?;
    contains("stderr", &output.stderr, &step.stderr_contains, true)?;
    contains("stderr", &output.stderr, &step.stderr_lacks, false)?;
    let checks = step.json.all();
    if !checks.is_empty() {
        let document: Value = serde_json::from_str(&output.stdout).context("standard output is not JSON")?;
        checks.iter().try_for_each(|check| json(&document, check))?;
    }
    Ok(())
}

fn json(document: &Value, check: &JsonCheck) -> Result<()> {
    let pointer = &check.pointer;
    let found = document.pointer(pointer).with_context(|| format!("the JSON has nothing at {pointer}"))?;
    if let Some(wanted) = &check.equals {
        let wanted = serde_json::to_value(wanted)?;
        ensure!(*found == wanted, "at {pointer} the JSON has {found} instead of {wanted}");
    }
    if let Some(length) = check.length {
        let count = found.as_array().map(Vec::len).or_else(|| found.as_object().map(serde_json::Map::len));
        ensure!(count == Some(length), "at {pointer} the JSON has not {length} elements: {found}");
    }
    Ok(())
}

/// Judges the words of the kernel command line.
pub(super) fn cmdline(cmdline: &str, has: &[String], lacks: &[String]) -> Result<()> {
    let words: Vec<&str> = cmdline.split_whitespace().collect();
    for word in has {
        ensure!(words.contains(&word.as_str()), "the kernel command line lacks {word}: {cmdline}");
    }
    for word in lacks {
        ensure!(!words.contains(&word.as_str()), "the kernel command line has {word}: {cmdline}");
    }
    Ok(())
}

/// Judges the kernel's log.
pub(super) fn kernel_log(log: &str, wanted: &KernelLog) -> Result<()> {
    let mut rest = log;
    for piece in &wanted.contains {
        let at = rest.find(piece.as_str()).with_context(|| {
            let order = if log.contains(piece.as_str()) { " in this order" } else { "" };
            format!("the kernel's log lacks {piece:?}{order}")
        })?;
        rest = &rest[at + piece.len()..];
    }
    for piece in &wanted.lacks {
        if let Some(line) = log.lines().find(|line| line.contains(piece.as_str())) {
            bail!("the kernel's log has: {line}");
        }
    }
    for (address, driver) in &wanted.probed_first {
        let first = first_probe(log, address).with_context(|| {
            format!("the kernel's log shows no probe of {address}: is dyndbg on the command line?")
        })?;
        ensure!(first == driver, "{first} probed {address} first, not {driver}");
    }
    Ok(())
}

/// The driver whose probe of the device is the first in the log. A probe that failed counts: it touched the device.
fn first_probe<'log>(log: &'log str, address: &str) -> Option<&'log str> {
    log.lines().find_map(|line| {
        let (before, rest) = line.split_once("really_probe: probing driver ")?;
        let (driver, after) = rest.split_once(" with device")?;
        // `… pci 0000:01:00.0: bus: 'pci': really_probe: …`; older kernels name the device at the end instead.
        let device = match after.trim() {
            "" => before.rsplit_once(": bus:")?.0.split_whitespace().last()?,
            named => named,
        };
        (device == address).then_some(driver)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "[ 1.0] bus: 'pci': really_probe: probing driver pcieport with device 0000:00:02.0\n\
         [ 2.0] pci 0000:02:00.0: bus: 'pci': really_probe: probing driver vfio-pci with device\n\
         [ 9.0] pci 0000:02:00.0: bus: 'pci': really_probe: probing driver bochs-drm with device\n";

    #[test]
    fn the_first_probe_counts() {
        assert_eq!(first_probe(LOG, "0000:02:00.0"), Some("vfio-pci"));
        assert_eq!(first_probe(LOG, "0000:00:02.0"), Some("pcieport"));
        assert_eq!(first_probe(LOG, "0000:02:00"), None);
    }

    #[test]
    fn order_matters_in_the_log() {
        let wanted = |pieces: [&str; 2]| KernelLog {
            contains: pieces.map(str::to_owned).into(),
            ..KernelLog::default()
        };
        assert!(kernel_log(LOG, &wanted(["pcieport", "vfio-pci"])).is_ok());
        let error = kernel_log(LOG, &wanted(["vfio-pci", "pcieport"])).expect_err("wrong order").to_string();
        assert!(error.contains("in this order"), "{error}");
    }

    #[test]
    fn words_of_the_command_line_are_whole() {
        let words = |word: &str| vec![word.to_owned()];
        assert!(cmdline("a intel_iommu=off b", &words("intel_iommu=off"), &[]).is_ok());
        assert!(cmdline("a intel_iommu=offset b", &[], &words("intel_iommu=off")).is_ok());
    }
}
