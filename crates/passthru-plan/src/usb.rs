//! Which USB controller carries what, and whether it can go to a guest.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::pci::PciFunction;
use passthru_model::usb::{Usb, UsbDevice, UsbRole};

use crate::groups;

/// Base class and subclass of USB controllers (PCI Code and ID Assignment, "Serial Bus Controller, USB").
const USB_CONTROLLER: u16 = 0x0c03;

/// How the note about a controller without a reset begins.
pub(crate) const NO_RESET: &str = "it has no reset";

/// All of USB on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbView {
    /// PCI functions that are USB controllers or drive a USB bus, in order of address.
    pub controllers: Vec<ControllerView>,
    /// Buses whose controller is no PCI function, such as `vhci_hcd`; by number, with the device above them.
    pub other_buses: BTreeMap<u16, String>,
    /// Why something is missing here, where it could not be read.
    pub unknown: Vec<String>,
}

/// One controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerView {
    /// The PCI function.
    pub address: PciAddress,
    /// Its name.
    pub name: String,
    /// The driver bound now.
    pub driver: Option<String>,
    /// Its IOMMU group.
    pub group: Option<u32>,
    /// Whether the kernel can reset it by itself; `None` where that could not be read.
    pub reset: Option<bool>,
    /// Reset methods in the order in which the kernel tries them.
    pub reset_methods: Vec<String>,
    /// Its buses, by number. None while no USB driver has it.
    pub buses: Vec<u16>,
    /// Which of keyboard and mouse hang on it, as far as the host uses them.
    pub carries: BTreeSet<UsbRole>,
    /// Whether it can go to a guest, in a sentence.
    pub outlook: String,
    /// What to know before it is given away, a sentence each.
    pub notes: Vec<String>,
}

/// Looks at the USB of a host.
pub fn view(facts: &HostFacts) -> UsbView {
    let empty = Usb::default();
    let usb = facts.usb.value().unwrap_or(&empty);
    let mut unknown: Vec<String> =
        facts.usb.because().into_iter().chain(facts.pci.because()).map(str::to_owned).collect();
    unknown.extend(usb.gaps.values().cloned());
    let outlooks = outlooks(facts);
    let drives = |function: &&PciFunction| {
        function.class.base_and_sub() == USB_CONTROLLER
            || usb.buses.values().any(|bus| bus.controller == Some(function.address))
    };
    let resets_are_told = crate::resets::are_told(facts);
    let controllers = facts
        .functions()
        .filter(drives)
        .map(|function| controller(facts, usb, function, outlooks.get(&function.address), resets_are_told))
        .collect();
    let is_known =
        |address: Option<PciAddress>| address.is_some_and(|address| facts.function(address).is_some());
    let other_buses = usb
        .buses
        .values()
        .filter(|bus| !is_known(bus.controller))
        .map(|bus| (bus.number, bus.parent.clone()))
        .collect();
    UsbView { controllers, other_buses, unknown }
}

/// What can be done with each function, from the view of the groups.
fn outlooks(facts: &HostFacts) -> BTreeMap<PciAddress, String> {
    let view = groups::view(facts);
    let devices = view.groups.into_iter().flat_map(|group| group.devices).chain(view.ungrouped);
    devices.map(|device| (device.address, device.outlook)).collect()
}

fn controller(
    facts: &HostFacts,
    usb: &Usb,
    function: &PciFunction,
    outlook: Option<&String>,
    resets_are_told: bool,
) -> ControllerView {
    let hangs_on = |device: &&UsbDevice| usb.controller_of(device) == Some(function.address);
    let carries: BTreeSet<UsbRole> = usb
        .devices
        .iter()
        .filter(hangs_on)
        .flat_map(|device| device.roles.iter().copied())
        .filter(|role| matches!(role, UsbRole::Keyboard | UsbRole::Mouse))
        .collect();
    let outlook = outlook.cloned().unwrap_or_default();
    let mut notes = Vec::new();
    if function.reset_methods.is_empty() && resets_are_told && !crate::resets::is_gap(function) {
        notes.push(format!(
            "{NO_RESET}: after a guest has used it, it may not start again until the host reboots"
        ));
    }
    // What the outlook names already is not said twice.
    let uses = facts.in_use.value().into_iter().flatten();
    for using in uses.filter(|using| using.address == function.address && !outlook.contains(&using.what)) {
        notes.push(format!("the host uses it: {}", using.what));
    }
    ControllerView {
        address: function.address,
        name: facts.name_of(function),
        driver: function.driver.clone(),
        group: function.group,
        reset: crate::resets::can(function, resets_are_told),
        reset_methods: function.reset_methods.clone(),
        buses: usb
            .buses
            .values()
            .filter(|bus| bus.controller == Some(function.address))
            .map(|bus| bus.number)
            .collect(),
        carries,
        outlook,
        notes,
    }
}
