//! A quickemu file (<https://github.com/quickemu-project/quickemu/wiki>): shell assignments that say what its script shall
//! start.

use std::path::Path;

use passthru_formats::shell::{ShellError, ShellFile};
use passthru_model::HostFacts;
use passthru_model::usb::UsbId;

use super::draft::{Draft, DriveFound};
use super::reasons::{NO_KEY, ONLY_USER};
use super::{ImportError, Imported, Source};
use crate::name::GuestName;
use crate::spec::{AccelChoice, DiskFormat, FirmwareKind, Nic, NicBackend, Os, UsbChoice, UsbDevice};

/// quickemu gives a guest no less than this where the file does not say.
const USUAL_MEMORY: &str = "4G";

/// Whether a text sets what every such file sets.
pub(super) fn may_be_one(text: &str) -> bool {
    let sets = |name| {
        text.lines()
            .any(|line| line.trim_start().strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
    };
    sets("guest_os") && sets("disk_img")
}

/// Reads a file.
pub(super) fn import(
    source: &Source<'_>,
    file: &ShellFile<'_>,
    name: Option<GuestName>,
    facts: &HostFacts,
) -> Result<Imported, ImportError> {
    let mut draft = Draft::new(source, facts);
    draft.firmware = FirmwareKind::Uefi;
    draft.accel = AccelChoice::Kvm;
    draft.network = Some(Nic::on(NicBackend::User));
    for (key, line) in file.names() {
        let value = match file.value(&key) {
            Ok(value) => value.unwrap_or_default(),
            // A list is shown as it is written.
            Err(ShellError::Dynamic { text, .. }) if text.starts_with(&format!("{key}=(")) => {
                if key == "usb_devices"
                    && let Some(ids) = usb_ids(&text)
                {
                    let of_id = |id| UsbDevice { choice: UsbChoice::Id(id), optional: false };
                    draft.usb.extend(ids.into_iter().map(of_id));
                    continue;
                }
                draft.lost(line, text, NO_KEY);
                continue;
            }
            Err(ShellError::Dynamic { text, .. }) => {
                draft.lost(line, format!("{key}={text}"), "only a running shell could tell what this is");
                continue;
            }
            Err(error) => {
                return Err(ImportError::Unreadable { path: source.path.to_owned(), why: error.to_string() });
            }
        };
        read(&mut draft, &key, &value, line)?;
    }
    if draft.memory.is_none() {
        draft.set_memory(1, USUAL_MEMORY, passthru_formats::qemu_command::size(USUAL_MEMORY, 1))?;
        draft.left_out(
            1,
            "ram",
            format!("it is not said, and quickemu goes by the host; here it is {USUAL_MEMORY}"),
        );
    }
    if draft.cpus.is_none() {
        draft.set_cpus(1, "2")?;
        draft.left_out(1, "cpu_cores", "it is not said, and quickemu goes by the host; here it is 2");
    }
    let stem = Path::new(source.path).file_stem().and_then(|stem| stem.to_str());
    draft.finish(name, stem)
}

/// The ids in `usb_devices=("vvvv:dddd" …)`; `None`: something else is among them.
fn usb_ids(list: &str) -> Option<Vec<UsbId>> {
    let words = list.split_once('(')?.1.strip_suffix(')')?.split_whitespace();
    words.map(|word| word.trim_matches(['"', '\'']).parse().ok()).collect()
}

/// One assignment.
fn read(draft: &mut Draft<'_>, key: &str, value: &str, line: usize) -> Result<(), ImportError> {
    let written = format!("{key}=\"{value}\"");
    match key {
        "guest_os" => match value {
            "linux" => draft.os = Os::Linux,
            "windows" => {
                draft.os = Os::Windows11;
                draft.left_out(
                    line,
                    written,
                    "which Windows it is is not said; it is taken as os = \"windows-11\"",
                );
            }
            _ => {
                draft.os = Os::Other;
                draft.left_out(line, written, "it is taken as os = \"other\"");
            }
        },
        "ram" => draft.set_memory(line, value, passthru_formats::qemu_command::size(value, 1))?,
        "cpu_cores" => drop(draft.set_cpus(line, value)?),
        "boot" if value == "legacy" => draft.firmware = FirmwareKind::Seabios,
        "boot" => {}
        "disk_img" => {
            let format = DiskFormat::by_name(Path::new(value));
            let bus = "virtio".to_owned();
            draft.drive(DriveFound { line, path: value.to_owned(), format, is_disc: false, bus, boot: None });
        }
        "iso" | "fixed_iso" => draft.drive(DriveFound {
            line,
            path: value.to_owned(),
            format: DiskFormat::Raw,
            is_disc: true,
            bus: "sata".to_owned(),
            boot: None,
        }),
        "disk_size" | "preallocation" => {
            draft.left_out(line, written, "it is for making the image, which is there");
        }
        "tpm" | "secureboot" if value == "off" => {}
        "tpm" => draft.tpm = true,
        "secureboot" => draft.secure_boot = true,
        "network" if value == "none" => draft.network = None,
        "network" if value == "user" => {}
        // Any other name is that of a bridge.
        "network" => match value.parse() {
            Ok(bridge) => drop(draft.card(line, &written, Some(NicBackend::Bridge(bridge)), None)),
            Err(_) => draft.lost(line, written, ONLY_USER),
        },
        "macaddr" => match (value.parse(), &mut draft.network) {
            (Ok(mac), Some(nic)) => nic.mac = Some(mac),
            _ => draft.lost(line, written, NO_KEY),
        },
        _ => draft.lost(line, written, NO_KEY),
    }
    Ok(())
}
