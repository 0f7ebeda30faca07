//! systemd-boot with the entries and copies that kernelstub makes (Pop!_OS).

use passthru_formats::{bls, kernelstub};
use passthru_model::boot::{Kernelstub, WrittenEntries};
use passthru_model::managed::KERNELSTUB;

use super::kernel_install::{any, listed, root};
use crate::host::Host;

/// How the names of its entries end: of the newest kernel, and of the one before (`installer.py`).
const ENDINGS: [&str; 2] = ["-current.conf", "-oldkern.conf"];

/// What kernelstub makes, where the entry that was started is one of its; `None`: it is none.
pub(super) fn started(host: &Host, selected: &str) -> Result<Option<Kernelstub>, String> {
    if !any(host, &[KERNELSTUB])? || !any(host, &["/usr/bin/kernelstub", "/bin/kernelstub"])? {
        return Ok(None);
    }
    let entry = WrittenEntries::beside(selected).unwrap_or_else(|| selected.to_owned());
    let without = |ending: &str| {
        let at = entry.len().checked_sub(ending.len())?;
        entry.get(at..)?.eq_ignore_ascii_case(ending).then(|| entry[..at].to_owned())
    };
    let Some(system) = ENDINGS.into_iter().find_map(without) else { return Ok(None) };
    let settings = host.read_text(KERNELSTUB).map_err(|error| error.to_string())?;
    if !kernelstub::makes_entries(&settings).map_err(|error| format!("{KERNELSTUB}, {error}"))? {
        return Err(format!(
            "{KERNELSTUB} has kernelstub set the firmware's own boot entry too (setup_loader is not true, or manage_mode is not), \
             which passthru does not know yet how to take back; `kernelstub --loader --manage-only` leaves it to systemd-boot"
        ));
    }
    let root = root(host, selected)?;
    let directory = format!("{root}/loader/entries");
    let names = listed(host, &directory)?;
    let beside = |ending: &str| {
        let wanted = format!("{system}{ending}");
        names.iter().find(|name| name.eq_ignore_ascii_case(&wanted)).map(|name| format!("{directory}/{name}"))
    };
    let Some(current) = beside(ENDINGS[0]) else {
        return Err(format!(
            "this system was started from {selected}, and kernelstub's entry of the newest kernel, {system}{}, is not beside it: run \
             `kernelstub`, then the command again",
            ENDINGS[0]
        ));
    };
    let mut made = vec![current.clone()];
    made.extend(beside(ENDINGS[1]));
    let mut parts: Vec<String> = Vec::new();
    for path in &made {
        let text = host.read_text(path).map_err(|error| error.to_string())?;
        for part in bls::files(&text).into_iter().map(|file| format!("{root}{file}")) {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
    }
    let is_image = |path: &&String| path.rsplit('/').next().is_some_and(|name| name.starts_with("initrd"));
    let images = parts.iter().filter(is_image).cloned().collect();
    Ok(Some(Kernelstub { root, current, made, parts, images }))
}
