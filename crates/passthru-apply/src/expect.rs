//! Whether what a program should have brought about really holds.

use std::io;

use passthru_formats::pe::{self, ProgramError};
use passthru_formats::{initramfs_image, unified_image};
use passthru_model::plan::Expectation;

use crate::error::StepFailure;
use crate::standing;
use crate::target::{Follow, Target};

/// Checks one expectation, on what stands on the disk now.
pub(crate) fn check(target: &Target, expectation: &Expectation) -> Result<(), StepFailure> {
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
            let names = names(target, path)?;
            match entries.iter().find(|entry| !names.iter().any(|name| is(name, entry))) {
                Some(entry) => fail(path, format!("the new image does not hold ‘{entry}’")),
                None => Ok(()),
            }
        }
        Expectation::ImageLacks { path, entries } => {
            let names = names(target, path)?;
            match entries.iter().find(|entry| names.iter().any(|name| is(name, entry))) {
                Some(entry) => fail(path, format!("the new image still holds ‘{entry}’")),
                None => Ok(()),
            }
        }
    }
}

/// Whether a name in an image ends as is said. A module may also carry the ending of its compression
/// (`CONFIG_MODULE_COMPRESS_*`).
fn is(name: &str, ending: &str) -> bool {
    let uncompressed =
        [".xz", ".zst", ".gz"].into_iter().find_map(|compression| name.strip_suffix(compression));
    name.ends_with(ending)
        || (ending.strip_suffix(".ko").is_some() && uncompressed.is_some_and(|name| name.ends_with(ending)))
}

/// The bytes of a file.
fn bytes(target: &Target, path: &str) -> Result<Vec<u8>, StepFailure> {
    let at = |source| StepFailure::Io { path: path.to_owned(), source };
    standing::bytes(target, path, Follow::Links)
        .map_err(at)?
        .ok_or_else(|| at(io::Error::from(io::ErrorKind::NotFound)))
}

/// The text of a file; of a unified kernel image, its command line.
fn text(target: &Target, path: &str) -> Result<Vec<u8>, StepFailure> {
    let bytes = bytes(target, path)?;
    Ok(within(path, &bytes, unified_image::CMDLINE)?.to_vec())
}

/// The section of a unified kernel image; of any other file, all of it.
fn within<'a>(path: &str, bytes: &'a [u8], section: &str) -> Result<&'a [u8], StepFailure> {
    let fail = |what: String| Err(StepFailure::Expectation { path: path.to_owned(), what });
    match pe::section(bytes, section) {
        Ok(Some(content)) => Ok(content),
        Ok(None) => fail(format!("the new image has no section {section}")),
        Err(ProgramError::NoMz) => Ok(bytes),
        Err(error) => fail(format!("the new image cannot be looked into: {error}")),
    }
}

fn holds(text: &[u8], needle: &str) -> bool {
    needle.is_empty() || text.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// What an initramfs holds; of a unified kernel image, the one in it.
fn names(target: &Target, path: &str) -> Result<Vec<String>, StepFailure> {
    let fail = |what: String| Err(StepFailure::Expectation { path: path.to_owned(), what });
    let bytes = bytes(target, path)?;
    match initramfs_image::names(within(path, &bytes, unified_image::INITRD)?) {
        // An image in which there is nothing lacks everything, and boots nothing.
        Ok(names) if names.is_empty() => fail("the new image is empty".to_owned()),
        Ok(names) => Ok(names),
        Err(error) => fail(format!("the new image cannot be looked into: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use passthru_formats::unified_image;

    use super::{is, within};

    #[test]
    fn of_a_unified_image_the_section_is_looked_at_and_one_that_is_cut_is_not_taken_for_text() {
        let sections = [(".cmdline", b"quiet".to_vec()), (".initrd", b"070701".to_vec())];
        let image = unified_image::write(&sections).expect("has sections");
        let says = |bytes: &[u8], section| match within("/efi/a.efi", bytes, section) {
            Ok(content) => String::from_utf8_lossy(content).into_owned(),
            Err(failure) => failure.to_string(),
        };
        assert_eq!(says(&image, unified_image::CMDLINE), "quiet");
        assert_eq!(says(&image, unified_image::INITRD), "070701");
        assert_eq!(says(b"menuentry quiet", unified_image::CMDLINE), "menuentry quiet");
        for (bytes, section) in [(&image[..image.len() - 1], ".cmdline"), (&image, ".profile")] {
            assert!(says(bytes, section).contains("/efi/a.efi"), "{}", says(bytes, section));
        }
    }

    #[test]
    fn a_module_is_found_in_an_image_however_it_is_compressed() {
        for name in
            ["usr/lib/modules/6.12/kernel/drivers/vfio/pci/vfio-pci.ko.xz", "vfio-pci.ko", "vfio-pci.ko.zst"]
        {
            assert!(is(name, "vfio-pci.ko"), "{name}");
        }
        assert!(!is("nvgrace-vfio-pci.ko.bz2", "vfio-pci.ko") && !is("etc/devices.xz", "etc/devices"));
    }
}
