//! PCI functions, from `/sys/bus/pci/devices` (`Documentation/ABI/testing/sysfs-bus-pci`).

mod header;

use std::collections::BTreeMap;

use passthru_formats::{config_space, sysfs};
use passthru_model::address::PciAddress;
use passthru_model::fact::Fact;
use passthru_model::hex::{ClassCode, Hex16, PciId};
use passthru_model::pci::{PciFunction, Resource};

use super::{because, is_root_bus, last_part};
use crate::directory::Directory;
use crate::error::ReadError;
use crate::host::Host;
use crate::resolve::{join, split};
use crate::side_by_side;

const DEVICES: &str = "/sys/bus/pci/devices";

/// How much is read of each function beyond its identity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// How much of configuration space.
    pub(super) space: Space,
    /// What only some commands show: [`Details`], and the bridges above what is no display.
    pub(super) details: bool,
}

/// How much is read of configuration space, of which each four bytes take the kernel about a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// The head of what may be a bridge although its class does not say so: [`header::unclear`].
    Unclear,
    /// The head of each function.
    Head,
    /// All that this user may read.
    Whole,
}

/// All functions, in order of address.
pub(super) fn functions(host: &Host, extent: Extent) -> Fact<BTreeMap<PciAddress, PciFunction>> {
    let names = match host.list(DEVICES) {
        Ok(names) => names,
        Err(error) => return because(&error),
    };
    let links = Links {
        devices: host.directory(DEVICES),
        drivers: missing(host, "/sys/bus/pci/drivers"),
        groups: missing(host, "/sys/kernel/iommu_groups"),
    };
    let addresses: Vec<PciAddress> = names
        .iter()
        .filter_map(|name| name.parse::<PciAddress>().ok().filter(|address| address.to_string() == *name))
        .collect();
    let read = side_by_side(&addresses, |address| function(host, address, &links, extent));
    let unclear = if extent.space == Space::Unclear { header::unclear(&read) } else { Vec::new() };
    let mut functions: BTreeMap<_, _> =
        read.into_iter().map(|(address, (function, _))| (address, function)).collect();
    for (address, (config, gaps)) in side_by_side(&unclear, |address| header::read(host, address)) {
        if let Some(function) = functions.get_mut(&address) {
            function.config = config;
            function.gaps.extend(gaps);
        }
    }
    let seen = format!("{} functions", functions.len());
    Fact::known(functions, DEVICES, seen)
}

/// Why the absence of a link to a driver or a group would say nothing: what links lead to is not there itself.
struct Links<'a> {
    devices: Directory<'a>,
    drivers: Option<String>,
    groups: Option<String>,
}

/// Why a directory cannot be relied on; `None` where it is there.
fn missing(host: &Host, path: &str) -> Option<String> {
    match host.exists(path) {
        Ok(true) => None,
        Ok(false) => Some(format!("{path} is not there")),
        Err(error) => Some(error.to_string()),
    }
}

/// Reads the attributes of one function, and keeps the reasons for those that could not be read.
struct Reader<'a> {
    directory: Directory<'a>,
    gaps: BTreeMap<String, String>,
}

