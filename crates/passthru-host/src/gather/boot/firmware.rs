//! A kernel that the firmware starts itself, by a boot entry among its variables (EFISTUB): `BootCurrent` names the entry, the entry
//! the kernel, and its data is the command line that is running.

use passthru_formats::cmdline::CommandLine;
use passthru_formats::efi_load_option::LoadOption;
use passthru_formats::{boot_entries, efi_variable};
use passthru_model::boot::{FirmwareEntries, FirmwareEntry};
use passthru_model::fact::Evidence;
use passthru_model::managed::{BOOT_CURRENT, EFI_VARIABLES, boot_number, boot_variable};

use super::kernel_install::{ROOTS, any, listed};
use super::written::{RUNNING, came_from, root_parameter, running};
use crate::host::Host;

/// Variables are far smaller than this, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// What a capture keeps of a boot entry: all of one that starts a kernel, and of another that it is there.
pub(in crate::gather) fn reduced(variable: &str, bytes: &[u8]) -> Vec<u8> {
    match (boot_entries::firmware(variable, bytes), efi_variable::parts(bytes)) {
        (None, Some((attributes, _))) => attributes.to_vec(),
        _ => bytes.to_vec(),
    }
}

/// A boot entry that starts a kernel.
struct Entry {
    variable: String,
    /// The kernel, from the root of its partition.
    file: String,
    /// The node of the partition.
    partition: Option<Vec<u8>>,
    line: String,
}

/// The entries of the firmware that start this system, where one of them did; `None`: `BootCurrent` names a loader, or nothing.
pub(super) fn traced(host: &Host) -> Result<Option<(FirmwareEntries, Evidence)>, String> {
    let current = match host.read(BOOT_CURRENT) {
        Ok(bytes) => efi_variable::number(&bytes),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.to_string()),
    };
    let Some(started) = current.map(|number| entry(host, &boot_variable(number))).transpose()?.flatten()
    else {
        return Ok(None);
    };
    let line = running(host)?;
    let Entry { variable, file, .. } = &started;
    // A loader can have such data too, and hand on other words.
    if !came_from(&line, [started.line.as_str()]) {
        return Err(format!(
            "the firmware started {file} by its boot entry ({variable}), and the words of that are not the ones that this system was \
             started with ({RUNNING}): start it from the firmware's menu without changing it"
        ));
    }
    let mut roots = Vec::new();
    for root in ROOTS {
        if any(host, &[&format!("{root}{file}")])? {
            roots.push(root);
        }
    }
    let root = match roots.as_slice() {
        [root] => (*root).to_owned(),
        [] => {
            return Err(format!(
                "the firmware started {file} by its boot entry ({variable}), and that is on none of {}: mount the EFI system \
                 partition that it is on, then run the command again",
                ROOTS.join(", ")
            ));
        }
        several => {
            return Err(format!(
                "the firmware started {file} by its boot entry ({variable}), and that is on {}, and either could be it; unmount the \
                 one that is not",
                several.join(" and on ")
            ));
        }
    };
    let mut found = FirmwareEntries { root, entries: Vec::new() };
    let mut others = Vec::new();
    for name in listed(host, EFI_VARIABLES)? {
        let path = format!("{EFI_VARIABLES}/{name}");
        if boot_number(&path).is_some() && path != *variable {
            others.extend(entry(host, &path)?);
        }
    }
    let ours = |line: &str| CommandLine::new(line).is_passthru_off();
    let same = |other: &Entry| {
        other.partition == started.partition && root_parameter(&other.line) == root_parameter(&started.line)
    };
    let of_system = others.iter().filter(|other| same(other));
    for entry in std::iter::once(&started).chain(of_system).filter(|entry| !ours(&entry.line)) {
        let words = CommandLine::new(&entry.line).parameters().filter(|word| word.is_named("initrd"));
        let path =
            |image: &str| format!("{}/{}", found.root, image.replace('\\', "/").trim_start_matches('/'));
        let images = words.filter_map(|word| word.value().map(path)).collect();
        found.entries.push(FirmwareEntry { variable: entry.variable.clone(), images });
    }
    if found.entries.is_empty() {
        return Err(format!(
            "the firmware started this system without passthrough ({variable}), and no other of its boot entries starts it"
        ));
    }
    let evidence = Evidence::new(variable.clone(), format!("starts {file}, and has the words of {RUNNING}"));
    Ok(Some((found, evidence)))
}

/// What a boot entry starts, where that is a kernel with a command line.
fn entry(host: &Host, variable: &str) -> Result<Option<Entry>, String> {
    let bytes = match host.read_reduced(variable, MOST_BYTES, |bytes| reduced(variable, bytes)) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let option = efi_variable::parts(&bytes).and_then(|(_, value)| LoadOption::parse(value));
    Ok(option.filter(LoadOption::is_kernel).and_then(|option| {
        let (file, line) = (option.file()?, option.command_line()?);
        let partition = option.partition().map(<[u8]>::to_vec);
        Some(Entry { variable: variable.to_owned(), file, partition, line })
    }))
}
