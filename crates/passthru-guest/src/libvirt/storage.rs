//! Drives.

use passthru_model::virtualisation::DomainElement;

use super::{behind, element, path};
use crate::layout::{Drive, DriveKind, Layout, Plug};
use crate::machine::Machine;
use crate::spec::DiskBus;

pub(super) fn disk(machine: &Machine, drive: &Drive<'_>) -> DomainElement {
    let (kind, source) = if drive.is_device() { ("block", "dev") } else { ("file", "file") };
    let device = match drive.kind {
        DriveKind::Disk => "disk",
        DriveKind::Disc => "cdrom",
    };
    let mut driver = element("driver", &[("name", "qemu"), ("type", drive.format.word())]);
    if drive.discards() {
        driver.attributes.push(("discard", "unmap".to_owned()));
    }
    if let Plug::Virtio(_) = drive.plug {
        driver.attributes.extend(tuning(machine));
    }
    let (bus, prefix, place) = match drive.plug {
        Plug::Virtio(port) => ("virtio", "vd", behind(port, 0)),
        Plug::Scsi(unit) => {
            let unit = unit.to_string();
            let at = [("type", "drive"), ("controller", "0"), ("bus", "0"), ("target", "0"), ("unit", &unit)];
            ("scsi", "sd", element("address", &at))
        }
        Plug::Sata(unit) => {
            let unit = unit.to_string();
            let at = [("type", "drive"), ("controller", "0"), ("bus", "0"), ("target", "0"), ("unit", &unit)];
            ("sata", "sd", element("address", &at))
        }
    };
    let target = match drive.plug {
        Plug::Virtio(_) | Plug::Scsi(_) => drive.number,
        // Names of SCSI disks come first.
        Plug::Sata(unit) if machine.storage.bus == DiskBus::VirtioScsi => machine.disks.len() + unit,
        Plug::Sata(unit) => unit,
    };
    let target = element("target", &[("dev", &format!("{prefix}{}", letters(target))), ("bus", bus)]);
    let mut disk = element("disk", &[("type", kind), ("device", device)]);
    disk.children.extend([driver, element("source", &[(source, &path(drive.image))]), target]);
    if drive.kind == DriveKind::Disc {
        disk.children.push(element("readonly", &[]));
    }
    disk.children.extend([element("boot", &[("order", &drive.boot.to_string())]), place]);
    disk
}

/// The SCSI controller, where there is one.
pub(super) fn controller(machine: &Machine, layout: &Layout<'_>) -> Option<DomainElement> {
    let port = layout.scsi?;
    let mut controller = element("controller", &[("type", "scsi"), ("index", "0"), ("model", "virtio-scsi")]);
    let tuning = tuning(machine);
    if !tuning.is_empty() {
        let mut driver = element("driver", &[]);
        driver.attributes.extend(tuning);
        controller.children.push(driver);
    }
    controller.children.push(behind(port, 0));
    Some(controller)
}

/// The queues and the thread of a virtio device.
fn tuning(machine: &Machine) -> Vec<(&'static str, String)> {
    let queues = machine.storage.queues.map(|queues| ("queues", queues.to_string()));
    let thread = machine.storage.io_thread.then(|| ("iothread", "1".to_owned()));
    queues.into_iter().chain(thread).collect()
}

/// The letters of a drive: a, b, …, z, aa, ab.
fn letters(mut number: usize) -> String {
    let mut out = Vec::new();
    loop {
        out.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or_default()));
        number /= 26;
        if number == 0 {
            return out.into_iter().rev().collect();
        }
        number -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn drives_after_the_26th_have_two_letters() {
        let shown: Vec<String> = [0, 25, 26, 27, 51, 52, 701, 702].into_iter().map(letters).collect();
        assert_eq!(shown, ["a", "z", "aa", "ab", "az", "ba", "zz", "aaa"]);
    }
}
