//! The files that a plan may touch or must look at. The reader of hosts reads exactly these into
//! [`crate::facts::HostFacts::files`]; the planner plans on nothing else.

use crate::intent::INTENT_PATH;

/// The list of chosen functions that the early script and the verify unit read.
pub const DEVICES: &str = "/etc/passthru/devices";
/// The script that marks functions before any driver can claim them, and gives them back where vfio-pci cannot.
pub const EARLY: &str = "/etc/passthru/early";
/// The udev rule in which every PCI event first marks all chosen functions.
pub const UDEV_RULE: &str = "/etc/udev/rules.d/10-passthru.rules";
/// The unit that marks before modules are loaded.
pub const EARLY_UNIT: &str = "/etc/systemd/system/passthru-early.service";
/// The link that enables [`EARLY_UNIT`].
pub const EARLY_WANT: &str = "/etc/systemd/system/sysinit.target.wants/passthru-early.service";
/// The unit that verifies after boot and fails open.
pub const VERIFY_UNIT: &str = "/etc/systemd/system/passthru-verify.service";
/// The link that enables [`VERIFY_UNIT`].
pub const VERIFY_WANT: &str = "/etc/systemd/system/basic.target.wants/passthru-verify.service";
/// The unit that looks at each boot and keeps a record of it.
pub const RECORD_UNIT: &str = "/etc/systemd/system/passthru-record.service";
/// The link that enables [`RECORD_UNIT`].
pub const RECORD_WANT: &str = "/etc/systemd/system/multi-user.target.wants/passthru-record.service";
/// initramfs-tools: puts our files and vfio-pci into the image.
pub const INITRAMFS_HOOK: &str = "/etc/initramfs-tools/hooks/passthru";
/// initramfs-tools: runs [`EARLY`] before udev starts.
pub const INITRAMFS_INIT_TOP: &str = "/etc/initramfs-tools/scripts/init-top/passthru";
/// dracut: puts our files and vfio-pci into the image. A drop-in, for it is text of ours alone that no update of the package
/// touches.
pub const DRACUT_CONF: &str = "/etc/dracut.conf.d/50-passthru.conf";
/// mkinitcpio's main settings.
pub const MKINITCPIO_CONF: &str = "/etc/mkinitcpio.conf";
/// mkinitcpio: our drop-in, which has [`MKINITCPIO_INSTALL`] run. Read since version 36.
pub const MKINITCPIO_DROP_IN: &str = "/etc/mkinitcpio.conf.d/90-passthru.conf";
/// mkinitcpio: puts our files and vfio-pci into the image.
pub const MKINITCPIO_INSTALL: &str = "/etc/initcpio/install/passthru";
/// mkinitcpio: runs [`EARLY`] before udev acts, where the init in the image is not systemd.
pub const MKINITCPIO_HOOK: &str = "/etc/initcpio/hooks/passthru";
/// Module options, for the intent that binds by id.
pub const MODPROBE: &str = "/etc/modprobe.d/passthru.conf";
/// The rules of udev for the host itself: its GPU's name, whom guests' devices belong to, resets. Ahead of
/// `73-seat-late.rules`, which gives what is tagged `uaccess` to the user at the seat.
pub const HOST_RULES: &str = "/etc/udev/rules.d/70-passthru-host.rules";
/// The X server: the host's GPU and no other.
pub const HOST_XORG: &str = "/etc/X11/xorg.conf.d/10-passthru-gpu.conf";
/// Wayland's compositors, through the user's systemd: the host's GPU and no other.
pub const HOST_ENVIRONMENT: &str = "/etc/environment.d/90-passthru-gpu.conf";
/// PAM: how much memory a user's programs may lock.
pub const HOST_LIMITS: &str = "/etc/security/limits.d/90-passthru.conf";
/// The modules that are loaded at boot.
pub const HOST_MODULES: &str = "/etc/modules-load.d/passthru.conf";
/// The options of kvmfr. No image needs them.
pub const KVMFR_OPTIONS: &str = "/etc/modprobe.d/passthru-kvmfr.conf";
/// libvirt's settings for QEMU.
pub const QEMU_CONF: &str = "/etc/libvirt/qemu.conf";
/// AppArmor: what QEMU may open below libvirt, by the host's own additions.
pub const APPARMOR_QEMU: &str = "/etc/apparmor.d/local/abstractions/libvirt-qemu";
/// initramfs-tools' own list of modules.
pub const INITRAMFS_MODULES: &str = "/etc/initramfs-tools/modules";
/// The words that we added to files which are not ours, for what the intent wants the kernel told.
pub const PARAMETERS: &str = "/etc/passthru/parameters";
/// What libvirt runs around each guest, beside the user's own `/etc/libvirt/hooks/qemu` (since libvirt 6.5,
/// <https://libvirt.org/hooks.html>).
pub const LIBVIRT_HOOK: &str = "/etc/libvirt/hooks/qemu.d/passthru";
/// GRUB's settings.
pub const GRUB_DEFAULTS: &str = "/etc/default/grub";
/// Our settings for GRUB, read after [`GRUB_DEFAULTS`] on Debian.
pub const GRUB_DROP_IN: &str = "/etc/default/grub.d/50-passthru.cfg";
/// The menu entry that boots without passthrough.
pub const GRUB_OFF_ENTRY: &str = "/etc/grub.d/42_passthru";
/// GRUB's generated menu.
pub const GRUB_CFG: &str = "/boot/grub/grub.cfg";
/// GRUB's generated menu, wherever it may be: as upstream and Debian have it, as Fedora and SUSE have it, and on an EFI system
/// partition that is GRUB's boot directory.
pub const GRUB_MENUS: [&str; 3] = [GRUB_CFG, "/boot/grub2/grub.cfg", "/efi/grub/grub.cfg"];
/// kernel-install: the kernel command line of all entries that it makes.
pub const KERNEL_CMDLINE: &str = "/etc/kernel/cmdline";
/// What stands for [`KERNEL_CMDLINE`] where that is not there. It belongs to a package, and is looked at only.
pub const KERNEL_CMDLINE_VENDOR: &str = "/usr/lib/kernel/cmdline";
/// kernel-install: the plugin that makes an entry without passthrough beside each entry.
pub const KERNEL_INSTALL_OFF: &str = "/etc/kernel/install.d/95-passthru.install";
/// How the names of the entries end that [`KERNEL_INSTALL_OFF`] makes.
pub const OFF_ENTRY_ENDING: &str = "-passthru-off.conf";

