//! Captures that scenarios take: archives of real kernels' files, from which the tests of the checks read.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::paths;
use crate::target::{Job, Target};

/// The file in the machine under test.
const THERE: &str = "/run/lab-capture";

/// Has the machine captured, redacted as by default, and keeps the archive with the logs.
///
/// With `root`, a directory of the machine is taken for its root, as by `chroot`.
pub(super) fn take(target: &mut dyn Target, logs: &Path, name: &str, root: Option<&str>) -> Result<String> {
    let there = format!("{}{THERE}", root.unwrap_or_default());
    match root {
        Some(root) => target.ask(&["chroot", root, "passthru", "capture", "-o", THERE])?,
        None => target.ask(&["passthru", "capture", "-o", THERE])?,
    };
    let said = fetch(target, logs, name, &there)?;
    target.run(&Job::new(["rm", &there]))?;
    Ok(said)
}

/// Keeps an archive that is in the machine with the logs; says how large it is.
pub(super) fn fetch(target: &mut dyn Target, logs: &Path, name: &str, there: &str) -> Result<String> {
    ensure!(
        name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-'),
        "a capture's name is of small letters, digits and dashes, not {name:?}"
    );
    let text = target.ask(&["base64", there])?;
    let digits: String = text.split_whitespace().collect();
    let bytes = BASE64.decode(digits).context("the capture did not arrive whole")?;
    let folder = logs.join("captures");
    fs::create_dir_all(&folder)?;
    let file = folder.join(name).with_extension("tar.gz");
    fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(format!("{} KiB", bytes.len() / 1024))
}

/// Puts the captures of a scenario that has run in the place of those that the fixtures have of it; says how many there are.
pub fn keep(scenario: &str) -> Result<usize> {
    let taken = paths::target().join("lab").join(scenario).join("captures");
    let kept = paths::repo().join("fixtures/captures").join(scenario);
    if kept.exists() {
        fs::remove_dir_all(&kept).with_context(|| format!("cannot empty {}", kept.display()))?;
    }
    fs::create_dir_all(&kept)?;
    let mut count = 0;
    for entry in
        fs::read_dir(&taken).with_context(|| format!("{scenario} takes no captures: {}", taken.display()))?
    {
        let entry = entry?;
        fs::copy(entry.path(), kept.join(entry.file_name()))?;
        count += 1;
    }
    Ok(count)
}
