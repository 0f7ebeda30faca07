//! systemd-boot with entries or unified kernel images that kernel-install(8) makes: which partition it was that the running
//! system was started from, and which of its files kernel-install makes anew.

use passthru_formats::{bls, boot_entries};
use passthru_model::boot::{KernelInstall, Layout, MadeEntry};
use passthru_model::fact::{Evidence, Fact};
use passthru_model::facts::Bootloader;
use passthru_model::managed::OFF_ENTRY_ENDING;

use super::{kernelstub, written};
use crate::host::Host;

/// The entry that the running system was started from, by the name of its file (Boot Loader Interface).
const SELECTED: &str = "/sys/firmware/efi/efivars/LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// Where the EFI system partition or the extended boot partition may be mounted (`bootctl(1)`).
pub(super) const ROOTS: [&str; 3] = ["/efi", "/boot", "/boot/efi"];
const CONF: &str = "/etc/kernel/install.conf";
/// What makes entries of systemd-boot in a way of its own: a sign of it, and what to do without us.
const MAKERS: [(&str, &str); 2] = [
    (
        "/etc/kernel/proxmox-boot-uuids",
        "proxmox-boot-tool makes the entries of systemd-boot on partitions that are not mounted (/etc/kernel/proxmox-boot-uuids), which \
         passthru does not know yet how to look into; by hand, words go into /etc/kernel/cmdline, then `proxmox-boot-tool refresh`",
    ),
    (
        "/usr/bin/sdbootutil",
        "sdbootutil makes the entries of systemd-boot, and the initramfs images with them (/usr/bin/sdbootutil), which passthru does not \
         know yet how to use; by hand, words go into /etc/kernel/cmdline, then `sdbootutil update-all-entries`",
    ),
];
const TRIES: &str = "/etc/kernel/tries";

/// Who made what systemd-boot started, kernel-install or a person, and where that is; or why that cannot be told.
pub(super) fn traced(host: &Host) -> Fact<Bootloader> {
    match trace(host) {
        Ok((found, evidence)) => Fact::Known(found, evidence),
        Err(why) => Fact::unknown(why),
    }
}

fn trace(host: &Host) -> Result<(Bootloader, Evidence), String> {
    let selected = match host.read(SELECTED) {
        Ok(bytes) => boot_entries::efi_string(&bytes).unwrap_or_default(),
        Err(error) if error.is_not_found() => String::new(),
        Err(error) => return Err(error.to_string()),
    };
    if selected.is_empty() {
        return Err(format!(
            "this system was started by systemd-boot, which does not say from which entry ({SELECTED} is not set); start it \
             from its menu once, and `bootctl status` shows the entry"
        ));
    }
    if let Some(found) = kernelstub::started(host, &selected)? {
        return Ok((Bootloader::Kernelstub(found), Evidence::new(SELECTED, selected)));
    }
    for (path, why) in MAKERS {
        if exists(host, path)? {
            return Err(why.to_owned());
        }
    }
    let program = ["/usr/bin/kernel-install", "/bin/kernel-install"];
    let token = if any(host, &program)? { token(host, &selected) } else { None };
    let Some(token) = token else {
        let root = root(host, &selected)?;
        let found = written::of_systemd_boot(host, &root, &selected)?;
        return Ok((Bootloader::Written(found), Evidence::new(SELECTED, selected)));
    };
    if exists(host, TRIES)? {
        return Err(format!(
            "{TRIES} has systemd-boot count the boots of an entry by renaming it, which passthru does not know yet how to follow"
        ));
    }
    let layout = layout(host)?;
    let root = root(host, &selected)?;
    let found = KernelInstall { kernels: kernels(host, &root, layout, &token)?, root, token, layout };
    let started = stem(&selected);
    if !found.kernels.iter().any(|kernel| stem(kernel.name()).eq_ignore_ascii_case(started)) {
        return Err(format!(
            "this system was started from {selected} on {}, and kernel-install, as {CONF} has it, makes {} and has not made that \
             one; start one that it has made",
            found.root,
            match layout {
                Layout::Entries => "boot entries",
                Layout::Unified => "unified kernel images",
            }
        ));
    }
    Ok((Bootloader::KernelInstall(found), Evidence::new(SELECTED, selected)))
}

