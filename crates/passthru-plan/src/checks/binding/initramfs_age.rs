//! Whether the images are newer than the settings that go into them.

use passthru_model::HostFacts;

use super::initramfs_contents::rebuild;
use crate::binding::is_set_up;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "initramfs-age",
    title: "each initramfs was made after the settings that go into it were changed",
    section: "Using vfio-pci",
    why: "a change of modprobe.d or of the generator's list of modules reaches the boot only when the image is made anew",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    if !is_set_up(facts) {
        return Outcome::skip("nothing is to be bound to vfio-pci at boot");
    }
    let Some(times) = facts.image_times.value() else {
        return Outcome::unknown(
            "when the images were made",
            facts.image_times.because().unwrap_or_default(),
        );
    };
    if times.images.is_empty() {
        return Outcome::skip("no installed kernel has an initramfs that is to be seen here");
    }
    let mut remarks = Remarks::default();
    for (image, made) in &times.images {
        for (path, changed) in times.settings.iter().filter(|(_, changed)| *changed > made) {
            if holds_the_same(facts, image, path) {
                continue;
            }
            remarks
                .warn(format!("{path} was changed after {image} was made"))
                .seen(path.clone(), format!("changed {} after {image}", later(changed.saturating_sub(*made))))
                .by_hand(format!("Make the images anew: {}", rebuild(facts)));
        }
    }
    remarks.outcome(format!("{} newer than the settings", count(times.images.len(), "image")))
}

/// Whether an image that was looked into has a file of modprobe.d as it stands now: one that was only touched is no matter.
fn holds_the_same(facts: &HostFacts, image: &str, path: &str) -> bool {
    let now = facts.binding.modprobe.value().and_then(|settings| settings.files.get(path));
    let image = facts.images.value().into_iter().flatten().find(|contents| contents.path == image);
    let name = path.rsplit('/').next().unwrap_or(path);
    now.is_some_and(|now| image.and_then(|image| image.modprobe.get(name)) == Some(now))
}

/// A span in the largest unit that fits.
fn later(seconds: i64) -> String {
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    count(usize::try_from(number).unwrap_or_default(), unit)
}
