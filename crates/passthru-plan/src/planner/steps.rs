//! From the files as they stand and as they should be to steps.

use passthru_model::HostFacts;
use passthru_model::managed;
use passthru_model::plan::{Action, Effect, FileState, Step};

use super::iommu::INTEL_ON;
use super::texts::MARK;
use super::{Reason, select};

/// What a step on a file is called and why it is there.
struct About {
    id: &'static str,
    what: &'static str,
    why: &'static str,
    effect: Effect,
}

fn about(path: &str, after: &FileState) -> About {
    let (id, what, why, effect) = match path {
        managed::DEVICES => (
            "devices",
            "the list of chosen functions, each with what it must be",
            "at boot a function is taken only if it is the one that was chosen",
            Effect::Initramfs,
        ),
        managed::EARLY => (
            "early-script",
            "the script that reserves the functions, and gives them back where vfio-pci cannot take them",
            "a driver that has a device first does not let go of it cleanly",
            Effect::Initramfs,
        ),
        managed::UDEV_RULE => (
            "udev-rule",
            "the udev rule by which the first PCI event reserves all chosen functions",
            "no driver that udev loads can then be faster",
            Effect::Initramfs,
        ),
        managed::EARLY_UNIT => (
            "early-unit",
            "the unit that reserves the functions before modules are loaded",
            "lists of modules to load are read before udev acts",
            Effect::Reboot,
        ),
        managed::EARLY_WANT => (
            "early-unit-link",
            "the link that enables the unit",
            "systemd starts what is linked here",
            Effect::Reboot,
        ),
        managed::VERIFY_UNIT => (
            "verify-unit",
            "the unit that checks the functions after boot",
            "what vfio-pci could not take goes back to the host's driver",
            Effect::Reboot,
        ),
        managed::VERIFY_WANT => (
            "verify-unit-link",
            "the link that enables the unit",
            "systemd starts what is linked here",
            Effect::Reboot,
        ),
        managed::RECORD_UNIT => (
            "record-unit",
            "the unit that looks at each boot and keeps a record of it",
            "`passthru status` says with it when a boot went otherwise than intended, and why",
            Effect::Reboot,
        ),
        managed::RECORD_WANT => (
            "record-unit-link",
            "the link that enables the unit",
            "systemd starts what is linked here",
            Effect::Reboot,
        ),
        managed::INITRAMFS_HOOK => (
            "initramfs-hook",
            "the hook that puts vfio-pci, the list and the script into the initramfs",
            "graphics drivers are loaded in the initramfs already",
            Effect::Initramfs,
        ),
        managed::INITRAMFS_INIT_TOP => (
            "initramfs-init-top",
            "the initramfs script that reserves the functions before udev starts",
            "nothing in the initramfs can then load a driver earlier",
            Effect::Initramfs,
        ),
        managed::DRACUT_CONF => (
            "dracut-settings",
            "the settings by which dracut puts vfio-pci, the list and the script into the initramfs",
            "graphics drivers are loaded in the initramfs already",
            Effect::Initramfs,
        ),
        managed::MKINITCPIO_INSTALL => (
            "mkinitcpio-install",
            "the hook that puts vfio-pci, the list and the script into the image",
            "graphics drivers are loaded in the initramfs already",
            Effect::Initramfs,
        ),
        managed::MKINITCPIO_HOOK => (
            "mkinitcpio-hook",
            "the script by which the image reserves the functions before udev acts",
            "nothing in the initramfs can then load a driver earlier",
            Effect::Initramfs,
        ),
        managed::MKINITCPIO_DROP_IN => (
            "mkinitcpio-settings",
            "the setting by which mkinitcpio runs the hook",
            "mkinitcpio runs only what HOOKS names",
            Effect::Initramfs,
        ),
        managed::MKINITCPIO_CONF => (
            "mkinitcpio-hooks",
            "the list HOOKS of mkinitcpio's settings",
            "mkinitcpio runs only what HOOKS names, and this one reads no drop-ins",
            Effect::Initramfs,
        ),
        managed::MODPROBE => (
            "module-options",
            "the options by which vfio-pci takes the PCI IDs, ahead of their drivers",
            "the intent says to bind by PCI ID",
            Effect::Initramfs,
        ),
        _ => return about_loader(path, after),
    };
    About { id, what, why, effect }
}

/// Of a file that a boot loader reads, or what makes its entries.
fn about_loader(path: &str, after: &FileState) -> About {
    let (id, what, why) = match path {
        managed::PARAMETERS => (
            "parameters-record",
            "the list of kernel parameters that passthru adds to files of others",
            "what was added is what is taken out again, and nothing else",
        ),
        managed::GRUB_DROP_IN if sets_more_than_the_iommu(after) => (
            "grub-parameter",
            "the kernel parameters that the intent asks for",
            "the kernel reads them only when it starts",
        ),
        managed::GRUB_DROP_IN => (
            "grub-parameter",
            "the kernel parameter that turns the IOMMU on",
            "without the IOMMU no device can be given to a guest",
        ),
        managed::GRUB_OFF_ENTRY => (
            "grub-off-entry",
            "the boot menu entry without passthrough",
            "the way back, should the host not come up as wanted",
        ),
        managed::KERNEL_CMDLINE => (
            "kernel-cmdline",
            "the kernel command line that boot entries are made with",
            "it holds what turns the IOMMU on, and nothing that was typed for one boot alone",
        ),
        managed::KERNEL_INSTALL_OFF => (
            "kernel-install-off-entry",
            "the plugin of kernel-install that makes a boot entry without passthrough",
            "the way back, should the host not come up as wanted",
        ),
        path if path.ends_with(managed::OFF_ENTRY_ENDING) => (
            "off-entry",
            "the boot entry without passthrough",
            "the way back, should the host not come up as wanted",
        ),
        path if managed::has_entries(path) => (
            "boot-entries",
            "the boot entries: the kernel command line and, where they are all in one file, an entry without passthrough",
            "nothing makes these entries anew, so they are changed where they stand",
        ),
        _ => (
            "grub-settings",
            "the kernel parameter that turns the IOMMU off goes",
            "without the IOMMU no device can be given to a guest",
        ),
    };
    About { id, what, why, effect: Effect::Reboot }
}

