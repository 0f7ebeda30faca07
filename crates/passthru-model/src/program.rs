//! The programs that passthru runs. There are no others: a plan cannot name what is not here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A program that may be run, always by argument vector and never through a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// Rebuilds initramfs images (initramfs-tools).
    UpdateInitramfs,
    /// Builds an initramfs image (dracut).
    Dracut,
    /// Builds initramfs images (mkinitcpio).
    Mkinitcpio,
    /// Makes boot entries or unified kernel images (systemd).
    KernelInstall,
    /// Rebuilds GRUB's menu (Debian).
    UpdateGrub,
    /// Makes GRUB's menu.
    GrubMkconfig,
    /// The same, as Fedora and SUSE call it.
    #[serde(rename = "grub2-mkconfig")]
    Grub2Mkconfig,
    /// Copies kernels and makes boot entries (Pop!_OS).
    Kernelstub,
    /// Makes the menu of U-Boot and Extlinux (Debian's u-boot-menu).
    UBootUpdate,
    /// Makes Limine's entries and the images that they start (limine-entry-tool).
    LimineMkinitcpio,
    /// Loads kernel modules (kmod).
    Modprobe,
    /// Takes one kernel module out (kmod).
    Rmmod,
    /// Starts and stops units, and sets properties of them while the host runs (systemd).
    Systemctl,
    /// The emulator and hypervisor.
    QemuSystemX86_64,
    /// What asks libvirt's daemon to do something.
    Virsh,
}

impl Program {
    /// The file name that is looked up in the program directories.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::UpdateInitramfs => "update-initramfs",
            Self::Dracut => "dracut",
            Self::Mkinitcpio => "mkinitcpio",
            Self::KernelInstall => "kernel-install",
            Self::UpdateGrub => "update-grub",
            Self::GrubMkconfig => "grub-mkconfig",
            Self::Grub2Mkconfig => "grub2-mkconfig",
            Self::Kernelstub => "kernelstub",
            Self::UBootUpdate => "u-boot-update",
            Self::LimineMkinitcpio => "limine-mkinitcpio",
            Self::Modprobe => "modprobe",
            Self::Rmmod => "rmmod",
            Self::Systemctl => "systemctl",
            Self::QemuSystemX86_64 => "qemu-system-x86_64",
            Self::Virsh => "virsh",
        }
    }

    /// The Debian package that carries it, for messages.
    pub fn debian_package(self) -> &'static str {
        match self {
            Self::UpdateInitramfs => "initramfs-tools",
            Self::Dracut => "dracut",
            Self::Mkinitcpio => "mkinitcpio",
            Self::KernelInstall | Self::Systemctl => "systemd",
            Self::UpdateGrub => "grub2-common",
            Self::GrubMkconfig | Self::Grub2Mkconfig => "grub-common",
            Self::Kernelstub => "kernelstub",
            Self::UBootUpdate => "u-boot-menu",
            Self::LimineMkinitcpio => "limine-mkinitcpio-hook",
            Self::Modprobe | Self::Rmmod => "kmod",
            Self::QemuSystemX86_64 => "qemu-system-x86",
            Self::Virsh => "libvirt-clients",
        }
    }

    /// The command as a person would type it.
    pub fn command_line(self, arguments: &[String]) -> String {
        command_line(self.file_name(), arguments)
    }
}

/// A program and its arguments as a shell would take them literally; for people to read and to paste, never to be run.
pub fn command_line(program: &str, arguments: &[String]) -> String {
    let mut line = quoted(program);
    for argument in arguments {
        line.push(' ');
        line.push_str(&quoted(argument));
    }
    line
}

/// A word as a shell takes it literally.
pub fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::command_line;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        assert_eq!(command_line("/bin/a", &["it's".to_owned(), String::new()]), "/bin/a 'it'\\''s' ''");
    }
}
