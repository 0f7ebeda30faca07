//! The drives of a command line: what holds an image, and what device it is put in, are options apart.

use std::collections::BTreeMap;

use passthru_formats::qemu_command::{Properties, QemuCommand, QemuOption};

use super::draft::{Draft, DriveFound};
use super::reasons::{EMPTY_DRIVE, NO_KEY, TWO_FORMATS};
use crate::spec::{DiskFormat, FirmwareKind};

/// An image, as an option defines it.
#[derive(Clone, Debug)]
struct Image {
    path: String,
    /// `raw`, `qcow2`, …; nothing where QEMU is left to guess.
    format: Option<String>,
}

/// Images that devices refer to.
pub(super) struct Drives {
    by_id: BTreeMap<String, Image>,
    /// Definitions that no device has used yet, by line.
    unused: BTreeMap<String, usize>,
}

impl Drives {
    /// Those that are defined anywhere on the line.
    pub(super) fn of(command: &QemuCommand) -> Self {
        let blocks: BTreeMap<String, Properties> = command
            .options
            .iter()
            .filter(|option| option.name == "blockdev")
            .map(|option| option.properties("driver"))
            .filter_map(|said| Some((said.get("node-name")?.to_owned(), said)))
            .collect();
        let file_of = |said: &Properties| {
            let inner = said.get("file").and_then(|name| blocks.get(name));
            let file = |said: &Properties| said.get("filename").map(str::to_owned);
            said.get("file.filename")
                .map(str::to_owned)
                .or_else(|| inner.and_then(file))
                .or_else(|| file(said))
        };
        let nodes = blocks.iter().filter_map(|(name, said)| {
            Some((
                name.clone(),
                Image { path: file_of(said)?, format: said.get("driver").map(str::to_owned) },
            ))
        });
        let named = command.options.iter().filter(|option| option.name == "drive").filter_map(|option| {
            let said = option.properties("file");
            Some((said.get("id")?.to_owned(), image(&said)?))
        });
        Self { by_id: nodes.chain(named).collect(), unused: BTreeMap::new() }
    }

    /// Reads an option; whether it is about drives.
    pub(super) fn read(&mut self, draft: &mut Draft<'_>, option: &QemuOption) -> bool {
        let plain = |bus: &str, is_disc| {
            let path = option.known().unwrap_or_default().to_owned();
            (Image { path, format: None }, bus.to_owned(), is_disc)
        };
        let (image, bus, is_disc) = match option.name.as_str() {
            "blockdev" => return true,
            "drive" => {
                self.drive(draft, option);
                return true;
            }
            "device" => return self.device(draft, option),
            "cdrom" => plain("sata", true),
            "hda" | "hdb" | "hdc" | "hdd" | "" => plain("sata", false),
            _ => return false,
        };
        put(draft, option, image, bus, is_disc, None);
        true
    }

    /// `-drive`: an image, and where `if` says so its device.
    fn drive(&mut self, draft: &mut Draft<'_>, option: &QemuOption) {
        let said = option.properties("file");
        let place = said.get("if").unwrap_or("ide");
        if place == "pflash" {
            draft.firmware = FirmwareKind::Uefi;
            let why =
                "the firmware is found by QEMU's descriptors, and the guest begins with fresh UEFI variables";
            return draft.left_out(option.line, option.words(), why);
        }
        let is_disc = said.get("media") == Some("cdrom");
        for (name, value) in said.iter() {
            let is_known =
                matches!(name, "file" | "if" | "id" | "format" | "media" | "index" | "driver" | "node-name")
                    || (is_disc && matches!(name, "readonly" | "read-only"));
            if !is_known {
                draft.lost(option.line, format!("-drive {name}={value}"), NO_KEY);
            }
        }
        let bus = match place {
            "none" => {
                self.unused.insert(said.get("id").unwrap_or_default().to_owned(), option.line);
                return;
            }
            "ide" | "sata" => "sata",
            other => other,
        };
        match image(&said) {
            Some(image) => put(draft, option, image, bus.to_owned(), is_disc, None),
            None if is_disc => draft.left_out(option.line, option.words(), EMPTY_DRIVE),
            None => draft.lost(option.line, option.words(), "it names no image"),
        }
    }

    /// A device that an image is put in; whether it is one.
    fn device(&mut self, draft: &mut Draft<'_>, option: &QemuOption) -> bool {
        let said = option.properties("driver");
        let (bus, is_disc) = match said.get("driver").unwrap_or_default() {
            "virtio-blk-pci" | "virtio-blk" => ("virtio", false),
            "ide-hd" => ("sata", false),
            "ide-cd" => ("sata", true),
            "scsi-hd" => ("scsi", false),
            "scsi-cd" => ("scsi", true),
            "nvme" => ("nvme", false),
            "usb-storage" => ("usb", false),
            _ => return false,
        };
        if bus == "virtio" {
            draft.disk_queues(option.line, &option.words(), said.get("num-queues"));
        }
        let id = said.get("drive").unwrap_or_default();
        self.unused.remove(id);
        for (name, value) in said.iter() {
            let is_place = matches!(name, "bus" | "addr" | "unit" | "lun" | "channel" | "scsi-id");
            let is_tuning = bus == "virtio" && matches!(name, "iothread" | "num-queues");
            if !is_place && !is_tuning && !matches!(name, "driver" | "drive" | "id" | "bootindex") {
                draft.lost(option.line, format!("-device {}", option.words_of(name, value)), NO_KEY);
            }
        }
        match self.by_id.get(id) {
            Some(image) => {
                let boot = said.get("bootindex").and_then(|index| index.parse().ok());
                put(draft, option, image.clone(), bus.to_owned(), is_disc, boot);
            }
            None if is_disc => draft.left_out(option.line, option.words(), EMPTY_DRIVE),
            None => draft.lost(option.line, option.words(), "no image is defined for it"),
        }
        true
    }

    /// Says which images are in no device.
    pub(super) fn finish(self, draft: &mut Draft<'_>) {
        for (id, line) in self.unused {
            draft.lost(line, format!("-drive id={id}"), "no device has it");
        }
    }
}

/// The image that `-drive` names.
fn image(said: &Properties) -> Option<Image> {
    let path =
        said.get("file").or_else(|| said.get("file.filename")).filter(|path| !path.is_empty())?.to_owned();
    Some(Image { path, format: said.get("format").or_else(|| said.get("driver")).map(str::to_owned) })
}

/// Puts an image in a drive.
fn put(
    draft: &mut Draft<'_>,
    option: &QemuOption,
    image: Image,
    bus: String,
    is_disc: bool,
    boot: Option<u32>,
) {
    let line = option.line;
    let format = match image.format.as_deref() {
        Some("raw" | "host_device" | "host_cdrom" | "file") => DiskFormat::Raw,
        Some("qcow2") => DiskFormat::Qcow2,
        Some(_) => {
            let why = TWO_FORMATS;
            return draft.lost(line, option.words(), why);
        }
        None if is_disc => DiskFormat::Raw,
        // As for `guest new`: the name decides, and never the content, which the guest writes.
        None => {
            let format = DiskFormat::by_name(image.path.as_ref());
            draft.left_out(
                line,
                image.path.clone(),
                format!("its format is not said; by its name it is {}", format.word()),
            );
            format
        }
    };
    draft.drive(DriveFound { line, path: image.path, format, is_disc, bus, boot });
}
