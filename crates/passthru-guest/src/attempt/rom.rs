//! ROMs: a function's as the host reads it before the guest has it, and one for a rehearsal.

use std::path::Path;

use passthru_apply::rom::RomReader;
use passthru_model::plan::Digest256;
use passthru_model::{PciFunction, PciId};

use super::HostRom;

/// Reads it.
pub(super) fn of_host(function: &PciFunction) -> HostRom {
    if !function.has_rom {
        return HostRom::None;
    }
    let directory = format!("/sys/bus/pci/devices/{}", function.address);
    match RomReader::default().read(Path::new(&directory)) {
        Ok(bytes) if bytes.starts_with(&[0x55, 0xaa]) => of_bytes(&bytes),
        Ok(_) => HostRom::Unreadable("it does not begin with 55 aa".to_owned()),
        Err(error) => HostRom::Unreadable(error.to_string()),
    }
}

/// What is to be found again of these bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> HostRom {
    HostRom::Read {
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        sha256: Digest256::of(bytes).as_str().to_owned(),
    }
}

/// A ROM for the device that stands in for a card: one image of 2 KiB, whose code type (255) no firmware runs
/// (PCI Firmware Specification 3.3, §5.1).
pub(super) fn stand_in(id: PciId) -> Vec<u8> {
    const PCIR: usize = 0x1c;
    let mut image: Vec<u8> = (0..=u8::MAX).cycle().take(2048).collect();
    image[..PCIR].fill(0);
    image[..3].copy_from_slice(&[0x55, 0xaa, 4]);
    image[0x18] = 0x1c;
    let [vendor, device] = [id.vendor.0.to_le_bytes(), id.device.0.to_le_bytes()];
    let header = [
        b"PCIR".as_slice(),
        &vendor,
        &device,
        &[0, 0, 0x18, 0, 0, 0, 0x80, 3],
        &[4, 0, 0, 0, 0xff, 0x80, 0, 0],
    ];
    let header = header.concat();
    image[PCIR..PCIR + header.len()].copy_from_slice(&header);
    image
}
