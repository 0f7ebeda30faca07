//! The Debian packages that each task needs, and how they get here.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::exec::{self, Run};
use crate::ui::Ui;

/// A program or file that a task needs, and the package it comes in.
struct Need {
    what: What,
    package: &'static str,
}

enum What {
    Program(&'static str),
    File(&'static str),
}

use What::{File, Program};

const LAB: &[Need] = &[
    Need { what: Program("qemu-system-x86_64"), package: "qemu-system-x86" },
    Need { what: Program("qemu-img"), package: "qemu-utils" },
    Need { what: File("/usr/share/OVMF/OVMF_CODE_4M.fd"), package: "ovmf" },
    Need { what: Program("mmdebstrap"), package: "mmdebstrap" },
    Need { what: Program("sgdisk"), package: "gdisk" },
    Need { what: Program("mkfs.vfat"), package: "dosfstools" },
    Need { what: Program("mcopy"), package: "mtools" },
    Need { what: Program("mke2fs"), package: "e2fsprogs" },
    Need { what: Program("zstd"), package: "zstd" },
    Need { what: Program("xz"), package: "xz-utils" },
    Need { what: Program("setpriv"), package: "util-linux" },
    Need { what: Program("tar"), package: "tar" },
];

/// Real programs that tests of the test command are held against. None changes how the machine boots or starts a service: so dracut
/// without its hooks, libvirt without its units, and no u-boot-menu, which writes into `/boot` with each new kernel.
const TESTS: &[Need] = &[
    Need { what: Program("xmllint"), package: "libxml2-utils" },
    Need { what: Program("virsh"), package: "libvirt-clients" },
    Need { what: Program("libvirtd"), package: "libvirt-daemon" },
    Need {
        what: File("/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so"),
        package: "libvirt-daemon-driver-qemu",
    },
    Need { what: Program("swtpm"), package: "swtpm" },
    Need { what: Program("swtpm_setup"), package: "swtpm-tools" },
    Need { what: Program("dracut"), package: "dracut-core" },
    Need { what: Program("grub-script-check"), package: "grub-common" },
    Need { what: Program("efibootmgr"), package: "efibootmgr" },
    Need { what: Program("nix-instantiate"), package: "nix-bin" },
    Need { what: Program("xorriso"), package: "xorriso" },
    Need { what: Program("lspci"), package: "pciutils" },
    Need { what: Program("modprobe"), package: "kmod" },
    Need { what: Program("cpio"), package: "cpio" },
    Need { what: Program("patch"), package: "patch" },
    Need { what: Program("strace"), package: "strace" },
    Need { what: Program("python3"), package: "python3" },
    Need { what: File("/usr/lib/python3/dist-packages/yaml"), package: "python3-yaml" },
];

impl Need {
    fn met(&self) -> bool {
        match self.what {
            Program(name) => exec::find(name).is_some(),
            File(path) => fs::exists(path).unwrap_or(false),
        }
    }
}

/// The packages of some needs that are still missing.
fn missing(needs: &[Need]) -> Vec<&'static str> {
    let mut names: Vec<_> = needs.iter().filter(|need| !need.met()).map(|need| need.package).collect();
    names.dedup();
    names
}

/// Installs the programs that tests are held against, on Debian as root; elsewhere, and where one cannot be had, says which are
/// missing. Tests that want one of them then say that they are skipped.
pub fn ensure_for_tests(ui: &Ui) {
    let names = missing(TESTS);
    if names.is_empty() {
        return;
    }
    if debian_12_or_later() && root() {
        // One that this release lacks would keep all others away.
        if install(ui, &names).is_err() {
            for name in names {
                if let Err(error) = install(ui, &[name]) {
                    ui.say(&format!("{error:#}"));
                }
            }
        }
    }
    let still = missing(TESTS);
    if !still.is_empty() {
        ui.say(&format!("tests that want these packages say that they are skipped: {}", still.join(" ")));
    }
}

/// Makes sure that everything that the laboratory needs is there: installs on Debian as root, and elsewhere says what to install.
pub fn ensure(ui: &Ui) -> Result<()> {
    let names = missing(LAB);
    if names.is_empty() {
        return Ok(());
    }
    if !(debian_12_or_later() && root()) {
        eprintln!(
            "The laboratory needs packages that are not installed here. As root, on Debian 12 or later:\n"
        );
        eprintln!("    apt-get install --no-install-recommends {}\n", names.join(" "));
        return Err(NeedsPackages.into());
    }
    // To install one package, apt may remove another that is here from elsewhere (qemu-utils of the backports makes way for this
    // release's QEMU), and never one that it has just installed: so a second time is enough.
    install(ui, &names)?;
    install(ui, &missing(LAB))?;
    let still = missing(LAB);
    if !still.is_empty() {
        bail!("installed, and yet not found: {}", still.join(" "));
    }
    Ok(())
}

/// Installs packages, if any are named.
fn install(ui: &Ui, names: &[&str]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    ui.say(&format!("installing Debian packages: {}", names.join(" ")));
    let install = || {
        Run::new("apt-get")
            .args(["install", "-y", "--no-install-recommends"])
            .args(names)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .limit(Duration::from_mins(15))
    };
    ui.timed("apt-get install", || {
        // The lists may be absent or stale on a fresh machine: fetch them only when the first try fails.
        if install().both()?.0.success() {
            return Ok(());
        }
        Run::new("apt-get").arg("update").limit(Duration::from_mins(5)).go()?;
        install().go()
    })
}

/// Wrong use rather than a failure: the caller has to install packages first. Ends the program with status 2.
#[derive(Debug)]
pub struct NeedsPackages;

impl std::fmt::Display for NeedsPackages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("packages are missing")
    }
}

impl std::error::Error for NeedsPackages {}

/// Whether we run as root, which mmdebstrap needs for an image with true owners.
pub fn root() -> bool {
    Run::new("id").arg("-u").stdout().is_ok_and(|id| id.trim() == "0")
}

fn debian_12_or_later() -> bool {
    let Ok(text) = fs::read_to_string("/etc/os-release").context("no os-release") else { return false };
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
    };
    field("ID").as_deref() == Some("debian")
        && field("VERSION_ID").and_then(|id| id.parse::<u32>().ok()).is_some_and(|id| id >= 12)
}
