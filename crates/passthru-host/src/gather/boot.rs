//! Who boots the host.

use passthru_model::boot::Dialect;
use passthru_model::fact::Fact;
use passthru_model::facts::Bootloader;
use passthru_model::managed::{GRUB_DEFAULTS, GRUB_MENUS, LIMINE, REFIND_LINUX, SYSLINUX};

pub(super) mod firmware;
mod grub;
mod kernel_install;
mod kernelstub;
mod limine;
mod u_boot;
mod written;

use super::because;
use super::boot_chain::STARTED_BY;
use crate::error::ReadError;
use crate::host::Host;
use crate::program;

/// Scripts that make entries are far smaller than this, in bytes.
const MOST_SCRIPT_BYTES: u64 = 1024 * 1024;

/// Where entries are that GRUB reads as on Fedora.
const GRUB_ENTRIES: &str = "/boot/loader/entries";

/// What makes a system and its boot entries of something that is not on it in files to be edited: a path that is there, and what
/// changes kernel parameters.
const WHOLE: [(&str, &str); 1] = [(
    "/run/ostree-booted",
    "this system is an image that rpm-ostree or bootc boots (/run/ostree-booted), and its boot entries are made with it: \
     `rpm-ostree kargs` changes kernel parameters there, or a file in kargs.d of the image, which passthru does not do yet",
)];

/// The sign of NixOS, whose boot entries and images are made of its configuration whatever starts them.
const NIXOS: &str = "/etc/NIXOS";

/// Signs of other loaders: a path, and what it is a sign of. Where one loader is found for certain, the sign of
/// another means that both could be live.
const OTHERS: &[(&str, &str)] = &[
    ("/etc/kernel/proxmox-boot-uuids", "proxmox-boot-tool"),
    (GRUB_ENTRIES, "Boot Loader Specification entries (systemd-boot, or GRUB as on Fedora)"),
    ("/efi/loader/entries", "systemd-boot"),
    ("/boot/efi/loader/entries", "systemd-boot"),
    ("/boot/EFI/systemd/systemd-bootx64.efi", "systemd-boot"),
    ("/efi/EFI/systemd/systemd-bootx64.efi", "systemd-boot"),
    ("/boot/efi/EFI/systemd/systemd-bootx64.efi", "systemd-boot"),
    ("/etc/default/limine", "Limine"),
    (LIMINE[0], "Limine"),
    (LIMINE[1], "Limine"),
    (LIMINE[2], "Limine"),
    (LIMINE[3], "Limine"),
    (REFIND_LINUX, "rEFInd"),
    (SYSLINUX[1], "Syslinux"),
    (SYSLINUX[0], "Syslinux"),
    ("/etc/kernelstub/configuration", "kernelstub"),
    (GRUB_MENUS[1], "GRUB as on Fedora and SUSE"),
];