/// Whether GRUB's drop-in has words for the boot settings of the intent.
fn sets_more_than_the_iommu(after: &FileState) -> bool {
    let text = String::from_utf8_lossy(after.content().unwrap_or_default());
    *after != FileState::Absent && !text.contains(&format!("_DEFAULT {INTEL_ON}\"\n"))
}

/// A step that brings a file of ours to a state; `None`: it is there already.
pub(crate) fn own_file(
    facts: &HostFacts,
    path: &str,
    after: FileState,
    reasons: &mut Vec<Reason>,
) -> Option<Step> {
    let before = match (facts.unreadable_files.get(path), facts.files.get(path)) {
        (Some(because), _) => {
            reasons.push(select::unreadable(facts, &format!("what stands at {path}"), because));
            return None;
        }
        (None, None) => {
            reasons.push(select::unknown(facts, &format!("what stands at {path}"), "it was not looked at"));
            return None;
        }
        (None, Some(before)) => before.clone(),
    };
    if before == after
        || (is_link(path)
            && matches!(before, FileState::Link { .. })
            && matches!(after, FileState::Link { .. }))
    {
        return None;
    }
    if let Some(problem) = foreign(path, &before) {
        // Where nothing of ours is wanted, what is not ours is not our business.
        if after == FileState::Absent {
            return None;
        }
        reasons.push(Reason::NotOurs { path: path.to_owned(), problem });
        return None;
    }
    // The modes and owners that stand are kept by an edit; only what makes a script a script is set.
    let after = match (&before, after) {
        (FileState::File { uid, gid, .. }, FileState::File { content, mode, .. }) => {
            FileState::File { content, mode, uid: *uid, gid: *gid }
        }
        (_, after) => after,
    };
    (before != after).then(|| file_step(path, before, after))
}

fn is_link(path: &str) -> bool {
    matches!(path, managed::EARLY_WANT | managed::VERIFY_WANT | managed::RECORD_WANT)
}

/// Why what stands at a path of ours is not ours.
fn foreign(path: &str, before: &FileState) -> Option<String> {
    match before {
        FileState::Absent => None,
        FileState::Link { target } => {
            let unit = path.rsplit('/').next().unwrap_or_default();
            let own = is_link(path) && target.rsplit('/').next() == Some(unit);
            (!own).then(|| format!("a symbolic link to {target}"))
        }
        FileState::File { .. } if is_link(path) => Some("a file where a link is expected".to_owned()),
        FileState::File { content, .. } => {
            let text = String::from_utf8_lossy(&content.0);
            let own = text.lines().take(3).any(|line| line.contains(MARK));
            (!own).then(|| format!("its first lines do not say ‘{MARK}’"))
        }
    }
}

/// A step on a file, named after the path.
pub(crate) fn file_step(path: &str, before: FileState, after: FileState) -> Step {
    let About { id, what, why, effect } = about(path, &after);
    let (what, why) = match (&before, &after) {
        _ if matches!(id, "boot-entries" | "mkinitcpio-hooks") => (format!("change {what}"), why.to_owned()),
        (_, FileState::Absent) => (format!("remove {what}"), "nothing needs it any more".to_owned()),
        (FileState::Absent, _) => (format!("add {what}"), why.to_owned()),
        _ if id == "grub-settings" => (what.to_owned(), why.to_owned()),
        _ => (format!("bring up to date {what}"), why.to_owned()),
    };
    // Several of these may change: the file's name keeps the ids apart.
    let id = if matches!(id, "grub-settings" | "off-entry" | "boot-entries") {
        let name = path.rsplit('/').next().unwrap_or_default();
        format!(
            "{id}-{}",
            name.trim_end_matches(".cfg")
                .trim_end_matches(managed::OFF_ENTRY_ENDING)
                .trim_end_matches(".conf")
        )
    } else {
        id.to_owned()
    };
    Step { id, action: Action::File { path: path.to_owned(), before, after }, what, why, effect }
}

/// The step on the intent file.
pub(crate) fn intent_step(before: FileState, after: FileState, what: &str) -> Step {
    Step {
        id: "intent".to_owned(),
        action: Action::File { path: passthru_model::intent::INTENT_PATH.to_owned(), before, after },
        what: what.to_owned(),
        why: "it is what all the rest is made from".to_owned(),
        effect: Effect::Now,
    }
}
