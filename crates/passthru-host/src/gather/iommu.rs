//! The IOMMU: what firmware offers, what the kernel drives, and the groups.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::{interrupts, sysfs};
use passthru_model::address::PciAddress;
use passthru_model::fact::Fact;
use passthru_model::iommu::{FirmwareTable, IommuFacts, IommuGroup, UnitRegisters};
use passthru_model::pci::PciFunction;

use super::because;
use crate::directory::Directory;
use crate::host::Host;
use crate::side_by_side;

const TABLES: &str = "/sys/firmware/acpi/tables";
const UNITS: &str = "/sys/class/iommu";
const GROUPS: &str = "/sys/kernel/iommu_groups";
const INTERRUPTS: &str = "/proc/interrupts";

/// All but the groups, which are another subject.
pub(super) fn but_groups(host: &Host) -> IommuFacts {
    let units = units(host);
    IommuFacts {
        tables: tables(host),
        registers: registers(host, &units),
        units,
        groups: Fact::unknown(super::NOT_ASKED),
        interrupt_remapping: interrupt_remapping(host),
        unsafe_interrupts: unsafe_interrupts(host, "vfio_iommu_type1"),
        iommufd_unsafe_interrupts: unsafe_interrupts(host, "iommufd"),
    }
}

/// The tables by which the firmware offers an IOMMU. Their names suffice: only root may read them.
fn tables(host: &Host) -> Fact<BTreeSet<FirmwareTable>> {
    use FirmwareTable::{Dmar, Iort, Ivrs, Viot};
    let names = match host.list(TABLES) {
        Ok(names) => names,
        Err(error) => return because(&error),
    };
    // Every machine with ACPI has tables; a directory without any has been masked, as containers do with /sys/firmware.
    if names.is_empty() {
        return Fact::unknown(format!("{TABLES} is empty, as it is where a container masks it"));
    }
    let found: BTreeSet<FirmwareTable> = [Dmar, Ivrs, Iort, Viot]
        .into_iter()
        .filter(|table| names.iter().any(|name| name == table.signature()))
        .collect();
    let seen = if found.is_empty() {
        "no DMAR, IVRS, IORT or VIOT".to_owned()
    } else {
        found.iter().map(|table| table.signature()).collect::<Vec<_>>().join(", ")
    };
    Fact::known(found, TABLES, seen)
}

/// The units that the kernel drives. The class is there with every kernel that can drive one.
fn units(host: &Host) -> Fact<BTreeSet<String>> {
    match host.list(UNITS) {
        Ok(names) => {
            let seen = if names.is_empty() { "empty".to_owned() } else { names.join(", ") };
            Fact::known(names.into_iter().collect(), UNITS, seen)
        }
        Err(error) => because(&error),
    }
}

