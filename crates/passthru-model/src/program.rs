//! The programs that passthru runs. There are no others: a plan cannot name what is not here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A program that may be run, always by argument vector and never through a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// Rebuilds initramfs images (initramfs-tools).
    UpdateInitramfs,
    /// Lists what is in an initramfs image (initramfs-tools).
    Lsinitramfs,
    /// Rebuilds GRUB's menu (Debian).
    UpdateGrub,
    /// The emulator and hypervisor.
    QemuSystemX86_64,
}

impl Program {
    /// The file name that is looked up in the program directories.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::UpdateInitramfs => "update-initramfs",
            Self::Lsinitramfs => "lsinitramfs",
            Self::UpdateGrub => "update-grub",
            Self::QemuSystemX86_64 => "qemu-system-x86_64",
        }
    }

    /// The Debian package that carries it, for messages.
    pub fn debian_package(self) -> &'static str {
        match self {
            Self::UpdateInitramfs => "initramfs-tools",
            Self::Lsinitramfs => "initramfs-tools-core",
            Self::UpdateGrub => "grub2-common",
            Self::QemuSystemX86_64 => "qemu-system-x86",
        }
    }
}
