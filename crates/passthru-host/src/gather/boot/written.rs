//! Boot entries that nothing makes anew: which of them start this system.
//!
//! systemd-boot says which entry it started. The others do not, so the running command line must have come from their file: it has
//! every word of one of its entries, but for those that passthru changes.

use passthru_formats::cmdline::CommandLine;
use passthru_formats::{bls, boot_entries};
use passthru_model::boot::{Dialect, WrittenEntries};
use passthru_model::boot_settings;
use passthru_model::fact::Evidence;
use passthru_model::managed::{LIMINE, OFF_ENTRY_ENDING, REFIND_LINUX, SYSLINUX};

use crate::host::Host;

pub(super) const RUNNING: &str = "/proc/cmdline";
/// What the names of dracut's entries for repairs hold.
const RESCUE: &str = "-0-rescue";
/// What writes entries for a loader from settings of its own: a file, and what reads it.
const WRITERS: [(&str, Dialect, &str); 1] = [("/etc/default/extlinux", Dialect::Syslinux, "extlinux-update")];

/// The entries of systemd-boot on a partition that start this system, one of which it started.
pub(super) fn of_systemd_boot(host: &Host, root: &str, selected: &str) -> Result<WrittenEntries, String> {
    let directory = format!("{root}/loader/entries");
    let names = host.list(&directory).map_err(|error| error.to_string())?;
    let entry = WrittenEntries::beside(selected).unwrap_or_else(|| selected.to_owned());
    let started = |name: &str| name.eq_ignore_ascii_case(&entry);
    let root_parameter = root_parameter(&running(host)?);
    let mut files = Vec::new();
    let mut has_started = false;
    let is_entry = |name: &&String| name.strip_suffix(".conf").is_some() && !name.ends_with(OFF_ENTRY_ENDING);
    for name in names.iter().filter(is_entry) {
        let path = format!("{directory}/{name}");
        let text = host.read_text(&path).map_err(|error| error.to_string())?;
        let options = bls::read(&text).options;
        let of_this_system = CommandLine::new(&options).value("root") == root_parameter.as_deref();
        let is_kernel = !bls::files(&text).is_empty();
        if started(name) && !is_kernel {
            return Err(format!(
                "this system was started from {path}, which starts an image that has its command line inside and that \
                 kernel-install did not make: change what that image is made from"
            ));
        }
        has_started |= started(name);
        if is_kernel && (of_this_system || started(name)) {
            files.push(path);
        }
    }
    if !has_started {
        return Err(format!(
            "this system was started from {selected}, which is not among the entries in {directory}; start one that is"
        ));
    }
    Ok(WrittenEntries { dialect: Dialect::Bls, files, root: root.to_owned(), root_parameter })
}

/// The entries of GRUB that start this system, of which one has the words that it was started with; those for repairs stay as they
/// are.
pub(super) fn of_grub(host: &Host) -> Result<(WrittenEntries, Evidence), String> {
    let root = "/boot";
    let directory = format!("{root}/loader/entries");
    let names = host.list(&directory).map_err(|error| error.to_string())?;
    let running = running(host)?;
    let root_parameter = root_parameter(&running);
    let mut files = Vec::new();
    let mut started = None;
    let is_entry = |name: &&String| {
        name.strip_suffix(".conf").is_some() && !name.ends_with(OFF_ENTRY_ENDING) && !name.contains(RESCUE)
    };
    for name in names.iter().filter(is_entry) {
        let path = format!("{directory}/{name}");
        let text = host.read_text(&path).map_err(|error| error.to_string())?;
        // Variables of GRUB stand for words that are not to be seen here.
        let words = CommandLine::new(&bls::read(&text).options)
            .words()
            .filter(|word| !word.text().starts_with('$'))
            .map(|word| word.text().to_owned())
            .collect::<Vec<_>>()
            .join(" ");
        let of_this_system = CommandLine::new(&words).value("root") == root_parameter.as_deref();
        if bls::files(&text).is_empty() || !of_this_system {
            continue;
        }
        if came_from(&running, [words.as_str()]) {
            started = Some(path.clone());
        }
        files.push(path);
    }
    match started {
        Some(path) => {
            let found =
                WrittenEntries { dialect: Dialect::GrubBls, files, root: root.to_owned(), root_parameter };
            Ok((found, Evidence::new(path, format!("has all words of {RUNNING}"))))
        }
        None => Err(format!(
            "GRUB reads the entries in {directory}, and none of them has just the words that this system was started with \
             ({RUNNING}): start it from an entry without changing it at the menu; where entries take their words from a variable \
             ($kernelopts, as on RHEL 8), `grubby --update-kernel=ALL --args=WORDS` adds words, which passthru does not do yet"
        )),
    }
}

