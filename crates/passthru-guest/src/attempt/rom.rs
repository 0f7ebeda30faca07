//! A function's ROM as the host reads it, before the guest has it.

use std::path::Path;

use passthru_model::PciFunction;
use passthru_model::plan::Digest256;

use super::HostRom;
use crate::pci::read_rom;

/// Reads it; the device, which vfio-pci may have put to sleep, is kept awake meanwhile.
pub(super) fn of_host(function: &PciFunction) -> HostRom {
    let directory = format!("/sys/bus/pci/devices/{}", function.address);
    let directory = Path::new(&directory);
    if !function.has_rom {
        return HostRom::None;
    }
    let control = directory.join("power/control");
    let before = std::fs::read_to_string(&control).ok().filter(|word| word.trim() != "on");
    if before.is_some() {
        let _ = std::fs::write(&control, "on");
    }
    let read = read_rom(directory);
    if let Some(before) = before {
        let _ = std::fs::write(&control, before.trim());
    }
    match read {
        Ok(bytes) if bytes.starts_with(&[0x55, 0xaa]) => HostRom::Read {
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: Digest256::of(&bytes).as_str().to_owned(),
        },
        Ok(_) => HostRom::Unreadable("it does not begin with 55 aa".to_owned()),
        Err(error) => HostRom::Unreadable(error.to_string()),
    }
}
