//! What the initramfs of each installed kernel holds. To unpack an image takes a moment, so it is done only for hosts where
//! something is to be found in one: where modules or settings for vfio-pci are written down.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::cpio::{self, Kind};
use passthru_formats::{initramfs_image, modules};
use passthru_model::binding::{BindingFacts, ImageContents};
use passthru_model::fact::Fact;
use passthru_model::kernel::KernelFacts;

use super::because;
use crate::host::Host;

/// Images are far smaller than this, in bytes.
const MOST_IMAGE_BYTES: u64 = 1024 * 1024 * 1024;

/// The contents of all images, or why nothing is known of them.
pub(super) fn contents(
    host: &Host,
    kernels: &KernelFacts,
    binding: &BindingFacts,
) -> Fact<Vec<ImageContents>> {
    if let Some(why) = binding.modprobe.because() {
        return Fact::unknown(why);
    }
    if !wants_images(binding) {
        return Fact::unknown(
            "nothing on this host is to be bound to vfio-pci at boot, so no image was opened",
        );
    }
    let Some(installed) = kernels.installed.value() else {
        return Fact::unknown(kernels.installed.because().unwrap_or_default());
    };
    let mut found = Vec::new();
    for (release, path) in
        installed.iter().filter_map(|kernel| Some((&kernel.release, kernel.initramfs.as_ref()?)))
    {
        let bytes = match host.read_reduced(path, MOST_IMAGE_BYTES, initramfs_image::reduced) {
            Ok(bytes) => bytes,
            Err(error) => return because(&error),
        };
        if bytes.is_empty() {
            return Fact::unknown(format!("{path} is not in this capture, or is no image that can be read"));
        }
        match cpio::read(&bytes) {
            Ok(entries) => found.push(one(release, path, &entries)),
            Err(error) => return Fact::unknown(format!("{path}: {error}")),
        }
    }
    let seen = found.iter().map(|image| image.path.as_str()).collect::<Vec<_>>().join(", ");
    Fact::known(found, "/boot", if seen.is_empty() { "no initramfs".to_owned() } else { seen })
}

/// Whether an image can hold something of matter: vfio-pci is named somewhere.
fn wants_images(binding: &BindingFacts) -> bool {
    let stub = |module: &str| matches!(module, "vfio_pci" | "pci_stub" | "vfio");
    binding.modprobe.value().is_some_and(|settings| {
        settings.commands.iter().any(|said| said.what.module().is_some_and(stub))
            || settings.files.keys().any(|path| path.contains("passthru"))
    }) || binding.initramfs.value().is_some_and(|all| {
        all.iter().any(|settings| settings.modules.iter().any(|listed| stub(&listed.what)))
    }) || binding.driverctl.value().is_some_and(|overrides| !overrides.is_empty())
}

fn one(release: &str, path: &str, entries: &[cpio::Entry]) -> ImageContents {
    let mut found = ImageContents {
        release: release.to_owned(),
        path: path.to_owned(),
        modules: BTreeSet::new(),
        modprobe: BTreeMap::new(),
        own: BTreeSet::new(),
        entries: entries.len(),
    };
    for entry in entries {
        let file = entry.name.rsplit('/').next().unwrap_or_default();
        if let Some(module) = modules::name_of(file) {
            found.modules.insert(modules::canonical(module));
        } else if entry.name.contains("modprobe.d/")
            && let Kind::File(content) = &entry.kind
        {
            // As on the host, a file below /etc stands for one of its name below /usr/lib.
            let counts_more = entry.name.starts_with("etc/") || !found.modprobe.contains_key(file);
            if counts_more {
                found.modprobe.insert(file.to_owned(), content.clone());
            }
        }
        if entry.name.contains("passthru") {
            found.own.insert(entry.name.clone());
        }
    }
    found
}
