//! What boots the host, as far as files say: signs of loaders, the one that started the running system, and every kernel
//! command line in a file.

use std::collections::BTreeMap;

use passthru_formats::{boot_entries, grub_cfg};
use passthru_model::boot::{BootEntry, BootFacts, Loader, LoaderSign};
use passthru_model::fact::Fact;
use passthru_model::managed::{self, GRUB_MENUS, LIMINE, REFIND_LINUX, SYSLINUX};
use passthru_model::plan::FileState;

use super::because;
use crate::host::Host;

mod unified_images;

/// Paths that are a sign of a loader. `/boot`, `/efi` and `/boot/efi` are where the EFI system partition is mounted.
const SIGNS: &[(&str, Loader)] = &[
    (GRUB_MENUS[0], Loader::Grub),
    (GRUB_MENUS[1], Loader::Grub),
    (GRUB_MENUS[2], Loader::Grub),
    ("/boot/EFI/systemd/systemd-bootx64.efi", Loader::SystemdBoot),
    ("/efi/EFI/systemd/systemd-bootx64.efi", Loader::SystemdBoot),
    ("/boot/efi/EFI/systemd/systemd-bootx64.efi", Loader::SystemdBoot),
    ("/boot/loader/loader.conf", Loader::SystemdBoot),
    ("/efi/loader/loader.conf", Loader::SystemdBoot),
    ("/boot/efi/loader/loader.conf", Loader::SystemdBoot),
    ("/etc/default/limine", Loader::Limine),
    ("/boot/limine.conf", Loader::Limine),
    ("/boot/refind_linux.conf", Loader::Refind),
    ("/boot/syslinux/syslinux.cfg", Loader::Syslinux),
    ("/boot/extlinux/extlinux.conf", Loader::Syslinux),
    ("/etc/kernelstub/configuration", Loader::Kernelstub),
    ("/run/ostree-booted", Loader::RpmOstree),
    ("/etc/NIXOS", Loader::NixOs),
    ("/etc/kernel/proxmox-boot-uuids", Loader::Proxmox),
    ("/etc/zipl.conf", Loader::Zipl),
];

/// kernelstub's settings.
const KERNELSTUB: &str = "/etc/kernelstub/configuration";

/// Where the EFI system partition or the extended boot partition is mounted.
const BOOT: [&str; 3] = ["/boot", "/efi", "/boot/efi"];

/// The variables of the Boot Loader Interface (<https://systemd.io/BOOT_LOADER_INTERFACE>).
pub(super) const STARTED_BY: &str =
    "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
const STUB: &str = "/sys/firmware/efi/efivars/StubInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

