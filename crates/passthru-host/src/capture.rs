//! A capture: an archive of exactly the files, links and listings that facts were read from, at their natural paths.
//!
//! It is a tar archive compressed with gzip, sorted, with all times zero, so that the same host gives the same bytes.
//! Symbolic links are kept, so that `/sys/bus/pci/devices/*` lead where they led. An empty file stands for a thing whose
//! name was listed and whose content was not read. The file `passthru-capture.json` at the root says which paths could
//! not be read, so that they are not taken for absent, and when the files were changed last that were asked for it.

use std::io::{self, Read as _, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use passthru_formats::efi_load_option::LoadOption;
use passthru_formats::{efi_variable, unified_image};
use passthru_model::managed;
use tar::{Builder, EntryType, Header};

use crate::archive::{NOTE, Note};
use crate::host::{Host, MOST_FILE_BYTES};
use crate::record::{DEFAULT_MODE, Entry, Recording};
use crate::redact::Redactor;

/// The schema's name and version in `passthru-capture.json`.
pub const CAPTURE_SCHEMA: &str = "passthru.capture/1";

/// Writes a capture of what was read of a host that was told to remember ([`Host::recording`]); empty for another.
///
/// `redact` replaces the names of host and users, MACs, UUIDs and serial numbers: the same by the same in the whole
/// archive, and of the same shape, so that what reads the files still can. Times are then counted from the first of them.
pub fn archive(host: &Host, redact: bool, out: impl Write) -> io::Result<()> {
    let recording = host.recorded().unwrap_or_default();
    let recording = if redact { redacted(&recording, &host_name(host)) } else { recording };
    let (unreadable, modified) = (recording.unreadable.clone(), recording.modified.clone());
    let note = Note { schema: CAPTURE_SCHEMA.to_owned(), redacted: redact, unreadable, modified };
    let mut tar = Builder::new(GzEncoder::new(out, Compression::default()));
    for (path, entry) in recording.complete() {
        append(&mut tar, &path, &entry)?;
    }
    let mut bytes = serde_json::to_vec_pretty(&note)?;
    bytes.push(b'\n');
    append(&mut tar, NOTE, &Entry::File { bytes, mode: DEFAULT_MODE, uid: 0, gid: 0 })?;
    tar.into_inner()?.finish()?.flush()
}

fn append(tar: &mut Builder<impl Write>, path: &str, entry: &Entry) -> io::Result<()> {
    let name = path.trim_start_matches('/');
    if name.is_empty() {
        return Ok(());
    }
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    let empty: &[u8] = &[];
    match entry {
        Entry::Directory | Entry::Listed(_) => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            tar.append_data(&mut header, format!("{name}/"), empty)
        }
        Entry::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            tar.append_link(&mut header, name, target)
        }
        Entry::Seen => {
            header.set_mode(DEFAULT_MODE);
            header.set_size(0);
            tar.append_data(&mut header, name, empty)
        }
        Entry::File { bytes, mode, uid, gid } => {
            header.set_mode(*mode);
            header.set_uid(u64::from(*uid));
            header.set_gid(u64::from(*gid));
            header.set_size(u64::try_from(bytes.len()).map_err(io::Error::other)?);
            tar.append_data(&mut header, name, bytes.as_slice())
        }
    }
}

/// The host's name, read beside the recording: it is there to be replaced, not to be kept.
fn host_name(host: &Host) -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| host.peek(path))
        .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
        .unwrap_or_default()
}

fn redacted(recording: &Recording, host_name: &str) -> Recording {
    let mut redactor = Redactor::new(host_name);
    let mut hidden = Recording::default();
    for (path, entry) in &recording.entries {
        let entry = match entry {
            Entry::Seen => Entry::Seen,
            Entry::Directory => Entry::Directory,
            Entry::Listed(names) => Entry::Listed(names.iter().map(|name| redactor.text(name)).collect()),
            Entry::Link(target) => Entry::Link(redactor.text(target)),
            Entry::File { bytes, mode, uid, gid } => {
                let bytes = hidden_bytes(&mut redactor, path, bytes);
                Entry::File { bytes, mode: *mode, uid: *uid, gid: *gid }
            }
        };
        hidden.entries.insert(redactor.text(path), entry);
    }
    for (path, kind) in &recording.unreadable {
        hidden.unreadable.insert(redactor.text(path), kind.clone());
    }
    // Which came first is what matters; when somebody sat at the machine is nobody's business.
    let first = recording.modified.values().min().copied().unwrap_or_default();
    for (path, seconds) in &recording.modified {
        hidden.modified.insert(redactor.text(path), seconds.saturating_sub(first));
    }
    hidden
}

/// A file with what points to a person or to one machine replaced. What is no text is left byte for byte, but for what is
/// known to be a serial number: a number found by chance would change a table's meaning and its checksum.
fn hidden_bytes(redactor: &mut Redactor, path: &str, bytes: &[u8]) -> Vec<u8> {
    if path.starts_with("/sys/devices/") && path.ends_with("/config") {
        return Redactor::config_space(bytes);
    }
    // They name makers, addresses and devices, nobody's own.
    if path.starts_with("/sys/firmware/acpi/tables/") {
        return bytes.to_vec();
    }
    if path == "/proc/config.gz" {
        // A kernel that somebody built may name his home in it.
        return packed_again(redactor, bytes).unwrap_or_default();
    }
    if path.starts_with("/etc/security/limits") {
        return redactor.limits(bytes);
    }
    if let (Some(_), Some((attributes, value))) = (managed::boot_number(path), efi_variable::parts(bytes)) {
        // A kernel's command line is in UTF-16 there.
        let said = |line: &str| String::from_utf8_lossy(&redactor.bytes(line.as_bytes())).into_owned();
        let value = LoadOption::parse(value).map_or_else(|| value.to_vec(), |option| option.hidden(said));
        return [&attributes[..], &value].concat();
    }
    if bytes.starts_with(b"070701") {
        // What is left of an initramfs: lengths stand in it, so it is taken apart and put together again.
        return redactor.archive(bytes);
    }
    if bytes.starts_with(b"MZ") {
        // What is left of a unified kernel image; the same holds there.
        return unified_image::reduced(bytes, |text| redactor.bytes(text));
    }
    redactor.bytes(bytes)
}

/// A compressed text, replaced and compressed again.
fn packed_again(redactor: &mut Redactor, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes).take(MOST_FILE_BYTES).read_to_end(&mut text)?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&redactor.bytes(&text))?;
    packed.finish()
}
