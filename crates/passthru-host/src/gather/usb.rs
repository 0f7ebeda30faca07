//! USB buses and devices, from `/sys/bus/usb/devices` (`Documentation/ABI/testing/sysfs-bus-usb`).
//!
//! Serial numbers are not read: nothing here needs them.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::{input_devices, sysfs};
use passthru_model::fact::Fact;
use passthru_model::usb::{PortPath, Usb, UsbBus, UsbDevice, UsbInterface, UsbRole};

use super::{because, controllers, last_part, sessions};
use crate::directory::Directory;
use crate::host::Host;
use crate::resolve::split;

const BUS: &str = "/sys/bus/usb";
const DEVICES: &str = "/sys/bus/usb/devices";
const INPUT: &str = "/proc/bus/input/devices";

pub(super) fn of(host: &Host) -> Fact<Usb> {
    let names = match host.list(DEVICES) {
        Ok(names) => names,
        // The kernel's USB core makes the directory; where sysfs itself is not there, nothing is known.
        Err(error) if error.is_not_found() && matches!(host.exists("/sys/bus"), Ok(true)) => {
            return Fact::known(Usb::default(), "/sys/bus", "no directory usb");
        }
        Err(error) => return because(&error),
    };
    let mut usb = Usb::default();
    let mut interfaces: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in &names {
        if let Some((device, _)) = name.split_once(':') {
            interfaces.entry(device).or_default().push(name);
        }
    }
    for name in &names {
        if let Some(number) = name.strip_prefix("usb").and_then(|digits| digits.parse().ok()) {
            if let Some(bus) = bus(host, name, number, &mut usb.gaps) {
                usb.buses.insert(number, bus);
            }
        } else if let Some((bus, port)) = place(name) {
            let interfaces = interfaces.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            usb.devices.extend(device(host, name, bus, port, interfaces, &mut usb.gaps));
        }
    }
    usb.devices.sort_by(|one, other| (one.bus, &one.port).cmp(&(other.bus, &other.port)));
    name_roles(host, &mut usb);
    let seen = format!("{} buses, {} devices", usb.buses.len(), usb.devices.len());
    Fact::known(usb, BUS, seen)
}

/// The bus and the ports in `1-2.3`.
fn place(name: &str) -> Option<(u16, PortPath)> {
    let (bus, port) = name.split_once('-')?;
    Some((bus.parse().ok()?, port.parse().ok()?))
}

fn bus(host: &Host, name: &str, number: u16, gaps: &mut BTreeMap<String, String>) -> Option<UsbBus> {
    let path = format!("{DEVICES}/{name}");
    let real = match host.real_path(&path) {
        Ok(real) => real,
        Err(error) => {
            gaps.insert(path, error.to_string());
            return None;
        }
    };
    let parent = split(&real).0.to_owned();
    let directory = host.directory(&real);
    Some(UsbBus {
        number,
        controller: controllers(&parent).pop(),
        parent,
        ports: attribute(&directory, "maxchild", gaps).and_then(|text| text.parse().ok()),
        speed_mbps: speed(&directory, gaps),
    })
}

fn device(
    host: &Host,
    name: &str,
    bus: u16,
    port: PortPath,
    interfaces: &[&str],
    gaps: &mut BTreeMap<String, String>,
) -> Option<UsbDevice> {
    let path = format!("{DEVICES}/{name}");
    let directory = host.directory(&path);
    let id = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let (Some(vendor), Some(product)) =
        (id(attribute(&directory, "idVendor", gaps)), id(attribute(&directory, "idProduct", gaps)))
    else {
        gaps.entry(path)
            .or_insert_with(|| "it has no ids; it may have been unplugged while it was looked at".to_owned());
        return None;
    };
    let interfaces = interfaces.iter().map(|name| interface(host, name, gaps)).collect();
    let words = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Some(UsbDevice {
        bus,
        port,
        number: attribute(&directory, "devnum", gaps).and_then(|text| text.trim().parse().ok()),
        vendor,
        product,
        maker: attribute(&directory, "manufacturer", gaps).and_then(words),
        name: attribute(&directory, "product", gaps).and_then(words),
        class: hex(attribute(&directory, "bDeviceClass", gaps)),
        interfaces,
        roles: BTreeSet::new(),
        seat: None,
        speed_mbps: speed(&directory, gaps),
        removable: match attribute(&directory, "removable", gaps).as_deref() {
            Some("removable") => Some(true),
            Some("fixed") => Some(false),
            _ => None,
        },
    })
}