/// The one boot loader that could be live, or why that is not known.
///
/// `started_by` is what the running system's loader calls itself; GRUB before 2.12 and systems without UEFI say nothing.
pub(super) fn bootloader(host: &Host, started_by: &Fact<Option<String>>) -> Fact<Bootloader> {
    for (path, why) in WHOLE {
        match host.exists(path) {
            Ok(true) => return Fact::unknown(why),
            Ok(false) => {}
            Err(error) => return because(&error),
        }
    }
    match host.exists(NIXOS) {
        Ok(true) => return Fact::known(Bootloader::NixOs, NIXOS, "is there"),
        Ok(false) => {}
        Err(error) => return because(&error),
    }
    let mut signs: Vec<(&str, &str)> = Vec::new();
    let mut hidden = None;
    for (path, name) in OTHERS {
        match host.exists(path) {
            Ok(true) => signs.push((path, name)),
            Ok(false) => {}
            Err(error) => hidden = hidden.or(Some(error)),
        }
    }
    let running = match started_by {
        Fact::Known(running, _) => running,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    // A directory for root alone, as the EFI system partition often is, may hide a second loader; that does not matter
    // where the one that started the system gave its name.
    if let (Some(error), None) = (&hidden, &running) {
        return because(error);
    }
    if running.as_deref().is_some_and(|name| name.starts_with("systemd-boot")) {
        return kernel_install::traced(host);
    }
    // A loader that gives its name had the firmware's entry to itself.
    if running.is_none() {
        match firmware::traced(host) {
            Ok(Some((found, evidence))) => return Fact::Known(Bootloader::Firmware(found), evidence),
            Ok(None) => {}
            Err(why) => return Fact::Unknown(why),
        }
    }
    let grub = match grub::found(host) {
        Ok(grub) => grub,
        Err(why) => return Fact::Unknown(why),
    };
    // A menu of GRUB is no sign of another, nor are entries that it reads.
    let reads_entries = matches!(grub, Some((Bootloader::Written(_), _)));
    signs.retain(|(path, _)| {
        let of_grub = GRUB_MENUS.contains(path) || (reads_entries && *path == GRUB_ENTRIES);
        grub.is_none() || !of_grub
    });
    let list = |signs: &[(&str, &str)]| {
        signs.iter().map(|(path, name)| format!("{path} ({name})")).collect::<Vec<_>>().join(", ")
    };
    match (grub, running) {
        (Some(_), Some(other)) if !other.to_ascii_lowercase().starts_with("grub") => {
            Fact::unknown(format!("GRUB is set up, and this system was started by ‘{other}’ ({STARTED_BY})"))
        }
        (Some((grub, evidence)), Some(_)) => Fact::Known(grub, evidence),
        (Some((grub, evidence)), None) if signs.is_empty() => Fact::Known(grub, evidence),
        (Some((_, evidence)), None) => {
            let signs = list(&signs);
            Fact::unknown(format!(
                "two bootloaders could both be live: {} (GRUB), {signs}. Which one started the system it would say itself \
                 under UEFI ({STARTED_BY}; GRUB from 2.12 on); remove what is left of the other",
                evidence.path
            ))
        }
        (None, Some(other)) if other.starts_with(Dialect::Limine.loader().name()) => {
            entries(host, Dialect::Limine)
        }
        (None, Some(other)) => {
            Fact::unknown(format!("this system was started by ‘{other}’, which passthru does not know yet"))
        }
        (None, None) if signs.is_empty() => Fact::unknown(format!(
            "there is no {GRUB_DEFAULTS} with a menu and a program that makes it, and no sign of another boot loader"
        )),
        (None, None) => only_dialect(&signs).map_or_else(
            || {
                let signs = list(&signs);
                Fact::unknown(format!("passthru does not know yet how to change what was found: {signs}"))
            },
            |dialect| entries(host, dialect),
        ),
    }
}

/// The language of the entries, where all signs are of one loader that has them written by hand.
fn only_dialect(signs: &[(&str, &str)]) -> Option<Dialect> {
    let known = [Dialect::Refind, Dialect::Limine, Dialect::Syslinux];
    known.into_iter().find(|dialect| signs.iter().all(|(_, name)| *name == dialect.loader().name()))
}

/// The entries of a loader: those that a program makes, or those that were written by hand.
fn entries(host: &Host, dialect: Dialect) -> Fact<Bootloader> {
    let made = match dialect {
        Dialect::Syslinux => u_boot::traced(host).map(|found| found.map(|it| (Bootloader::UBootMenu, it))),
        Dialect::Limine => {
            limine::traced(host).map(|found| found.map(|(it, from)| (Bootloader::LimineEntries(it), from)))
        }
        Dialect::Bls | Dialect::GrubBls | Dialect::Refind => Ok(None),
    };
    let found = match made {
        Ok(Some(found)) => Ok(found),
        Ok(None) => written::of(host, dialect).map(|(found, from)| (Bootloader::Written(found), from)),
        Err(why) => Err(why),
    };
    match found {
        Ok((found, evidence)) => Fact::Known(found, evidence),
        Err(why) => Fact::Unknown(why),
    }
}

/// The machine's id, by which some programs name the directory of what they make; `None`: the file holds no id. It becomes a part of
/// paths, and of scripts of ours.
pub(super) fn machine_id(host: &Host) -> Result<Option<String>, ReadError> {
    let text = host.read_text("/etc/machine-id")?;
    let id = text.trim();
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Ok(is_id.then(|| id.to_owned()))
}

/// Where a program of this name is; the first of the places in which it would be looked for.
fn first(host: &Host, name: &str) -> Result<Option<String>, String> {
    for path in program::paths(name) {
        if host.exists(&path).map_err(|error| error.to_string())? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether a program, which is a script, names something. A capture keeps the lines that do.
fn mentions(host: &Host, path: &str, name: &str) -> Result<bool, String> {
    let lines = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(name)).collect();
        lines.join("\n").into_bytes()
    };
    let found = host.read_reduced(path, MOST_SCRIPT_BYTES, lines).map_err(|error| error.to_string())?;
    Ok(!found.is_empty())
}