/// The name of an entry or image without its ending, and without that of ours without passthrough.
fn stem(name: &str) -> &str {
    let name = name.strip_suffix(OFF_ENTRY_ENDING).unwrap_or(name);
    [".conf", ".efi"].into_iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// What kernel-install is told to make (`layout=` in install.conf); without that, entries.
fn layout(host: &Host) -> Result<Layout, String> {
    let text = match host.read_text(CONF) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => return Ok(Layout::Entries),
        Err(error) => return Err(error.to_string()),
    };
    let value = |line: &str| line.trim().strip_prefix("layout=").map(|value| value.trim().to_owned());
    match text.lines().rev().find_map(value).as_deref() {
        None | Some("bls" | "auto" | "") => Ok(Layout::Entries),
        Some("uki") => Ok(Layout::Unified),
        Some(other) => {
            Err(format!("{CONF} has kernel-install make ‘{other}’, which passthru does not know yet"))
        }
    }
}

/// What the names of kernel-install's entries begin with: of the words that it may be, the one with which the entry begins
/// (kernel-install(8), `--entry-token=`). `None`: the entry is not one of kernel-install's.
fn token(host: &Host, selected: &str) -> Option<String> {
    let mut tokens = Vec::new();
    for path in ["/etc/kernel/entry-token", "/etc/machine-id"] {
        tokens.extend(host.read_text(path).ok().map(|text| text.trim().to_owned()));
    }
    if let Ok(text) = host.read_text("/etc/os-release") {
        for name in ["IMAGE_ID=", "ID="] {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            tokens.extend(value.map(|value| value.trim_matches(['"', '\'']).to_owned()));
        }
    }
    tokens.push("Default".to_owned());
    let begins = |token: &&String| {
        let head = selected.get(..token.len() + 1);
        !token.is_empty() && head.is_some_and(|head| head.eq_ignore_ascii_case(&format!("{token}-")))
    };
    tokens.iter().find(begins).cloned()
}

/// The one mounted partition that holds what was started.
pub(super) fn root(host: &Host, selected: &str) -> Result<String, String> {
    let mut roots = Vec::new();
    for root in ROOTS {
        for directory in ["loader/entries", "EFI/Linux"] {
            let names = listed(host, &format!("{root}/{directory}"))?;
            if names.iter().any(|name| name.eq_ignore_ascii_case(selected)) && !roots.contains(&root) {
                roots.push(root);
            }
        }
    }
    match roots.as_slice() {
        [root] => Ok((*root).to_owned()),
        [] => Err(format!(
            "this system was started from {selected}, which is on none of {}: mount the EFI system partition, or the extended \
             boot partition, that it is on, then run the command again",
            ROOTS.join(", ")
        )),
        several => Err(format!(
            "this system was started from {selected}, which is on {}, and either could be it; unmount the one that is not",
            several.join(" and on ")
        )),
    }
}

/// Everything that kernel-install has made for kernels that are still installed.
fn kernels(host: &Host, root: &str, layout: Layout, token: &str) -> Result<Vec<MadeEntry>, String> {
    let (directory, ending) = match layout {
        Layout::Entries => (format!("{root}/loader/entries"), ".conf"),
        Layout::Unified => (format!("{root}/EFI/Linux"), ".efi"),
    };
    let mut made = Vec::new();
    for name in listed(host, &directory)? {
        let release = name.strip_prefix(token).and_then(|rest| rest.strip_prefix('-'));
        let Some(release) = release.and_then(|rest| rest.strip_suffix(ending)) else { continue };
        if name.ends_with(OFF_ENTRY_ENDING) {
            continue;
        }
        let path = format!("{directory}/{name}");
        let image = [format!("/boot/vmlinuz-{release}"), format!("/usr/lib/modules/{release}/vmlinuz")];
        let Some(image) = first(host, image)? else {
            return Err(format!(
                "{path} is there and neither /boot/vmlinuz-{release} nor /usr/lib/modules/{release}/vmlinuz, so kernel-install \
                 could not make it anew; `kernel-install remove {release}` removes it"
            ));
        };
        let parts = match layout {
            Layout::Unified => Vec::new(),
            Layout::Entries => {
                let text = host.read_text(&path).map_err(|error| error.to_string())?;
                bls::files(&text).iter().map(|file| format!("{root}{file}")).collect()
            }
        };
        made.push(MadeEntry { release: release.to_owned(), image, path, parts });
    }
    Ok(made)
}

pub(super) fn listed(host: &Host, directory: &str) -> Result<Vec<String>, String> {
    match host.list(directory) {
        Ok(names) => Ok(names),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}

fn exists(host: &Host, path: &str) -> Result<bool, String> {
    host.exists(path).map_err(|error| error.to_string())
}

pub(super) fn any(host: &Host, paths: &[&str]) -> Result<bool, String> {
    for path in paths {
        if exists(host, path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn first(host: &Host, paths: [String; 2]) -> Result<Option<String>, String> {
    for path in paths {
        if exists(host, &path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