impl Reader<'_> {
    fn gap(&mut self, name: &str, why: impl Into<String>) {
        self.gaps.insert(name.to_owned(), why.into());
    }

    /// An attribute that every function has.
    fn always(&mut self, name: &str) -> Option<Vec<u8>> {
        self.directory.read(name).map_err(|error| self.gap(name, error)).ok()
    }

    /// An attribute that only some functions or kernels have.
    fn sometimes(&mut self, name: &str) -> Option<Vec<u8>> {
        let result = self.directory.read(name);
        self.unless_absent(name, result)
    }

    fn unless_absent<T>(&mut self, name: &str, result: Result<T, ReadError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) if error.is_not_found() => None,
            Err(error) => {
                self.gap(name, error);
                None
            }
        }
    }

    fn parsed<T: std::str::FromStr<Err: ToString> + Default>(&mut self, name: &str) -> T {
        let Some(bytes) = self.always(name) else { return T::default() };
        sysfs::line(&bytes).parse().unwrap_or_else(|error: T::Err| {
            self.gap(name, error.to_string());
            T::default()
        })
    }

    /// The name that a link leads to. `unreliable`: why its absence would mean nothing.
    fn linked(&mut self, name: &str, unreliable: Option<&String>) -> Option<String> {
        let result = self.directory.link(name);
        let found = self.unless_absent(name, result);
        if let (None, Some(why)) = (&found, unreliable)
            && !self.gaps.contains_key(name)
        {
            self.gap(name, why);
        }
        found.map(|mut target| {
            target.drain(..target.len() - last_part(&target).len());
            target
        })
    }

    /// Configuration space: 64 bytes without root, else 256 or 4096 (`pci_read_config`, `drivers/pci/pci-sysfs.c`).
    ///
    /// To read it from a function without power would wake it up, which takes long and is a change, so it is left alone.
    fn config(&mut self, space: Space) -> Vec<u8> {
        let state = self.sometimes("power_state").map(|bytes| sysfs::line(&bytes));
        if state.as_deref() == Some("D3cold") {
            self.gap("config", "the function has no power (D3cold), and to read it would wake it up");
            return Vec::new();
        }
        // Extended space belongs to PCI Express alone (`pci_cfg_space_size`, `drivers/pci/probe.c`).
        let is_express =
            |begin: &[u8]| config_space::find(begin, config_space::id::EXPRESS).there().is_some();
        let goes_on = space == Space::Whole;
        let begin = if goes_on { config_space::CONVENTIONAL } else { config_space::HEADER };
        let mut config = self
            .directory
            .read_begin("config", begin, |head| goes_on && is_express(head))
            .unwrap_or_else(|error| {
                self.gaps.insert("config".to_owned(), error.to_string());
                Vec::new()
            });
        // A kernel may give any length up to its limit; only whole spaces are of use.
        let whole = [4096, 256, 64].into_iter().find(|size| config.len() >= *size).unwrap_or(0);
        if whole < 64 && !config.is_empty() {
            self.gap("config", format!("only {} bytes could be read", config.len()));
        }
        config.truncate(whole);
        config
    }
}

/// One function, and what the numbers of its buses tell of its header where that was not read.
fn function(
    host: &Host,
    address: PciAddress,
    links: &Links<'_>,
    extent: Extent,
) -> (PciFunction, Option<header::Buses>) {
    let path = format!("{DEVICES}/{address}");
    let mut reader = Reader { directory: host.directory(&path), gaps: BTreeMap::new() };
    let (modalias, id, subsystem, class) = identity(&mut reader);
    let driver = reader.linked("driver", links.drivers.as_ref());
    let group = reader.linked("iommu_group", links.groups.as_ref()).and_then(|name| {
        name.parse::<u32>()
            .map_err(|_| reader.gap("iommu_group", format!("‘{name}’ is not a group's number")))
            .ok()
    });
    // vgaarb shows the file on VGA functions alone (`pci_dev_attrs_are_visible`, `drivers/pci/pci-sysfs.c`).
    let boot_vga = if class.base_and_sub() == 0x0300 { reader.sometimes("boot_vga") } else { None };
    let above = extent.details || class.is_display();
    let parents = if above { parents(host, links, &path, &mut reader) } else { Vec::new() };
    let (config, buses) = match extent.space {
        Space::Unclear => (Vec::new(), header::buses(&reader.directory, class)),
        space => (reader.config(space), None),
    };
    let details = if extent.details { details(&mut reader, &config) } else { Details::default() };
    let function = PciFunction {
        address,
        id,
        subsystem,
        class,
        revision: details.revision,
        driver,
        driver_override: details.driver_override,
        group,
        reset_methods: reset_methods(&mut reader),
        boot_vga: boot_vga.and_then(|bytes| sysfs::flag(&bytes)),
        modalias,
        numa_node: details.numa_node,
        resources: details.resources,
        has_rom: details.has_rom,
        has_details: extent.details,
        config,
        parents,
        physical_function: details.physical_function,
        gaps: reader.gaps,
    };
    (function, buses)
}

