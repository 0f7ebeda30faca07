//! What the initramfs of each installed kernel holds. To unpack an image takes a moment, so it is done only for hosts where
//! something is to be found in one: where modules or settings for vfio-pci are written down.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::cpio::{self, Kind};
use passthru_formats::{initramfs_image, modules};
use passthru_model::binding::{BindingFacts, ImageContents, ImageTimes};
use passthru_model::fact::Fact;
use passthru_model::kernel::{InstalledKernel, KernelFacts};
use passthru_model::managed;
use passthru_model::plan::FileState;

use super::because;
use crate::error::ReadError;
use crate::host::Host;

/// Images are far smaller than this, in bytes.
const MOST_IMAGE_BYTES: u64 = 1024 * 1024 * 1024;

/// The contents of all images, or why nothing is known of them.
pub(super) fn contents(
    host: &Host,
    kernels: &KernelFacts,
    binding: &BindingFacts,
) -> Fact<Vec<ImageContents>> {
    match wanted(kernels, binding) {
        Ok(wanted) => opened(host, wanted),
        Err(why) => Fact::unknown(why),
    }
}

/// The same where files of passthru's own are to be in images.
pub(super) fn of_ours(
    host: &Host,
    kernels: &KernelFacts,
    files: &BTreeMap<String, FileState>,
) -> Fact<Vec<ImageContents>> {
    let stands = |path: &&str| matches!(files.get(*path), Some(FileState::File { .. }));
    if ![managed::DEVICES, managed::MODPROBE].iter().any(stands) {
        return Fact::unknown("passthru has no files on this host that belong into an image");
    }
    match with_images(kernels) {
        Ok(images) => opened(host, images),
        Err(why) => Fact::unknown(why),
    }
}

/// Looks into images: the release and the path of each.
fn opened(host: &Host, images: Vec<(&str, &str)>) -> Fact<Vec<ImageContents>> {
    let mut found = Vec::new();
    for (release, path) in images {
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

/// When the images, and the settings that go into them or say what does, were changed last.
pub(super) fn times(host: &Host, kernels: &KernelFacts, binding: &BindingFacts) -> Fact<ImageTimes> {
    let wanted = match wanted(kernels, binding) {
        Ok(wanted) => wanted,
        Err(why) => return Fact::unknown(why),
    };
    let files = binding.modprobe.value().into_iter().flat_map(|settings| settings.files.keys());
    let generators = binding.initramfs.value().into_iter().flatten().filter(|settings| settings.installed);
    let lists = generators.flat_map(|settings| settings.modules.iter().chain(&settings.files));
    let paths: BTreeSet<&str> =
        files.map(String::as_str).chain(lists.map(|listed| listed.path.as_str())).collect();
    let all = |paths: &mut dyn Iterator<Item = &str>| {
        paths.map(|path| Ok((path.to_owned(), host.modified(path)?))).collect::<Result<_, ReadError>>()
    };
    let images = all(&mut wanted.iter().map(|(_, path)| *path));
    match images.and_then(|images| Ok(ImageTimes { images, settings: all(&mut paths.into_iter())? })) {
        Ok(times) => {
            let seen = format!("{} images, {} files of settings", times.images.len(), times.settings.len());
            Fact::known(times, "/boot", seen)
        }
        Err(error) => because(&error),
    }
}

/// The releases and paths of the images that are worth a look, or why none is.
fn wanted<'a>(kernels: &'a KernelFacts, binding: &BindingFacts) -> Result<Vec<(&'a str, &'a str)>, String> {
    if let Some(why) = binding.modprobe.because() {
        return Err(why.to_owned());
    }
    if !wants_images(binding) {
        return Err(
            "nothing on this host is to be bound to vfio-pci at boot, so no image was opened".to_owned()
        );
    }
    with_images(kernels)
}

/// The release of a kernel, and the path of its image where it has one.
fn image(kernel: &InstalledKernel) -> Option<(&str, &str)> {
    Some((kernel.release.as_str(), kernel.initramfs.as_deref()?))
}

/// The releases and paths of all images.
fn with_images(kernels: &KernelFacts) -> Result<Vec<(&str, &str)>, String> {
    let installed = kernels
        .installed
        .value()
        .ok_or_else(|| kernels.installed.because().unwrap_or_default().to_owned())?;
    Ok(installed.iter().filter_map(image).collect())
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