fn interface(host: &Host, name: &str, gaps: &mut BTreeMap<String, String>) -> UsbInterface {
    let directory = host.directory(&format!("{DEVICES}/{name}"));
    UsbInterface {
        class: hex(attribute(&directory, "bInterfaceClass", gaps)),
        subclass: hex(attribute(&directory, "bInterfaceSubClass", gaps)),
        protocol: hex(attribute(&directory, "bInterfaceProtocol", gaps)),
        driver: directory.link("driver").ok().map(|target| last_part(&target).to_owned()),
    }
}

/// An attribute that some devices or kernels lack.
fn attribute(directory: &Directory<'_>, name: &str, gaps: &mut BTreeMap<String, String>) -> Option<String> {
    match directory.read(name) {
        Ok(bytes) => Some(sysfs::line(&bytes)),
        Err(error) if error.is_not_found() => None,
        Err(error) => {
            gaps.insert(error.path.clone(), error.to_string());
            None
        }
    }
}

/// Two hexadecimal digits; 0, "see the interfaces", where there are none.
fn hex(text: Option<String>) -> u8 {
    text.and_then(|text| u8::from_str_radix(text.trim(), 16).ok()).unwrap_or(0)
}

/// `speed`, where `1.5` stands for the slowest (`speed_show`, `drivers/usb/core/sysfs.c`); rounded up.
fn speed(directory: &Directory<'_>, gaps: &mut BTreeMap<String, String>) -> Option<u32> {
    let text = attribute(directory, "speed", gaps)?;
    if text == "1.5" { Some(2) } else { text.trim().parse().ok() }
}

/// Says of each device what it is: by its classes, and, for keyboards and mice, by the input devices that the host has of it,
/// with the seat that these are at.
fn name_roles(host: &Host, usb: &mut Usb) {
    let inputs = match host.read(INPUT) {
        Ok(bytes) => input_devices::parse(&bytes),
        Err(error) => {
            usb.gaps.insert(INPUT.to_owned(), error.to_string());
            Vec::new()
        }
    };
    // Input devices by the innermost USB device on their path: a keyboard behind a hub is not the hub's.
    let mut told: BTreeMap<(u16, PortPath), (BTreeSet<UsbRole>, Option<String>)> = BTreeMap::new();
    for input in inputs {
        let Some(place) = input.sysfs.split('/').filter_map(place).next_back() else { continue };
        let (roles, seat) = told.entry(place).or_default();
        roles.extend(input.is_keyboard.then_some(UsbRole::Keyboard));
        roles.extend(input.is_pointer.then_some(UsbRole::Mouse));
        if seat.is_none() && (input.is_keyboard || input.is_pointer) {
            *seat = sessions::seat_of_input(host, last_part(&input.sysfs));
        }
    }
    for device in &mut usb.devices {
        let told = told.get(&(device.bus, device.port.clone()));
        let of_interface = |interface: &UsbInterface| {
            UsbRole::of_class(interface.class, interface.subclass, interface.protocol)
        };
        let by_class = device.interfaces.iter().filter_map(of_interface);
        // Many mice can send keys, and so have the boot protocol of a keyboard: the host knows better where it uses them.
        device.roles = by_class
            .filter(|role| told.is_none() || !matches!(role, UsbRole::Keyboard | UsbRole::Mouse))
            .chain(UsbRole::of_class(device.class, 0, 0))
            .chain(told.into_iter().flat_map(|(roles, _)| roles).copied())
            .collect();
        device.seat = told.and_then(|(_, seat)| seat.clone());
        if device.roles.contains(&UsbRole::Keyboard) || device.roles.contains(&UsbRole::Mouse) {
            device.roles.remove(&UsbRole::Input);
        }
    }
}
