//! Whether what a program should have brought about really holds.

use std::io;

use passthru_model::plan::Expectation;
use passthru_model::program::Program;

use crate::error::StepFailure;
use crate::runner::{RunFailure, RunOutcome};
use crate::standing;
use crate::target::{Follow, Target};

/// Runs a program with these arguments.
pub(crate) type Run<'a> = dyn FnMut(Program, &[String]) -> Result<RunOutcome, RunFailure> + 'a;

/// Checks one expectation. The images are listed by the generator's own program, so that what counts is what it reads.
pub(crate) fn check(
    target: &Target,
    expectation: &Expectation,
    run: &mut Run<'_>,
) -> Result<(), StepFailure> {
    let fail = |path: &str, what: String| Err(StepFailure::Expectation { path: path.to_owned(), what });
    match expectation {
        Expectation::Contains { path, needles } => {
            let text = text(target, path)?;
            match needles.iter().find(|needle| !holds(&text, needle)) {
                Some(needle) => fail(path, format!("‘{needle}’ is not in it, although it was rebuilt")),
                None => Ok(()),
            }
        }
        Expectation::Lacks { path, needles } => {
            let text = text(target, path)?;
            match needles.iter().find(|needle| holds(&text, needle)) {
                Some(needle) => fail(path, format!("‘{needle}’ is still in it, although it was rebuilt")),
                None => Ok(()),
            }
        }
        Expectation::ImageHolds { path, entries } => {
            let names = names(path, run)?;
            match entries.iter().find(|entry| !names.lines().any(|name| is(name, entry))) {
                Some(entry) => fail(path, format!("the new image does not hold ‘{entry}’")),
                None => Ok(()),
            }
        }
        Expectation::ImageLacks { path, entries } => {
            let names = names(path, run)?;
            match entries.iter().find(|entry| names.lines().any(|name| is(name, entry))) {
                Some(entry) => fail(path, format!("the new image still holds ‘{entry}’")),
                None => Ok(()),
            }
        }
    }
}

/// Whether a name in an image ends as is said. A module may also carry the ending of its compression
/// (`CONFIG_MODULE_COMPRESS_*`).
fn is(name: &str, ending: &str) -> bool {
    let name = name.trim_end();
    let uncompressed =
        [".xz", ".zst", ".gz"].into_iter().find_map(|compression| name.strip_suffix(compression));
    name.ends_with(ending)
        || (ending.strip_suffix(".ko").is_some() && uncompressed.is_some_and(|name| name.ends_with(ending)))
}

fn text(target: &Target, path: &str) -> Result<Vec<u8>, StepFailure> {
    let at = |source| StepFailure::Io { path: path.to_owned(), source };
    standing::bytes(target, path, Follow::Links)
        .map_err(at)?
        .ok_or_else(|| at(io::Error::from(io::ErrorKind::NotFound)))
}

fn holds(text: &[u8], needle: &str) -> bool {
    needle.is_empty() || text.windows(needle.len()).any(|window| window == needle.as_bytes())
}

fn names(path: &str, run: &mut Run<'_>) -> Result<String, StepFailure> {
    let outcome = run(Program::Lsinitramfs, &[path.to_owned()])?;
    let names = String::from_utf8_lossy(&outcome.stdout).into_owned();
    // An image in which there is nothing lacks everything, and boots nothing.
    if names.trim().is_empty() {
        let what = "the new image is empty".to_owned();
        return Err(StepFailure::Expectation { path: path.to_owned(), what });
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::is;

    #[test]
    fn a_module_is_found_in_an_image_however_it_is_compressed() {
        for name in [
            "usr/lib/modules/6.12/kernel/drivers/vfio/pci/vfio-pci.ko.xz",
            "vfio-pci.ko",
            "vfio-pci.ko.zst\r",
        ] {
            assert!(is(name, "vfio-pci.ko"), "{name}");
        }
        assert!(!is("nvgrace-vfio-pci.ko.bz2", "vfio-pci.ko") && !is("etc/devices.xz", "etc/devices"));
    }
}