/// What the units say of themselves.
fn registers(host: &Host, units: &Fact<BTreeSet<String>>) -> Fact<BTreeMap<String, UnitRegisters>> {
    let names = match units {
        Fact::Known(names, _) => names,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let mut found = BTreeMap::new();
    for name in names {
        let hex = |path: &str, file: &str| {
            let text = sysfs::line(&host.read(&format!("{path}/{file}")).ok()?);
            // AMD's features are two registers with a colon between (`amd_iommu_show_features`, seen of Linux 6.12), once one.
            let first = text.trim().split(':').next().unwrap_or_default();
            u64::from_str_radix(first.trim_start_matches("0x"), 16).ok()
        };
        let (intel, amd) = (format!("{UNITS}/{name}/intel-iommu"), format!("{UNITS}/{name}/amd-iommu"));
        let unit = if let Some(capability) = hex(&intel, "cap") {
            Some(UnitRegisters::Intel {
                version: host
                    .read(&format!("{intel}/version"))
                    .map(|bytes| sysfs::line(&bytes))
                    .unwrap_or_default(),
                registers: hex(&intel, "address").unwrap_or_default(),
                capability,
                extended: hex(&intel, "ecap").unwrap_or_default(),
            })
        } else {
            hex(&amd, "features").map(|features| UnitRegisters::Amd {
                capability: hex(&amd, "cap").unwrap_or_default(),
                features,
            })
        };
        found.extend(unit.map(|unit| (name.clone(), unit)));
    }
    let seen: Vec<String> =
        found.iter().map(|(name, unit)| format!("{name}: {} bits", unit.address_bits())).collect();
    Fact::known(
        found,
        UNITS,
        if seen.is_empty() { "no registers".to_owned() } else { super::short(&seen.join(", ")) },
    )
}

/// The groups with their members. What is not a PCI function is left out.
///
/// `kinds`: whether the type of each is wanted too, a file each.
pub(super) fn groups(
    host: &Host,
    pci: &Fact<BTreeMap<PciAddress, PciFunction>>,
    kinds: bool,
) -> Fact<BTreeMap<u32, IommuGroup>> {
    let names = match host.list(GROUPS) {
        Ok(names) => names,
        Err(error) => return because(&error),
    };
    let members = members_by_link(host, pci);
    let groups = host.directory(GROUPS);
    let ids: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let read = |id: u32| group(host, &groups, id, members.get(&id), kinds);
    let mut found = BTreeMap::new();
    for (id, group) in side_by_side(&ids, read) {
        match group {
            Ok(group) => found.insert(id, group),
            // A group without its members would look safer than it is.
            Err(why) => return Fact::unknown(why),
        };
    }
    let seen = format!("{} groups", found.len());
    Fact::known(found, GROUPS, seen)
}

/// The members of the groups, by the links of the functions: the kernel keeps these and the lists of the groups alike
/// (`iommu_group_alloc_device`, `drivers/iommu/iommu.c`).
///
/// None where a function has no such link, for then a group's own list may know it, as in a capture that lacks the links;
/// and none for a recorder, so that a capture has the lists.
fn members_by_link(
    host: &Host,
    pci: &Fact<BTreeMap<PciAddress, PciFunction>>,
) -> BTreeMap<u32, Vec<PciAddress>> {
    let mut members: BTreeMap<u32, Vec<PciAddress>> = BTreeMap::new();
    for function in pci.value().filter(|_| !host.is_recording()).into_iter().flat_map(BTreeMap::values) {
        match function.group {
            Some(id) => members.entry(id).or_default().push(function.address),
            None => return BTreeMap::new(),
        }
    }
    members
}

/// One group, or why not all of it is known.
fn group(
    host: &Host,
    groups: &Directory<'_>,
    id: u32,
    linked: Option<&Vec<PciAddress>>,
    kinds: bool,
) -> Result<IommuGroup, String> {
    let members = if let Some(members) = linked {
        members.clone()
    } else {
        let names = host.list(&groups.child(&format!("{id}/devices")))?;
        names.iter().filter_map(|name| name.parse().ok()).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let reserved = match groups.read(&format!("{id}/reserved_regions")) {
        Ok(bytes) => sysfs::reserved_regions(&bytes)
            .map_err(|error| format!("{}: {error}", groups.child(&id.to_string())))?,
        Err(_) => Vec::new(),
    };
    let kind = if kinds { groups.read(&format!("{id}/type")).ok() } else { None };
    let kind = kind.map(|bytes| sysfs::line(&bytes));
    Ok(IommuGroup { id, members, kind, reserved })
}

fn interrupt_remapping(host: &Host) -> Fact<bool> {
    match host.read(INTERRUPTS) {
        Ok(bytes) => match interrupts::remapped(&bytes) {
            Some(true) => Fact::known(true, INTERRUPTS, "chips with the prefix IR-"),
            Some(false) => Fact::known(false, INTERRUPTS, "IO-APIC or PCI-MSI without the prefix IR-"),
            None => Fact::unknown(format!("{INTERRUPTS} names no interrupt chip that would tell")),
        },
        Err(error) => because(&error),
    }
}

fn unsafe_interrupts(host: &Host, module: &str) -> Fact<bool> {
    let path = format!("/sys/module/{module}/parameters/allow_unsafe_interrupts");
    match host.read(&path) {
        Ok(bytes) => match sysfs::flag(&bytes) {
            Some(allowed) => Fact::known(allowed, path, sysfs::line(&bytes)),
            None => Fact::unknown(format!("{path} says neither Y nor N")),
        },
        Err(error) if error.is_not_found() && matches!(host.exists("/sys/module"), Ok(true)) => {
            Fact::unknown(format!("the module {module} is not loaded"))
        }
        Err(error) => because(&error),
    }
}