/// What a function is: by its alias, or file by file where it has none that can be read.
fn identity(reader: &mut Reader<'_>) -> (String, PciId, PciId, ClassCode) {
    let modalias = reader.always("modalias").map(|bytes| sysfs::line(&bytes)).unwrap_or_default();
    if let Some((id, subsystem, class)) = sysfs::pci_modalias(&modalias) {
        return (modalias, id, subsystem, class);
    }
    let id = PciId { vendor: reader.parsed("vendor"), device: reader.parsed("device") };
    let subsystem = PciId {
        vendor: reader.parsed::<Hex16>("subsystem_vendor"),
        device: reader.parsed::<Hex16>("subsystem_device"),
    };
    (modalias, id, subsystem, reader.parsed::<ClassCode>("class"))
}

/// What of a function only some commands show (`Subject::PciDetails`).
#[derive(Default)]
struct Details {
    revision: u8,
    driver_override: Option<String>,
    numa_node: Option<u32>,
    resources: Vec<Resource>,
    has_rom: bool,
    physical_function: Option<PciAddress>,
}

fn details(reader: &mut Reader<'_>, config: &[u8]) -> Details {
    let resources = reader.always("resource").map_or_else(Vec::new, |bytes| {
        sysfs::resources(&bytes).unwrap_or_else(|error| {
            reader.gap("resource", error.to_string());
            Vec::new()
        })
    });
    let numa_node = reader.sometimes("numa_node").and_then(|bytes| {
        sysfs::numa_node(&bytes).unwrap_or_else(|error| {
            reader.gap("numa_node", error.to_string());
            None
        })
    });
    let has_rom = reader.directory.has("rom");
    Details {
        revision: revision(reader, config),
        driver_override: reader.sometimes("driver_override").and_then(|bytes| sysfs::driver_override(&bytes)),
        numa_node,
        resources,
        has_rom: reader.unless_absent("rom", has_rom).unwrap_or(false),
        physical_function: reader.linked("physfn", None).and_then(|name| name.parse::<PciAddress>().ok()),
    }
}

/// The revision: the attribute `revision`, or the byte in configuration space on kernels before 4.10, which lack it.
fn revision(reader: &mut Reader<'_>, config: &[u8]) -> u8 {
    const REVISION_ID: usize = 0x08;
    let Some(bytes) = reader.sometimes("revision") else {
        return config.get(REVISION_ID).copied().unwrap_or_else(|| {
            reader.gap("revision", "the attribute is not there");
            0
        });
    };
    let text = sysfs::line(&bytes);
    let digits = text.strip_prefix("0x").unwrap_or(&text);
    u8::from_str_radix(digits, 16).unwrap_or_else(|_| {
        reader.gap("revision", format!("‘{text}’ is not a revision"));
        0
    })
}

/// The kernel's reset methods. Before Linux 5.15 there is no such file, and `reset` says only that there is a method.
fn reset_methods(reader: &mut Reader<'_>) -> Vec<String> {
    if let Some(bytes) = reader.sometimes("reset_method") {
        return sysfs::reset_methods(&bytes);
    }
    if !reader.gaps.contains_key("reset_method") && matches!(reader.directory.has("reset"), Ok(true)) {
        reader.gap(
            "reset_method",
            "this kernel can reset the function and does not say how (before Linux 5.15)",
        );
    }
    Vec::new()
}

/// The bridges above a function, from the device's real path:
/// `/sys/devices/pci0000:00/0000:00:01.0/0000:06:00.0`. They begin anew at each root bus, as below Intel VMD.
fn parents(host: &Host, links: &Links<'_>, path: &str, reader: &mut Reader<'_>) -> Vec<PciAddress> {
    // The entry is a link in sysfs; in a tree that was made otherwise, the whole path is looked up.
    let real = match links.devices.link(split(path).1) {
        Ok(target) => join(split(path).0, &target),
        Err(_) => match host.real_path(path) {
            Ok(real) => real,
            Err(error) => {
                reader.gap("parents", error);
                return Vec::new();
            }
        },
    };
    if !real.starts_with("/sys/devices/") {
        reader.gap("parents", format!("{path} is not a link into /sys/devices"));
    }
    let mut above = Vec::new();
    for part in split(&real).0.split('/') {
        if is_root_bus(part) {
            above.clear();
        } else if let Ok(address) = part.parse() {
            above.push(address);
        }
    }
    above
}
