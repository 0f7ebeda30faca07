//! What more is to be known of functions: power, links, resizable BARs, virtual functions
//! (`Documentation/ABI/testing/sysfs-bus-pci`, `sysfs-devices-power`).
//!
//! Apart from the functions themselves, since groups do not need it, and some of it makes the kernel ask the device.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::{config_space, sysfs};
use passthru_model::address::PciAddress;
use passthru_model::device_state::{DeviceState, DeviceStates, Link, LinkState, ResizableBar, SriovState};
use passthru_model::fact::Fact;
use passthru_model::pci::PciFunction;

use crate::directory::Directory;
use crate::host::Host;

const DEVICES: &str = "/sys/bus/pci/devices";

pub(super) fn of(host: &Host, pci: &Fact<BTreeMap<PciAddress, PciFunction>>) -> Fact<DeviceStates> {
    let functions = match pci {
        Fact::Known(functions, _) => functions,
        Fact::Unknown(because) => return Fact::Unknown(because.clone()),
    };
    // A display's link is the port's above it as well: which of the two is the slower one is what people ask.
    let ports: BTreeSet<PciAddress> = functions
        .values()
        .filter(|function| function.class.is_display())
        .filter_map(|function| function.parents.last().copied())
        .collect();
    let states: DeviceStates = functions
        .values()
        .filter(|function| !function.is_bridge() || ports.contains(&function.address))
        .map(|function| (function.address, state(host, function)))
        .collect();
    let seen = format!("{} functions", states.len());
    Fact::known(states, DEVICES, seen)
}

struct Reader<'a> {
    directory: Directory<'a>,
    gaps: BTreeMap<String, String>,
}

impl Reader<'_> {
    /// An attribute that not all functions or kernels have.
    fn line(&mut self, name: &str) -> Option<String> {
        match self.directory.read(name) {
            Ok(bytes) => Some(sysfs::line(&bytes)),
            Err(error) if error.is_not_found() => None,
            Err(error) => {
                self.gaps.insert(name.to_owned(), error.to_string());
                None
            }
        }
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.line(name).and_then(|text| sysfs::flag(text.as_bytes()))
    }

    fn link(&mut self, which: &str) -> Option<Link> {
        let speed = self.line(&format!("{which}_link_speed"))?;
        let width = self.line(&format!("{which}_link_width"))?;
        Some(Link { megatransfers: sysfs::link_speed(&speed)?, lanes: width.trim().parse().ok()? })
    }
}

fn state(host: &Host, function: &PciFunction) -> DeviceState {
    let directory = host.directory(&format!("{DEVICES}/{}", function.address));
    let mut reader = Reader { directory, gaps: BTreeMap::new() };
    let power = reader.line("power_state");
    let mut state = DeviceState {
        d3cold_allowed: reader.flag("d3cold_allowed"),
        power_control: reader.line("power/control"),
        ..DeviceState::default()
    };
    if !function.is_bridge() && function.physical_function.is_none() {
        state.sriov = sriov(&mut reader);
    }
    // What follows makes newer kernels wake the device up, which takes long and is a change.
    let asleep = power.as_deref() == Some("D3cold");
    let in_space = function.config.len() >= config_space::CONVENTIONAL;
    if (function.class.is_display() || function.is_bridge()) && !asleep && !in_space {
        state.link = LinkState { now: reader.link("current"), most: reader.link("max") };
    }
    if function.class.is_display() {
        state.boot_display = reader.flag("boot_display");
        if !asleep {
            state.resizable = resizable(&mut reader, function);
        }
    }
    state.power = power;
    state.gaps = reader.gaps;
    state
}

/// The kernel shows the attributes only on functions with the capability (`sriov_vf_attrs_are_visible`).
fn sriov(reader: &mut Reader<'_>) -> Option<SriovState> {
    let number = |text: String| text.trim().parse::<u16>().ok();
    let total = reader.line("sriov_totalvfs").and_then(number)?;
    Some(SriovState {
        total,
        enabled: reader.line("sriov_numvfs").and_then(number).unwrap_or(0),
        autoprobe: reader.flag("sriov_drivers_autoprobe"),
    })
}

/// The file's text is a bitmap in hexadecimal (`__resource_resize_show`, `drivers/pci/pci-sysfs.c`).
fn resizable(reader: &mut Reader<'_>, function: &PciFunction) -> Vec<ResizableBar> {
    let mut found = Vec::new();
    for index in function.resources.iter().map(|range| range.index).filter(|index| *index < 6) {
        let Some(text) = reader.line(&format!("resource{index}_resize")) else { continue };
        let digits = text.trim().strip_prefix("0x").unwrap_or(text.trim());
        if let Ok(sizes) = u64::from_str_radix(digits, 16) {
            found.push(ResizableBar { index, sizes });
        }
    }
    found
}
