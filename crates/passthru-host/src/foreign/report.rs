//! Reports of `sos` (sos-report(1)), packed or unpacked: files at their natural paths, and what programs printed below
//! `sos_commands`. Its plugin `pci` keeps the text of `lspci -nnvv` and not `/sys/bus/pci`, its plugin `devices` udev's
//! database; both fill up what `/sys` lacks. Checked with reports of sos 4.0.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use passthru_formats::{lspci as lspci_text, udev_database};
use rustix::fs::{Mode, OFlags};

use super::{lspci, udev};
use crate::archive::{Archive, MOST_BYTES, MOST_ENTRIES};
use crate::host::MOST_FILE_BYTES;

/// What makes a tree a report.
const COMMANDS: &str = "sos_commands";
/// What of a report is read into memory: there are logs of gigabytes besides.
const PARTS: &[&str] =
    &["boot", "etc", "lib", "proc", "run", "sys", "usr", "sos_commands/devices", "sos_commands/pci"];
/// Directories may be nested this deep, as deep as a path can be.
const DEEPEST: usize = 64;

/// Whether a directory is an unpacked report.
pub(crate) fn is_report(directory: &Path) -> bool {
    fs::symlink_metadata(directory.join(COMMANDS)).is_ok_and(|found| found.is_dir())
}

/// Reads an unpacked report. Links are kept and not followed, and what is neither file, link nor directory is left out.
pub(crate) fn of_directory(directory: &Path) -> Result<Archive, String> {
    let mut archive = Archive::of("the report of sos");
    archive.put_directory(&format!("/{COMMANDS}"))?;
    // /proc has a directory for each process; only the one that gathered is of use.
    let own = fs::read_link(directory.join("proc/self")).ok();
    let own = own.as_deref().and_then(Path::to_str).unwrap_or_default().to_owned();
    let mut reader = Reader { archive, entries: 0, bytes: 0, own };
    for part in PARTS {
        reader
            .below(&directory.join(part), &format!("/{part}"), 0)
            .map_err(|reason| format!("{part}: {reason}"))?;
    }
    let mut archive = reader.archive;
    fill(&mut archive);
    Ok(archive)
}

/// Completes a packed report; leaves other archives as they are.
pub(crate) fn complete(archive: &mut Archive) {
    if archive.has(&format!("/{COMMANDS}")) {
        archive.make_partial("the report of sos");
        fill(archive);
    }
}

struct Reader {
    archive: Archive,
    entries: usize,
    bytes: u64,
    own: String,
}

impl Reader {
    /// Reads what is at a place, and all below it.
    fn below(&mut self, place: &Path, path: &str, depth: usize) -> Result<(), String> {
        let Ok(found) = fs::symlink_metadata(place) else { return Ok(()) };
        self.entries += 1;
        if self.entries > MOST_ENTRIES {
            return Err(format!("it holds more than {MOST_ENTRIES} entries"));
        }
        if found.is_symlink() {
            let target = fs::read_link(place).map_err(|error| error.to_string())?;
            // A target that is not UTF-8 leads nowhere that is read.
            return target.to_str().map_or(Ok(()), |target| self.archive.put_link(path, target));
        }
        if found.is_file() {
            return self.file(place, path);
        }
        if !found.is_dir() || depth > DEEPEST {
            return Ok(());
        }
        self.archive.put_directory(path)?;
        let names: BTreeSet<String> = fs::read_dir(place)
            .map_err(|error| format!("{path}: {error}"))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        for name in names {
            let is_process = path == "/proc" && name.bytes().all(|byte| byte.is_ascii_digit());
            if !is_process || name == self.own {
                self.below(&place.join(&name), &format!("{path}/{name}"), depth + 1)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, place: &Path, path: &str) -> Result<(), String> {
        // A report may hold what its reader may not read; that is as if it were not there.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::open(place, flags, Mode::empty()) else { return Ok(()) };
        let file = fs::File::from(file);
        let mut bytes = Vec::new();
        if file.take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes).is_err() {
            return Ok(());
        }
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > MOST_FILE_BYTES {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > MOST_BYTES {
            return Err(format!("it holds more than {MOST_BYTES} bytes"));
        }
        self.archive.put(path, bytes)
    }
}

/// Fills up what sysfs lacks from what programs printed. A text that is damaged is left aside: the report is as good
/// as it would be without.
fn fill(archive: &mut Archive) {
    if !archive.has("/sys/bus/pci/devices") {
        let texts = archive.list("/sos_commands/pci").unwrap_or_default();
        for name in texts.iter().filter(|name| name.starts_with("lspci")) {
            let Some(text) = text(archive, &format!("/sos_commands/pci/{name}")) else { continue };
            if lspci_text::is_listing(&text)
                && let Ok(listing) = lspci_text::parse(&text)
                && lspci::put(archive, &listing).is_ok()
            {
                break;
            }
        }
    }
    if let Some(text) = text(archive, "/sos_commands/devices/udevadm_info_--export-db")
        && let Ok(devices) = udev_database::parse(&text)
    {
        udev::fill(archive, &devices);
    }
}

fn text(archive: &Archive, path: &str) -> Option<String> {
    let bytes = archive.file(path, MOST_FILE_BYTES).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
