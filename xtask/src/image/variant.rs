//! Lab hosts that boot in other ways than the plain one: what differs in the recipe.

use serde::Deserialize;

use super::recipe::{self, Seed};

/// What boots the lab host, and what builds its initramfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Variant {
    /// GRUB and initramfs-tools.
    #[default]
    #[serde(rename = "grub+initramfs-tools")]
    Plain,
    /// GRUB and dracut.
    #[serde(rename = "grub+dracut")]
    GrubDracut,
    /// systemd-boot with entries of kernel-install, and initramfs-tools; the command line is that of the running system.
    #[serde(rename = "sdboot+initramfs-tools")]
    SystemdBoot,
    /// systemd-boot with entries of kernel-install, and dracut; the command line is in `/etc/kernel/cmdline`.
    #[serde(rename = "sdboot+dracut")]
    SystemdBootDracut,
    /// A unified kernel image below systemd-boot, made by kernel-install with ukify and initramfs-tools.
    #[serde(rename = "uki")]
    Unified,
    /// GRUB and initramfs-tools of Debian 12: Linux 6.1, GRUB 2.06, QEMU 7.2.
    #[serde(rename = "debian-12")]
    Bookworm,
    /// The plain one with libvirt, swtpm, and the services that move interrupts and frequencies about by themselves.
    #[serde(rename = "libvirt")]
    Libvirt,
}

/// What a host has on which libvirt starts the guests.
const LIBVIRT: &[&str] = &[
    "libvirt-daemon-system",
    "libvirt-clients",
    "swtpm",
    "swtpm-tools",
    "irqbalance",
    "power-profiles-daemon",
];

/// The kernel command line of hosts without GRUB: what GRUB's settings make of the plain one.
const CMDLINE: &str = "root=UUID=7b1f8f0e-5d1b-4a57-9c43-0a4b6c1d2e3f ro console=ttyS0,115200 log_buf_len=8M \
     dyndbg=\"func really_probe +p\" quiet intel_iommu=off\n";

/// Makes the entry of the running kernel by the programs of the system, in place of the one of the first boot.
const ENTRIES: &[&[&str]] = &[
    &[
        "sh",
        "-ec",
        "kernel-install add \"$(uname -r)\" \"/boot/vmlinuz-$(uname -r)\"; rm -r /boot/efi/first /boot/efi/loader/entries/first.conf",
    ],
    &["bootctl", "list", "--no-pager"],
];

/// The same of the other layout, which kernel-install chooses only where `bootctl install` has left a mark on the partition.
const BLS_ENTRIES: &[&[&str]] = &[
    &[
        "sh",
        "-ec",
        "bootctl install --no-variables; kernel-install add \"$(uname -r)\" \"/boot/vmlinuz-$(uname -r)\"; \
         rm -r /boot/efi/first /boot/efi/loader/entries/first.conf; ls /boot/efi/loader/entries/*.conf",
    ],
    &["bootctl", "list", "--no-pager"],
];

impl Variant {
    /// Whether systemd-boot boots it.
    pub(super) fn is_systemd_boot(self) -> bool {
        matches!(self, Self::SystemdBoot | Self::SystemdBootDracut | Self::Unified)
    }

    /// The release of Debian.
    pub(super) fn suite(self) -> &'static str {
        if self == Self::Bookworm { "bookworm" } else { recipe::SUITE }
    }

    fn is_dracut(self) -> bool {
        matches!(self, Self::GrubDracut | Self::SystemdBootDracut)
    }

    /// The packages.
    pub(super) fn packages(self) -> Vec<&'static str> {
        let mut packages = recipe::PACKAGES.to_vec();
        if self.is_dracut() {
            packages.retain(|name| *name != "initramfs-tools");
            packages.push("dracut");
        }
        if self.is_systemd_boot() {
            packages.retain(|name| !name.starts_with("grub"));
            packages.extend(["systemd-boot", "systemd-boot-efi"]);
        }
        if self == Self::Unified {
            packages.push("systemd-ukify");
        }
        if self == Self::Libvirt {
            packages.extend(LIBVIRT);
        }
        packages
    }

    /// The files that are written into the root.
    pub(super) fn seeds(self) -> Vec<Seed> {
        let other = |seed: &Seed| {
            (self.is_dracut() && seed.path.starts_with("/etc/initramfs-tools/"))
                || (self.is_systemd_boot() && seed.path == "/etc/default/grub")
        };
        let mut seeds: Vec<Seed> = recipe::SEEDS.iter().filter(|seed| !other(seed)).copied().collect();
        if self.is_systemd_boot() {
            // The entries are named after it.
            seeds.push(recipe::seed("/etc/machine-id", "7b1f8f0e5d1b4a579c430a4b6c1d2e3f\n"));
        }
        if matches!(self, Self::SystemdBootDracut | Self::Unified) {
            seeds.push(recipe::seed("/etc/kernel/cmdline", CMDLINE));
        }
        if self == Self::Unified {
            seeds.push(recipe::seed("/etc/kernel/install.conf", "layout=uki\n"));
        }
        seeds
    }

    /// What the first boot runs.
    pub(super) fn settle(self) -> Vec<&'static [&'static str]> {
        let of_another = |argv: &&[&str]| match argv.first() {
            Some(&"update-grub") => self.is_systemd_boot(),
            Some(&"update-initramfs") => self.is_dracut(),
            _ => false,
        };
        let mut settle: Vec<&[&str]> =
            recipe::SETTLE.iter().copied().filter(|argv| !of_another(argv)).collect();
        if self.is_systemd_boot() {
            let end = settle.len() - 2;
            let entries = if self == Self::Unified { ENTRIES } else { BLS_ENTRIES };
            settle.splice(end..end, entries.iter().copied());
        }
        settle
    }

    /// MiB of the EFI system partition: systemd-boot has kernels and images there.
    pub(super) fn esp_mib(self) -> u64 {
        if self.is_systemd_boot() { 512 } else { 64 }
    }

    /// The entry of the very first boot.
    pub(super) fn first_entry() -> String {
        format!("title first\nlinux /first/linux\ninitrd /first/initrd\noptions {CMDLINE}")
    }
}
