//! PCI functions as sysfs shows them in the guest.

use std::io;
use std::path::Path;
use std::str::FromStr;

use passthru_model::guest_report::{SeenBar, SeenFunction, SeenRom};
use passthru_model::pci::Resource;
use passthru_model::plan::Digest256;
use passthru_model::{PciAddress, PciId};

use crate::pci::{has_msi, resource_is_unset};

/// How many functions there are on other buses than the root bus.
pub(super) fn behind_ports(devices: &Path) -> usize {
    addresses(devices).map_or(0, |list| list.iter().filter(|address| address.bus() > 0).count())
}

fn addresses(devices: &Path) -> io::Result<Vec<PciAddress>> {
    let mut list = Vec::new();
    for entry in std::fs::read_dir(devices)? {
        list.extend(entry?.file_name().to_str().and_then(|name| name.parse::<PciAddress>().ok()));
    }
    list.sort();
    Ok(list)
}

/// All functions, in order of address.
pub(super) fn functions(devices: &Path) -> io::Result<Vec<SeenFunction>> {
    let read = |address: PciAddress| function(&devices.join(address.to_string()), address);
    addresses(devices)?.into_iter().map(read).collect()
}

fn function(directory: &Path, address: PciAddress) -> io::Result<SeenFunction> {
    let id = |vendor: &str, device: &str| -> io::Result<PciId> {
        Ok(PciId { vendor: attribute(directory, vendor)?, device: attribute(directory, device)? })
    };
    let config = std::fs::read(directory.join("config"))?;
    Ok(SeenFunction {
        address,
        id: id("vendor", "device")?,
        subsystem: id("subsystem_vendor", "subsystem_device")?,
        class: attribute(directory, "class")?,
        bars: bars(&std::fs::read_to_string(directory.join("resource"))?),
        rom: rom(directory),
        msi: has_msi(&config).unwrap_or(false),
    })
}

fn attribute<T: FromStr>(directory: &Path, name: &str) -> io::Result<T> {
    let path = directory.join(name);
    let text = std::fs::read_to_string(&path)?;
    text.trim()
        .parse()
        .map_err(|_| io::Error::other(format!("{}: ‘{}’ is not understood", path.display(), text.trim())))
}

/// The first six lines of a `resource` file, without the empty ones.
fn bars(text: &str) -> Vec<SeenBar> {
    let lines = text.lines().zip(0u8..6).filter_map(|(line, index)| {
        let mut numbers =
            line.split(' ').map(|number| u64::from_str_radix(number.trim_start_matches("0x"), 16).ok());
        let (start, end, flags) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(Resource { index, start, end, flags })
    });
    lines
        .filter(|resource| resource.size() > 0)
        .map(|resource| SeenBar {
            index: resource.index,
            size: resource.size(),
            // An address that the kernel marks as unset is what it would like, not what it is.
            start: if resource_is_unset(&resource) { 0 } else { resource.start },
            memory: resource.is_memory(),
        })
        .collect()
}

fn rom(directory: &Path) -> Option<SeenRom> {
    let bytes = passthru_apply::rom::read_here(directory).ok().filter(|bytes| !bytes.is_empty())?;
    Some(SeenRom {
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        signature: bytes.starts_with(&[0x55, 0xaa]),
        sha256: Digest256::of(&bytes).as_str().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::bars;
    use passthru_model::guest_report::SeenBar;
    use proptest::prelude::*;

    #[test]
    fn bars_are_the_lines_with_a_size_and_an_unset_one_has_no_address() {
        let text = "0x00000000fd000000 0x00000000fdffffff 0x0000000000042208\n\
                    0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
                    0x0000000000000000 0x0000000000000fff 0x0000000020040200\n\
                    0x000000000000c000 0x000000000000c07f 0x0000000000040101\n";
        let bar = |index, size, start, memory| SeenBar { index, size, start, memory };
        let wanted =
            [bar(0, 1 << 24, 0xfd00_0000, true), bar(2, 0x1000, 0, true), bar(3, 0x80, 0xc000, false)];
        assert_eq!(bars(text), wanted);
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer_and_never_a_panic(text in "[0-9a-fx \\n]{0,200}") {
            let _ = bars(&text);
        }
    }
}