/// The file of a loader that does not say which entry it started.
pub(super) fn of(host: &Host, dialect: Dialect) -> Result<(WrittenEntries, Evidence), String> {
    let name = dialect.loader().name();
    for (path, of, program) in WRITERS {
        if of == dialect && host.exists(path).map_err(|error| error.to_string())? {
            return Err(format!(
                "{name}'s entries are made by {program} from {path}, which passthru does not know yet how to change"
            ));
        }
    }
    let running = running(host)?;
    let paths: &[&str] = match dialect {
        Dialect::Bls | Dialect::GrubBls => &[],
        Dialect::Refind => &[REFIND_LINUX],
        Dialect::Limine => &LIMINE,
        Dialect::Syslinux => &SYSLINUX,
    };
    let mut there = Vec::new();
    for path in paths {
        match host.read_text(path) {
            Ok(text) => there.push((*path, text)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let traced: Vec<&(&str, String)> =
        there.iter().filter(|(path, text)| is_source(dialect, path, text, &running)).collect();
    match (traced.as_slice(), there.as_slice()) {
        ([(path, _)], _) => {
            let root = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            let found = WrittenEntries {
                dialect,
                files: vec![(*path).to_owned()],
                root: root.to_owned(),
                root_parameter: root_parameter(&running),
            };
            Ok((found, Evidence::new(*path, format!("has all words of {RUNNING}"))))
        }
        ([], []) => Err(format!("{name} has left signs here, and none of {} is there", paths.join(", "))),
        ([], _) => Err(format!(
            "no entry in {} has just the words that this system was started with ({RUNNING}): start it from an entry of {name} \
             without changing it at the menu",
            there.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", ")
        )),
        (several, _) => Err(format!(
            "the words that this system was started with stand in {}; remove the file that {name} does not read",
            several.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(" and in ")
        )),
    }
}

/// Whether one of the entries in a file is what the running system was started with.
pub(super) fn is_source(dialect: Dialect, path: &str, text: &str, running: &str) -> bool {
    let entries = boot_entries::written(dialect, path, text.as_bytes());
    came_from(running, entries.iter().map(|entry| entry.cmdline.as_str()))
}

/// Whether the running command line has every word of one of these, but for those that passthru changes.
pub(super) fn came_from<'a>(running: &str, lines: impl IntoIterator<Item = &'a str>) -> bool {
    let running = CommandLine::new(running);
    let changed_by_us = |name: &str| {
        ["iommu", "intel_iommu", "amd_iommu", "passthru.off", "vfio-pci.ids"]
            .iter()
            .chain(&boot_settings::PARAMETERS)
            .any(|one| passthru_formats::cmdline::same_name(name, one))
    };
    lines.into_iter().any(|line| {
        let mut words =
            CommandLine::new(line).parameters().filter(|word| !changed_by_us(word.name())).peekable();
        words.peek().is_some() && words.all(|word| running.has_word(word.text()))
    })
}

/// The running command line.
pub(super) fn running(host: &Host) -> Result<String, String> {
    host.read_text(RUNNING).map_err(|error| error.to_string())
}

/// The value of `root=` on a command line.
pub(super) fn root_parameter(line: &str) -> Option<String> {
    CommandLine::new(line).value("root").map(str::to_owned)
}
