//! PCI functions out of the text of `lspci`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use passthru_formats::lspci::{Function, Listing};
use passthru_model::address::PciAddress;

use crate::archive::Archive;

/// BARs and the ROM: the lines of `resource` that every function has.
const RANGES: u8 = 7;

/// Adds all functions to an archive, at the paths of sysfs.
pub(super) fn put(archive: &mut Archive, listing: &Listing) -> Result<(), String> {
    archive.put_directory("/sys/bus/pci/devices")?;
    if listing.tells_drivers {
        archive.put_directory("/sys/bus/pci/drivers")?;
    }
    let above = Above::of(listing);
    for (address, function) in &listing.functions {
        one(archive, listing, *address, function, above.path(*address))
            .map_err(|reason| format!("line {} of lspci's text: {reason}", function.line))?;
    }
    Ok(())
}

/// Which bridge leads to which bus.
struct Above {
    /// The bridge in front of a bus, by domain and bus.
    bridges: BTreeMap<(u32, u8), PciAddress>,
    /// Domains with a bridge of which the text does not say where it leads.
    unclear: Vec<u32>,
}

impl Above {
    fn of(listing: &Listing) -> Self {
        let mut above = Self { bridges: BTreeMap::new(), unclear: Vec::new() };
        for (address, function) in listing.functions.iter().filter(|(_, function)| function.is_bridge()) {
            match function.secondary_bus {
                // Buses are numbered downwards (PCI-to-PCI Bridge Architecture Specification, 3.2.5.3); this also keeps
                // circles out.
                Some(bus) if bus > address.bus() => {
                    above.bridges.entry((address.domain(), bus)).or_insert(*address);
                }
                Some(_) => {}
                None => above.unclear.push(address.domain()),
            }
        }
        above
    }

    /// The path in `/sys/devices`; `None` where the text does not tell what is above it.
    fn path(&self, address: PciAddress) -> Option<String> {
        let mut chain = vec![address];
        let mut bus = address.bus();
        while let Some(bridge) = self.bridges.get(&(address.domain(), bus)) {
            chain.push(*bridge);
            bus = bridge.bus();
        }
        if bus != 0 && self.unclear.contains(&address.domain()) {
            return None;
        }
        let mut path = format!("/sys/devices/pci{:04x}:{bus:02x}", address.domain());
        for part in chain.iter().rev() {
            let _ = write!(path, "/{part}");
        }
        Some(path)
    }
}

fn one(
    archive: &mut Archive,
    listing: &Listing,
    address: PciAddress,
    function: &Function,
    path: Option<String>,
) -> Result<(), String> {
    let entry = format!("/sys/bus/pci/devices/{address}");
    let path = match path {
        Some(path) => {
            let target = path.strip_prefix("/sys").unwrap_or(&path);
            archive.put_link(&entry, format!("../../..{target}"))?;
            path
        }
        None => entry,
    };
    archive.put_directory(&path)?;
    let at = |name: &str| format!("{path}/{name}");
    let (vendor, device) = (function.id.vendor, function.id.device);
    archive.put(&at("vendor"), format!("0x{vendor}\n"))?;
    archive.put(&at("device"), format!("0x{device}\n"))?;
    archive.put(&at("class"), format!("0x{:06x}\n", function.class.bits()))?;
    archive.put(&at("revision"), format!("0x{:02x}\n", function.revision))?;
    if let Some(board) = function.subsystem {
        archive.put(&at("subsystem_vendor"), format!("0x{}\n", board.vendor))?;
        archive.put(&at("subsystem_device"), format!("0x{}\n", board.device))?;
        let [_, base, sub, interface] = function.class.bits().to_be_bytes();
        archive.put(
            &at("modalias"),
            format!(
                "pci:v{:08X}d{:08X}sv{:08X}sd{:08X}bc{base:02X}sc{sub:02X}i{interface:02X}\n",
                vendor.0, device.0, board.vendor.0, board.device.0
            ),
        )?;
    }
    if let Some(ranges) = &function.resources {
        let text = (0..RANGES).fold(String::new(), |mut text, index| {
            let range = ranges.iter().find(|range| range.index == index);
            let (start, end, flags) = range.map_or((0, 0, 0), |range| (range.start, range.end, range.flags));
            let _ = writeln!(text, "{start:#018x} {end:#018x} {flags:#018x}");
            text
        });
        archive.put(&at("resource"), text)?;
    }
    if let Some(node) = function.numa_node {
        archive.put(&at("numa_node"), format!("{node}\n"))?;
    }
    if !function.config.is_empty() {
        archive.put(&at("config"), function.config.clone())?;
    }
    match function.has_rom {
        Some(true) => archive.put(&at("rom"), Vec::new())?,
        Some(false) => archive.put_absent(at("rom")),
        None => {}
    }
    match &function.driver {
        Some(driver) => {
            archive.put_directory(&format!("/sys/bus/pci/drivers/{driver}"))?;
            archive.put_link(&at("driver"), format!("/sys/bus/pci/drivers/{driver}"))?;
        }
        None if listing.tells_drivers => archive.put_absent(at("driver")),
        None => {}
    }
    match function.group {
        Some(group) => {
            let directory = format!("/sys/kernel/iommu_groups/{group}");
            archive.put_link(&at("iommu_group"), directory.clone())?;
            archive.put_link(&format!("{directory}/devices/{address}"), path.clone())?;
        }
        None if listing.tells_groups => archive.put_absent(at("iommu_group")),
        None => {}
    }
    Ok(())
}
