//! Which USB controller carries what, and whether it can go to a guest.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::pci::PciFunction;
use passthru_model::session::{Session, SessionClass};
use passthru_model::usb::{PortPath, Usb, UsbDevice, UsbPort, UsbRole};

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
    /// Who uses the keyboards and mice, by bus and port.
    pub sitting: BTreeMap<(u16, PortPath), Sitting>,
    /// Why something is missing here, where it could not be read.
    pub unknown: Vec<String>,
}

/// Who sits at a keyboard or a mouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sitting {
    /// The seat that the device belongs to.
    pub seat: String,
    /// The user whose session is shown at that seat now; `None`: nobody's.
    pub user: Option<String>,
    /// In words, such as "anna sits there (wayland, seat0)".
    pub words: String,
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
    let sitting = sitting(facts, usb, &mut unknown);
    UsbView { controllers, other_buses, sitting, unknown }
}

/// Who sits at each keyboard and mouse that the host uses, as far as that can be seen.
fn sitting(facts: &HostFacts, usb: &Usb, unknown: &mut Vec<String>) -> BTreeMap<(u16, PortPath), Sitting> {
    let mut found = BTreeMap::new();
    for device in usb.devices.iter().filter(|device| device.roles.iter().copied().any(is_of_a_seat)) {
        match (&device.seat, facts.sessions.value()) {
            (Some(seat), Some(sessions)) => {
                found.insert((device.bus, device.port.clone()), at(seat, sessions));
            }
            _ if found.is_empty() && !unknown.iter().any(|line| line.starts_with(WHO)) => {
                let no_database = "udev's database, /run/udev/data, does not tell of it";
                unknown.push(format!("{WHO}: {}", facts.sessions.because().unwrap_or(no_database)));
            }
            _ => {}
        }
    }
    found
}

/// How the line begins that says why it is not known who sits somewhere.
const WHO: &str = "it cannot be seen who sits at the keyboard";

/// Which of keyboard and mouse the host would be left without, of those that it has by USB, if these controllers and devices went
/// to a guest. What is on no USB, such as a laptop's own keyboard, is not seen here.
pub fn missed(facts: &HostFacts, controllers: &[PciAddress], devices: &[UsbPort]) -> Vec<UsbRole> {
    let Some(usb) = facts.usb.value() else { return Vec::new() };
    let goes = |device: &UsbDevice| {
        devices.contains(&device.at())
            || usb.controller_of(device).is_some_and(|at| controllers.contains(&at))
    };
    let is_last = |role: &UsbRole| {
        let mut all = usb.devices.iter().filter(|device| device.roles.contains(role)).peekable();
        all.peek().is_some() && all.all(goes)
    };
    [UsbRole::Keyboard, UsbRole::Mouse].into_iter().filter(is_last).collect()
}

fn is_of_a_seat(role: UsbRole) -> bool {
    matches!(role, UsbRole::Keyboard | UsbRole::Mouse)
}

/// Who is to be seen at a seat.
fn at(seat: &str, sessions: &[Session]) -> Sitting {
    let shown = sessions.iter().find(|session| session.active && session.seat.as_deref() == Some(seat));
    let (user, words) = match shown {
        Some(session) if session.class == SessionClass::User => {
            let kind = session.kind.as_deref().map_or_else(String::new, |kind| format!("{kind}, "));
            (Some(session.user.clone()), format!("{} sits there ({kind}{seat})", session.user))
        }
        Some(session) if session.class == SessionClass::Greeter => {
            (None, format!("the login screen of {seat}"))
        }
        _ => (None, format!("nobody is logged in at {seat}")),
    };
    Sitting { seat: seat.to_owned(), user, words }
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
        .filter(|role| is_of_a_seat(*role))
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