/// kernelstub's settings, from which it makes boot entries on Pop!_OS.
pub const KERNELSTUB: &str = "/etc/kernelstub/configuration";

/// The settings that u-boot-update makes the menu of U-Boot from (Debian's u-boot-menu).
pub const U_BOOT_DEFAULTS: &str = "/etc/default/u-boot";
/// u-boot-update: our file that it reads after [`U_BOOT_DEFAULTS`], and that adds the entry without passthrough.
pub const U_BOOT_OFF_ENTRY: &str = "/etc/u-boot-menu/conf.d/90-passthru.conf";

/// The settings that limine-entry-tool makes Limine's entries from, of which the first is read last
/// (`/usr/lib/limine/limine-common-functions`, `load_config`).
pub const LIMINE_SETTINGS: [&str; 2] = ["/etc/default/limine", "/etc/limine-entry-tool.conf"];

/// limine-entry-tool: what it runs whenever it has made the menu, by which the entry without passthrough is added.
pub const LIMINE_OFF_ENTRY: &str = "/etc/boot/hooks/post.d/50-passthru";

/// systemd-boot's own settings, on each place where its partition may be mounted. They are looked at only.
pub const LOADER_CONF: [&str; 3] =
    ["/efi/loader/loader.conf", "/boot/loader/loader.conf", "/boot/efi/loader/loader.conf"];
/// rEFInd's options for the kernels beside the file.
pub const REFIND_LINUX: &str = "/boot/refind_linux.conf";
/// Limine's menu, wherever it may be.
pub const LIMINE: [&str; 4] =
    ["/boot/limine.conf", "/boot/limine/limine.conf", "/efi/limine.conf", "/boot/EFI/BOOT/limine.conf"];
/// The menus of Extlinux and Syslinux.
pub const SYSLINUX: [&str; 2] = ["/boot/syslinux/syslinux.cfg", "/boot/extlinux/extlinux.conf"];

/// NixOS: our module, which the user's configuration imports.
pub const NIXOS_MODULE: &str = "/etc/passthru/passthru.nix";

