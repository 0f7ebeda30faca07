//! Whether the images that the next boot takes hold what they should.

use passthru_model::HostFacts;
use passthru_model::binding::ImageContents;
use passthru_model::kernel::ModuleState;

use crate::binding::is_set_up;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "initramfs-contents",
    title: "each initramfs holds vfio-pci and the settings as they stand now",
    section: "Using vfio-pci",
    why: "an image that was not made anew since a file changed boots with the old settings",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let chosen = matches!(crate::intent::of(facts), Ok(Some(_)));
    if !is_set_up(facts) && !chosen {
        return Outcome::skip("nothing is to be bound to vfio-pci at boot");
    }
    let Some(images) = facts.images.value() else {
        return Outcome::unknown("what the images hold", facts.images.because().unwrap_or_default());
    };
    if images.is_empty() {
        return Outcome::skip("no installed kernel has an initramfs that is to be seen here");
    }
    let mut remarks = Remarks::default();
    for image in images {
        remarks.seen(image.path.clone(), contents(image));
        one(facts, image, &mut remarks);
    }
    remarks.outcome(format!("{} as the files stand now", count(images.len(), "image")))
}

fn contents(image: &ImageContents) -> String {
    let vfio = if image.modules.contains("vfio_pci") { "vfio_pci" } else { "no vfio_pci" };
    format!("{vfio}, {} of modprobe.d", count(image.modprobe.len(), "file"))
}

fn one(facts: &HostFacts, image: &ImageContents, remarks: &mut Remarks) {
    let rebuild = rebuild(facts);
    let kernel =
        facts.kernel.installed.value().into_iter().flatten().find(|kernel| kernel.release == image.release);
    let loadable = kernel.is_some_and(|kernel| kernel.module("vfio_pci") == Some(ModuleState::Loadable));
    if loadable && !image.modules.contains("vfio_pci") {
        remarks
            .fail(format!("{} does not hold vfio-pci", image.path))
            .by_hand(format!("Have it put in, and make the images anew: {rebuild}"));
    }
    for (path, now) in facts.binding.modprobe.value().into_iter().flat_map(|settings| &settings.files) {
        let name = path.rsplit('/').next().unwrap_or(path);
        match image.modprobe.get(name) {
            None => remarks.fail(format!("{} does not hold {path}", image.path)),
            Some(then) if then != now => remarks.fail(format!("{} holds an older {path}", image.path)),
            Some(_) => continue,
        }
        .seen(path.clone(), "names vfio-pci")
        .by_hand(format!("Make the images anew: {rebuild}"));
    }
}

/// The command that makes the images, where one generator is installed.
pub(super) fn rebuild(facts: &HostFacts) -> &'static str {
    let mut installed =
        facts.binding.initramfs.value().into_iter().flatten().filter(|settings| settings.installed);
    match (installed.next(), installed.next()) {
        (Some(only), None) => only.generator.rebuild(),
        _ => "by the generator of this host",
    }
}
