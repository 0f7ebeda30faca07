//! Drives.

use passthru_model::virtualisation::DomainElement;

use super::{behind, element, path};
use crate::layout::{Drive, DriveKind, Plug};

pub(super) fn disk(drive: &Drive<'_>) -> DomainElement {
    let (kind, source) = if drive.is_device() { ("block", "dev") } else { ("file", "file") };
    let device = match drive.kind {
        DriveKind::Disk => "disk",
        DriveKind::Disc => "cdrom",
    };
    let mut driver = element("driver", &[("name", "qemu"), ("type", drive.format.word())]);
    if drive.discards() {
        driver.attributes.push(("discard", "unmap".to_owned()));
    }
    let (bus, prefix, place) = match drive.plug {
        Plug::Virtio(port) => ("virtio", "vd", behind(port, 0)),
        Plug::Sata(unit) => {
            let unit = unit.to_string();
            let at = [("type", "drive"), ("controller", "0"), ("bus", "0"), ("target", "0"), ("unit", &unit)];
            ("sata", "sd", element("address", &at))
        }
    };
    let target = match drive.plug {
        Plug::Virtio(_) => drive.number,
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