/// Where Linux shows the variables of UEFI firmware, a file each.
pub const EFI_VARIABLES: &str = "/sys/firmware/efi/efivars";
/// How the names of variables end that UEFI itself defines (`EFI_GLOBAL_VARIABLE`, UEFI Specification 2.10, §3.3).
pub const EFI_GLOBAL: &str = "-8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// The order in which the firmware tries its boot entries.
pub const BOOT_ORDER: &str = "/sys/firmware/efi/efivars/BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// The number of the boot entry that the running system was started by.
pub const BOOT_CURRENT: &str = "/sys/firmware/efi/efivars/BootCurrent-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// The variable of a boot entry of the firmware.
pub fn boot_variable(number: u16) -> String {
    format!("{EFI_VARIABLES}/Boot{number:04X}{EFI_GLOBAL}")
}

/// The number of a boot entry of the firmware, by the path of its variable; `None`: it is no such path.
pub fn boot_number(path: &str) -> Option<u16> {
    let digits = path.strip_prefix(EFI_VARIABLES)?.strip_prefix("/Boot")?.strip_suffix(EFI_GLOBAL)?;
    let number = u16::from_str_radix(digits, 16).ok()?;
    (boot_variable(number) == path).then_some(number)
}

/// Whether a file has boot entries in the languages of [`crate::boot::Dialect`]: a file of one entry, or a whole menu.
pub fn has_entries(path: &str) -> bool {
    is_single_entry(path) || path == REFIND_LINUX || LIMINE.contains(&path) || SYSLINUX.contains(&path)
}

/// Whether a file is one entry of the Boot Loader Specification.
pub fn is_single_entry(path: &str) -> bool {
    path.contains("/loader/entries/")
}

/// Every single file that is looked at.
pub const FILES: &[&str] = &[
    INTENT_PATH,
    DEVICES,
    EARLY,
    UDEV_RULE,
    EARLY_UNIT,
    EARLY_WANT,
    VERIFY_UNIT,
    VERIFY_WANT,
    RECORD_UNIT,
    RECORD_WANT,
    INITRAMFS_HOOK,
    INITRAMFS_INIT_TOP,
    DRACUT_CONF,
    MKINITCPIO_CONF,
    MKINITCPIO_DROP_IN,
    MKINITCPIO_INSTALL,
    MKINITCPIO_HOOK,
    MODPROBE,
    HOST_RULES,
    HOST_XORG,
    HOST_ENVIRONMENT,
    HOST_LIMITS,
    HOST_MODULES,
    KVMFR_OPTIONS,
    QEMU_CONF,
    APPARMOR_QEMU,
    INITRAMFS_MODULES,
    PARAMETERS,
    LIBVIRT_HOOK,
    NIXOS_MODULE,
    GRUB_DEFAULTS,
    GRUB_DROP_IN,
    GRUB_OFF_ENTRY,
    GRUB_MENUS[0],
    GRUB_MENUS[1],
    GRUB_MENUS[2],
    KERNEL_CMDLINE,
    KERNEL_CMDLINE_VENDOR,
    KERNEL_INSTALL_OFF,
    KERNELSTUB,
    U_BOOT_DEFAULTS,
    U_BOOT_OFF_ENTRY,
    LIMINE_SETTINGS[0],
    LIMINE_SETTINGS[1],
    LIMINE_OFF_ENTRY,
    LOADER_CONF[0],
    LOADER_CONF[1],
    LOADER_CONF[2],
    REFIND_LINUX,
    LIMINE[0],
    LIMINE[1],
    LIMINE[2],
    LIMINE[3],
    SYSLINUX[0],
    SYSLINUX[1],
];

/// Directories whose files with this ending are looked at too.
pub const DIRECTORIES: &[(&str, &str)] = &[
    ("/etc/default/grub.d", ".cfg"),
    ("/etc/modprobe.d", ".conf"),
    ("/etc/driverctl.d", ""),
    ("/etc/mkinitcpio.conf.d", ".conf"),
    ("/etc/initramfs-tools/scripts/init-top", ".sh"),
    ("/efi/loader/entries", ".conf"),
    ("/boot/loader/entries", ".conf"),
    ("/boot/efi/loader/entries", ".conf"),
    ("/usr/share/u-boot-menu/conf.d", ".conf"),
    ("/etc/u-boot-menu/conf.d", ".conf"),
    ("/usr/share/limine-entry-tool.d", ".conf"),
    ("/etc/limine-entry-tool.d", ".conf"),
];
