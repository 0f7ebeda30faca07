//! Limine with the entries that limine-entry-tool makes, and the images that limine-mkinitcpio puts beside its menu.

use passthru_formats::limine::{self, Entry};
use passthru_model::boot::{Dialect, LimineEntries};
use passthru_model::fact::Evidence;
use passthru_model::managed::LIMINE_SETTINGS;

use super::{first, machine_id, mentions, written};
use crate::host::Host;

/// What its scripts have in common.
const FUNCTIONS: &str = "/usr/lib/limine/limine-common-functions";
/// The directories of what it runs before and after it makes anything.
const HOOKS: &str = "/etc/boot/hooks";

/// What the tool makes, where it is set up; `None`: it is not.
pub(super) fn traced(host: &Host) -> Result<Option<(LimineEntries, Evidence)>, String> {
    let by_hand = format!(
        "by hand, words go into KERNEL_CMDLINE[default] of {}, then `limine-update`",
        LIMINE_SETTINGS[0]
    );
    let Some(program) = first(host, "limine-mkinitcpio")? else {
        if let Some(other) = first(host, "limine-dracut")? {
            return Err(format!(
                "{other} makes Limine's entries and their images, which passthru does not know yet how to use; {by_hand}"
            ));
        }
        for path in LIMINE_SETTINGS {
            if host.exists(path).map_err(|error| error.to_string())? {
                return Err(format!(
                    "Limine's entries are made by limine-entry-tool from {path}, and there is no limine-mkinitcpio that would make them \
                     anew; {by_hand}"
                ));
            }
        }
        return Ok(None);
    };
    if !host.exists(FUNCTIONS).map_err(|error| error.to_string())? || !mentions(host, FUNCTIONS, HOOKS)? {
        return Err(format!(
            "{program} makes Limine's entries, and runs nothing of {HOOKS} ({FUNCTIONS}), so that no entry without passthrough would outlast \
             a kernel update: update limine-entry-tool"
        ));
    }
    let (found, _) = written::of(host, Dialect::Limine)?;
    let Some(menu) = found.files.first().cloned() else { return Ok(None) };
    let Some(machine_id) = machine_id(host).map_err(|error| error.to_string())? else {
        return Err(
            "/etc/machine-id holds no id, by which limine-entry-tool names the directory of its images: `systemd-machine-id-setup` writes one".to_owned()
        );
    };
    let text = host.read_text(&menu).map_err(|error| error.to_string())?;
    let entries = limine::entries(&text);
    let kernel = |entry: &Entry| entry.image.as_deref().and_then(limine::beside_menu).map(str::to_owned);
    let made = |entry: &&Entry| kernel(entry).is_some_and(|path| LimineEntries::is_made(&machine_id, &path));
    // The partition of the menu is mounted above it: on /boot, or on /efi.
    let root = if menu.starts_with("/boot/") { "/boot" } else { "/efi" };
    let mut found =
        LimineEntries { menu, machine_id: machine_id.clone(), parts: Vec::new(), images: Vec::new() };
    for entry in entries.iter().filter(made) {
        let images = entry.modules.iter().filter_map(|path| limine::beside_menu(path));
        for path in kernel(entry).into_iter().chain(images.map(str::to_owned)) {
            let (is_image, path) = (Some(&path) != kernel(entry).as_ref(), format!("{root}{path}"));
            if found.parts.contains(&path) {
                continue;
            }
            if !host.exists(&path).map_err(|error| error.to_string())? {
                return Err(format!("{} names {path}, which is not there; {program} makes it", found.menu));
            }
            // Microcode is no image of a kernel.
            if is_image && path.rsplit('/').next().is_some_and(|name| name.starts_with("initramfs-")) {
                found.images.push(path.clone());
            }
            found.parts.push(path);
        }
    }
    if found.images.is_empty() {
        return Err(format!(
            "{} has no entry with a kernel and an initramfs that {program} makes for this machine, below /{machine_id}: where they are \
             unified kernel images (ENABLE_UKI), passthru does not know yet how to change them; {by_hand}",
            found.menu
        ));
    }
    let evidence =
        Evidence::new(&*found.menu, format!("made by {program}, and has all words of {}", written::RUNNING));
    Ok(Some((found, evidence)))
}
