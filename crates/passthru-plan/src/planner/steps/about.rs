//! What each file that a plan changes is, in words.

use passthru_formats::boot_entries;
use passthru_model::managed;
use passthru_model::plan::{Effect, FileState};

use crate::planner::iommu::INTEL_ON;

/// What a step on a file is called and why it is there.
pub(super) struct About {
    pub(super) id: &'static str,
    pub(super) what: &'static str,
    pub(super) why: &'static str,
    pub(super) effect: Effect,
}

/// Of a file, by its path and what is to stand there.
pub(super) fn about(path: &str, after: &FileState) -> About {
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
        managed::LIBVIRT_HOOK => (
            "libvirt-hook",
            "the script that libvirt runs around each guest",
            "guests that libvirt starts are given their devices and tuned for as `passthru guest start` does it",
            Effect::GuestStart,
        ),
        _ => {
            return about_images(path)
                .or_else(|| about_host(path))
                .unwrap_or_else(|| about_loader(path, after));
        }
    };
    About { id, what, why, effect }
}

/// Of a file that steers a generator of the initramfs; `None`: it is none.
fn about_images(path: &str) -> Option<About> {
    let (id, what, why) = match path {
        managed::INITRAMFS_HOOK => (
            "initramfs-hook",
            "the hook that puts vfio-pci, the list and the script into the initramfs",
            "graphics drivers are loaded in the initramfs already",
        ),
        managed::INITRAMFS_INIT_TOP => (
            "initramfs-init-top",
            "the initramfs script that reserves the functions before udev starts",
            "nothing in the initramfs can then load a driver earlier",
        ),
        managed::DRACUT_CONF => (
            "dracut-settings",
            "the settings by which dracut puts vfio-pci, the list and the script into the initramfs",
            "graphics drivers are loaded in the initramfs already",
        ),
        managed::MKINITCPIO_INSTALL => (
            "mkinitcpio-install",
            "the hook that puts vfio-pci, the list and the script into the image",
            "graphics drivers are loaded in the initramfs already",
        ),
        managed::MKINITCPIO_HOOK => (
            "mkinitcpio-hook",
            "the script by which the image reserves the functions before udev acts",
            "nothing in the initramfs can then load a driver earlier",
        ),
        managed::MKINITCPIO_DROP_IN => (
            "mkinitcpio-settings",
            "the setting by which mkinitcpio runs the hook",
            "mkinitcpio runs only what HOOKS names",
        ),
        managed::MKINITCPIO_CONF => (
            "mkinitcpio-hooks",
            "the list HOOKS of mkinitcpio's settings",
            "mkinitcpio runs only what HOOKS names, and this one reads no drop-ins",
        ),
        managed::MODPROBE => (
            "module-options",
            "the options that give the PCI IDs to a driver which keeps them for guests, and load it ahead of others",
            "the intent says to bind by PCI ID",
        ),
        _ => return None,
    };
    Some(About { id, what, why, effect: Effect::Initramfs })
}

/// Of a file by which the host itself is set up; `None`: it is none.
fn about_host(path: &str) -> Option<About> {
    let (id, what, why) = match path {
        managed::HOST_RULES => (
            "host-udev-rules",
            "the udev rules for the host itself",
            "names of cards, owners, ways to reset and virtual functions are given anew at each boot",
        ),
        managed::HOST_XORG => (
            "host-xorg",
            "the X server's settings for the host's GPU",
            "it looks at every card otherwise, and takes up those that appear later",
        ),
        managed::HOST_ENVIRONMENT => (
            "host-environment",
            "the variables by which compositors of Wayland choose the host's GPU",
            "they look at every card otherwise",
        ),
        managed::HOST_LIMITS => (
            "host-limits",
            "how much memory the user's programs may lock",
            "a guest with devices keeps all of its memory locked",
        ),
        managed::HOST_MODULES => (
            "host-modules",
            "the list of modules to load",
            "nothing else has the kernel load them, and they must be there before a guest starts",
        ),
        managed::KVMFR_OPTIONS => (
            "kvmfr-options",
            "the size of the memory of kvmfr",
            "its node is made when it is loaded, with this size",
        ),
        managed::QEMU_CONF => (
            "qemu-settings",
            "the list of nodes that a guest of libvirt may open: kvmfr's",
            "a list that is set takes the place of libvirt's own, so all of that stands in it too",
        ),
        managed::APPARMOR_QEMU => (
            "apparmor-addition",
            "what AppArmor lets a guest of libvirt open: kvmfr's node",
            "it would be refused otherwise, whoever owns it",
        ),
        _ => return None,
    };
    Some(About { id, what, why, effect: Effect::Reboot })
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
        managed::NIXOS_MODULE => (
            "nixos-module",
            "the module of NixOS that binds the devices at boot",
            "on NixOS the system is made of its configuration, which is to import this file",
        ),
        managed::KERNELSTUB => (
            "kernelstub-settings",
            "the kernel parameters in kernelstub's settings",
            "kernelstub makes the boot entries from them, now and at kernel updates",
        ),
        managed::U_BOOT_OFF_ENTRY => (
            "u-boot-off-entry",
            "the settings by which u-boot-update makes a menu entry without passthrough",
            "the way back, should the host not come up as wanted",
        ),
        managed::LIMINE_OFF_ENTRY => (
            "limine-off-entry",
            "the script by which Limine's menu gets an entry without passthrough",
            "the way back, should the host not come up as wanted",
        ),
        managed::KERNEL_INSTALL_OFF => (
            "kernel-install-off-entry",
            "the plugin of kernel-install that makes a boot entry without passthrough",
            "the way back, should the host not come up as wanted",
        ),
        path if managed::LIMINE_SETTINGS.contains(&path) || path.contains("/limine-entry-tool.d/") => (
            "limine-settings",
            "the kernel parameters in the settings of limine-entry-tool",
            "it makes Limine's entries from them, now and at kernel updates",
        ),
        managed::BOOT_ORDER => (
            "firmware-order",
            "the order of the firmware's boot entries: the one without passthrough is the last while it is there",
            "menus of firmware show what is in the order, and the first in it is started",
        ),
        path if managed::boot_number(path).is_some() && is_way_back(path, after) => (
            "firmware-off-entry",
            "the firmware's boot entry without passthrough",
            "the way back, should the host not come up as wanted",
        ),
        path if managed::boot_number(path).is_some() => (
            "firmware-entry",
            "the kernel command line in the firmware's boot entry",
            "the firmware starts the kernel itself, with the words of its entry",
        ),
        path if path == managed::U_BOOT_DEFAULTS || path.contains("/u-boot-menu/conf.d/") => (
            "u-boot-settings",
            "the kernel parameters in the settings of u-boot-update",
            "u-boot-update makes the menu from them, now and at kernel updates",
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

/// Whether a variable of the firmware is, or was, the entry without passthrough: no other of its entries is ever removed.
fn is_way_back(path: &str, after: &FileState) -> bool {
    after.content().is_none_or(|bytes| boot_entries::is_firmware_off(path, bytes))
}
