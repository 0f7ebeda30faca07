//! What goes into the lab host's image. Everything here is part of the key of the cache.

/// To be raised when the way of building changes without any of the data here doing so.
pub(super) const VERSION: u32 = 1;

/// The Debian release of lab hosts, but for the variant that is older.
pub(super) const SUITE: &str = "trixie";

/// Where Debian is fetched from on a machine whose apt does not say.
pub(super) const FALLBACK_MIRROR: &str = "http://deb.debian.org/debian";

/// The packages: a small server with one kernel, GRUB for EFI, and QEMU with OVMF for the guests in it.
pub(super) const PACKAGES: &[&str] = &[
    "linux-image-amd64",
    "systemd-sysv",
    "udev",
    "dbus",
    "initramfs-tools",
    "zstd",
    "grub-efi-amd64-bin",
    "grub2-common",
    "grub-common",
    "qemu-guest-agent",
    "qemu-system-x86",
    "ovmf",
    "seabios",
    "pciutils",
    "kmod",
    "busybox-static",
    "procps",
    "util-linux",
    "e2fsprogs",
    "iproute2",
];

/// The UUID of the root file system. Fixed, so that the first menu of GRUB can name it.
pub(super) const ROOT_UUID: &str = "7b1f8f0e-5d1b-4a57-9c43-0a4b6c1d2e3f";

/// The serial number of the EFI system partition, as `mkfs.vfat -i` takes it.
pub(super) const ESP_ID: &str = "51C0FFEE";

/// A file that is written into the root before the image is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed {
    /// Absolute path in the lab host.
    pub(super) path: &'static str,
    /// Its permission bits.
    pub(super) mode: u32,
    /// Its content.
    pub(super) text: &'static str,
}

pub(super) const fn seed(path: &'static str, text: &'static str) -> Seed {
    Seed { path, mode: 0o644, text }
}

/// The files that make a bare Debian into the lab host in its plain state.
pub(super) const SEEDS: &[Seed] = &[
    seed("/etc/hostname", "lab\n"),
    seed("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 lab\n::1 localhost ip6-localhost\n"),
    seed(
        "/etc/fstab",
        "UUID=7b1f8f0e-5d1b-4a57-9c43-0a4b6c1d2e3f / ext4 errors=remount-ro 0 1\n\
         UUID=51C0-FFEE /boot/efi vfat umask=0077 0 1\n",
    ),
    // The IOMMU of Debian's kernel is on unless told otherwise: the plain host tells it otherwise.
    // Probes are logged (dyndbg) because who probed first is what the race scenarios are about. On a busy machine the emulated
    // timer is late, and the kernel would take it for broken and panic without no_timer_check.
    seed(
        "/etc/default/grub",
        r#"# If you change this file, run 'update-grub' afterwards to update
# /boot/grub/grub.cfg.
# For full documentation of the options in this file, see:
#   info -f grub -n 'Simple configuration'

GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=`( . /etc/os-release && echo ${NAME} )`
GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=off"
GRUB_CMDLINE_LINUX='console=ttyS0,115200 no_timer_check log_buf_len=8M dyndbg="func really_probe +p"'

# Uncomment to disable graphical terminal
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --speed=115200"
"#,
    ),
    // Dependencies of this host only: rebuilding the initramfs is what a lab run waits for longest.
    seed("/etc/initramfs-tools/conf.d/lab", "MODULES=dep\n"),
    seed(
        "/etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf",
        "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200,57600 - $TERM\n",
    ),
    // A lab host that waits for nobody: short stops, and nothing that starts by itself in the night.
    seed("/etc/systemd/system.conf.d/lab.conf", "[Manager]\nDefaultTimeoutStopSec=20s\n"),
    seed("/etc/systemd/journald.conf.d/lab.conf", "[Journal]\nStorage=volatile\n"),
];

/// Timers that would work at times of their own choosing.
pub(super) const MASKED: &[&str] = &[
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
];

/// What GRUB's image on the EFI system partition reads first: the way to the real menu.
pub(super) const ESP_GRUB_CFG: &str = "search.fs_uuid 7b1f8f0e-5d1b-4a57-9c43-0a4b6c1d2e3f root\n\
     set prefix=($root)'/boot/grub'\n\
     configfile $prefix/grub.cfg\n";

/// The menu of the very first boot; that boot runs the real `update-grub`, which replaces it.
pub(super) fn first_grub_cfg(release: &str) -> String {
    format!(
        "serial --speed=115200\nterminal_input console serial\nterminal_output console serial\n\
         search.fs_uuid {ROOT_UUID} root\n\
         linux /boot/vmlinuz-{release} root=UUID={ROOT_UUID} ro console=ttyS0,115200 no_timer_check intel_iommu=off\n\
         initrd /boot/initrd.img-{release}\nboot\n"
    )
}

/// What the first boot runs to settle the system before it is frozen.
pub(super) const SETTLE: &[&[&str]] = &[
    &["udevadm", "settle", "-t", "120"],
    // Only here is the root device known: MODULES=dep looks for it in sysfs.
    &["update-initramfs", "-u"],
    &["update-grub"],
    &["systemctl", "is-system-running", "--wait"],
    &["sync"],
];