pub(super) fn facts(host: &Host, files: &BTreeMap<String, FileState>) -> BootFacts {
    let (started_by, stub) = (variable(host, STARTED_BY), variable(host, STUB));
    let mut gaps = Vec::new();
    let visible = match (host.exists("/boot"), host.exists("/etc")) {
        (Ok(boot), Ok(etc)) => boot || etc,
        _ => false,
    };
    if !visible {
        let why = "neither /boot nor /etc is to be seen here";
        return BootFacts { started_by, stub, ..BootFacts::unknown(why) };
    }
    let mut loaders = Vec::new();
    for (path, loader) in SIGNS {
        match host.exists(path) {
            Ok(true) => loaders.push(LoaderSign { loader: *loader, path: (*path).to_owned() }),
            Ok(false) => {}
            Err(error) => gaps.push(error.to_string()),
        }
    }
    let mut entries = Vec::new();
    for path in GRUB_MENUS {
        grub(host, files, path, &mut entries, &mut gaps);
    }
    for boot in BOOT {
        let directory = format!("{boot}/loader/entries");
        for name in listed(host, &directory, ".conf", &mut gaps) {
            let path = format!("{directory}/{name}");
            let found = read(host, &path, &mut gaps).and_then(|bytes| boot_entries::bls(&path, &bytes));
            if found.is_some() && !loaders.iter().any(|sign| sign.loader == Loader::Bls) {
                loaders.push(LoaderSign { loader: Loader::Bls, path: directory.clone() });
            }
            entries.extend(found);
        }
        let images = format!("{boot}/EFI/Linux");
        let names = listed(host, &images, ".efi", &mut gaps);
        if let Some(name) = names.first() {
            loaders.push(LoaderSign { loader: Loader::UnifiedImage, path: format!("{images}/{name}") });
        }
        for name in names {
            entries.extend(unified_images::entries(host, boot, &format!("{images}/{name}"), &mut gaps));
        }
    }
    one_file(host, REFIND_LINUX, boot_entries::refind_linux, &mut entries, &mut gaps);
    for path in LIMINE {
        one_file(host, path, boot_entries::limine, &mut entries, &mut gaps);
    }
    one_file(host, "/etc/default/limine", boot_entries::limine_defaults, &mut entries, &mut gaps);
    for path in SYSLINUX {
        one_file(host, path, boot_entries::syslinux, &mut entries, &mut gaps);
    }
    let mut lines = vec!["/etc/kernel/cmdline".to_owned()];
    let drop_ins = listed(host, "/etc/cmdline.d", ".conf", &mut gaps);
    lines.extend(drop_ins.into_iter().map(|name| format!("/etc/cmdline.d/{name}")));
    let line = |path: &str, bytes: &[u8]| {
        boot_entries::kernel_cmdline(path, bytes, Loader::UnifiedImage).into_iter().collect()
    };
    for path in lines {
        one_file(host, &path, line, &mut entries, &mut gaps);
    }
    if let Some(bytes) = read(host, KERNELSTUB, &mut gaps) {
        match boot_entries::kernelstub(KERNELSTUB, &bytes) {
            Ok(found) => entries.extend(found),
            Err(why) => gaps.push(why),
        }
    }
    for (path, state) in files.iter().filter(|(path, _)| managed::boot_number(path).is_some()) {
        entries.extend(state.content().and_then(|bytes| boot_entries::firmware(path, bytes)));
    }
    let names = loaders.iter().map(|sign| sign.loader.name()).collect::<Vec<_>>().join(", ");
    let names = if names.is_empty() { "no sign of a boot loader".to_owned() } else { names };
    let seen = format!("{} kernel command lines", entries.len());
    BootFacts {
        loaders: Fact::known(loaders, "/boot", names),
        started_by,
        stub,
        entries: Fact::known(entries, "/boot", seen),
        gaps,
    }
}

/// A variable of the firmware; known and `None`: the system was not started by UEFI, or it is not set.
fn variable(host: &Host, path: &str) -> Fact<Option<String>> {
    match host.read(path) {
        Ok(bytes) => {
            let text = boot_entries::efi_string(&bytes);
            let seen = text.clone().unwrap_or_else(|| "is empty".to_owned());
            Fact::known(text, path, seen)
        }
        Err(error) if error.is_not_found() => Fact::known(None, path, "is not there"),
        Err(error) => because(&error),
    }
}

fn grub(
    host: &Host,
    files: &BTreeMap<String, FileState>,
    path: &str,
    entries: &mut Vec<BootEntry>,
    gaps: &mut Vec<String>,
) {
    let bytes = match files.get(path) {
        Some(FileState::File { content, .. }) => Some(content.0.clone()),
        Some(FileState::Absent) => None,
        _ => read(host, path, gaps),
    };
    let Some(bytes) = bytes else { return };
    for entry in grub_cfg::entries(&String::from_utf8_lossy(&bytes)) {
        let rescue =
            entry.is_recovery() || entry.cmdline.split_ascii_whitespace().any(|word| word == "passthru.off");
        entries.push(BootEntry {
            path: path.to_owned(),
            line: entry.line,
            loader: Loader::Grub,
            title: Some(entry.title),
            kernel: Some(entry.kernel),
            cmdline: entry.cmdline,
            source: false,
            rescue,
        });
    }
}

fn one_file(
    host: &Host,
    path: &str,
    parse: impl Fn(&str, &[u8]) -> Vec<BootEntry>,
    entries: &mut Vec<BootEntry>,
    gaps: &mut Vec<String>,
) {
    if let Some(bytes) = read(host, path, gaps) {
        entries.extend(parse(path, &bytes));
    }
}

fn read(host: &Host, path: &str, gaps: &mut Vec<String>) -> Option<Vec<u8>> {
    match host.read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            if !error.is_not_found() {
                gaps.push(error.to_string());
            }
            None
        }
    }
}

/// The names in a directory that end so, sorted; none where it is not there.
fn listed(host: &Host, directory: &str, ending: &str, gaps: &mut Vec<String>) -> Vec<String> {
    match host.list(directory) {
        Ok(names) => names.into_iter().filter(|name| name.ends_with(ending)).collect(),
        Err(error) => {
            if !error.is_not_found() {
                gaps.push(error.to_string());
            }
            Vec::new()
        }
    }
}
