//! USB: controllers, their buses, and what hangs on which port.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::PciAddress;
use crate::hex::{Hex16, as_text};

/// The USB buses and devices of a host, from `/sys/bus/usb/devices` (`Documentation/ABI/testing/sysfs-bus-usb`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usb {
    /// Buses by number. A controller for USB 3 has two: one for USB 2 and slower, one for USB 3.
    pub buses: BTreeMap<u16, UsbBus>,
    /// Devices without the root hubs, in order of bus and port.
    pub devices: Vec<UsbDevice>,
    /// What could not be read, by path, and why.
    pub gaps: BTreeMap<String, String>,
}

/// One bus: a root hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbBus {
    /// Its number (`busnum`), as `lsusb` shows it.
    pub number: u16,
    /// The PCI function that drives it; `None` for a controller that is on another bus (`usbip`, platform devices).
    pub controller: Option<PciAddress>,
    /// The device above the root hub, in `/sys/devices`.
    pub parent: String,
    /// Ports of the root hub (`maxchild`).
    pub ports: Option<u16>,
    /// Megabits a second (`speed`).
    pub speed_mbps: Option<u32>,
}

/// A place on a bus: the ports on the way from the root hub, `2.3` (`devpath`). It stays when the device is plugged in anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortPath(
    /// Port numbers, the root hub's first.
    pub Vec<u8>,
);

/// A port of a host: the bus and the way from its root hub, `1-2.3`, as the kernel names the device there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsbPort {
    /// The bus (`busnum`).
    pub bus: u16,
    /// Where on it.
    pub path: PortPath,
}

/// Maker and product of a device, `046d:c31c`, as `lsusb` shows them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsbId {
    /// `idVendor`.
    pub vendor: Hex16,
    /// `idProduct`.
    pub product: Hex16,
}

/// What a device is, in the order in which it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsbRole {
    /// Has the keys of a keyboard (an input device of the host says so) or the boot protocol of one.
    Keyboard,
    /// Moves a pointer, or has the boot protocol of a mouse.
    Mouse,
    /// Human interface device of another kind.
    Input,
    /// Mass storage (class 08).
    Storage,
    /// Audio (class 01).
    Audio,
    /// Video (class 0e).
    Video,
    /// Network (class 02 or a subclass of the wireless controllers).
    Network,
    /// Bluetooth (class e0, subclass 01, protocol 01).
    Bluetooth,
    /// Printer (class 07).
    Printer,
    /// Smart card reader (class 0b).
    SmartCard,
    /// Hub (class 09).
    Hub,
}

/// One interface of a device (`N-P:C.I`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbInterface {
    /// `bInterfaceClass`.
    pub class: u8,
    /// `bInterfaceSubClass`.
    pub subclass: u8,
    /// `bInterfaceProtocol`.
    pub protocol: u8,
    /// The driver bound to it.
    pub driver: Option<String>,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbDevice {
    /// The bus (`busnum`).
    pub bus: u16,
    /// Where on the bus.
    pub port: PortPath,
    /// Its number on the bus (`devnum`); another one each time it is plugged in.
    pub number: Option<u16>,
    /// `idVendor`.
    pub vendor: Hex16,
    /// `idProduct`.
    pub product: Hex16,
    /// Name of the maker, as the device gives it (`manufacturer`).
    pub maker: Option<String>,
    /// Name of the product, as the device gives it (`product`).
    pub name: Option<String>,
    /// `bDeviceClass`; 0: the interfaces say.
    pub class: u8,
    /// Its interfaces in the present configuration, in order of their names.
    pub interfaces: Vec<UsbInterface>,
    /// What it is.
    pub roles: BTreeSet<UsbRole>,
    /// The seat that it belongs to, of keyboards and mice that the host uses (`ID_SEAT` of udev, else `seat0`); `None`
    /// of others, and where udev's database is not to be seen.
    pub seat: Option<String>,
    /// Megabits a second (`speed`).
    pub speed_mbps: Option<u32>,
    /// `removable`: whether it is on a port that a user can reach (`removable`, `fixed`; `unknown` is `None`).
    pub removable: Option<bool>,
}

impl Usb {
    /// The controller of a device.
    pub fn controller_of(&self, device: &UsbDevice) -> Option<PciAddress> {
        self.buses.get(&device.bus)?.controller
    }
}

impl UsbDevice {
    /// The port that it is at.
    pub fn at(&self) -> UsbPort {
        UsbPort { bus: self.bus, path: self.port.clone() }
    }

    /// Maker and product.
    pub fn id(&self) -> UsbId {
        UsbId { vendor: self.vendor, product: self.product }
    }

    /// The kernel's name of the device: `1-2.3`.
    pub fn kernel_name(&self) -> String {
        format!("{}-{}", self.bus, self.port)
    }

    /// What to call it: the names that it gives itself, else its ids.
    pub fn label(&self) -> String {
        match (&self.maker, &self.name) {
            (Some(maker), Some(name)) if name.starts_with(maker.as_str()) => name.clone(),
            (Some(maker), Some(name)) => format!("{maker} {name}"),
            (Some(name), None) | (None, Some(name)) => name.clone(),
            (None, None) => format!("device {}:{}", self.vendor, self.product),
        }
    }
}

impl UsbRole {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keyboard => "keyboard",
            Self::Mouse => "mouse",
            Self::Input => "input",
            Self::Storage => "storage",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Network => "network",
            Self::Bluetooth => "bluetooth",
            Self::Printer => "printer",
            Self::SmartCard => "smart card",
            Self::Hub => "hub",
        }
    }

    /// The role that a class, subclass and protocol stand for (USB-IF, "Defined Class Codes"), where it is one of these.
    pub fn of_class(class: u8, subclass: u8, protocol: u8) -> Option<Self> {
        Some(match (class, subclass, protocol) {
            (0x01, ..) => Self::Audio,
            (0x02, ..) | (0xe0, 0x01, 0x03) => Self::Network,
            (0x03, 0x01, 0x01) => Self::Keyboard,
            (0x03, 0x01, 0x02) => Self::Mouse,
            (0x03, ..) => Self::Input,
            (0x07, ..) => Self::Printer,
            (0x08, ..) => Self::Storage,
            (0x09, ..) => Self::Hub,
            (0x0b, ..) => Self::SmartCard,
            (0x0e, ..) => Self::Video,
            (0xe0, 0x01, 0x01) => Self::Bluetooth,
            _ => return None,
        })
    }
}

impl std::fmt::Display for PortPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut dot = "";
        for port in &self.0 {
            write!(f, "{dot}{port}")?;
            dot = ".";
        }
        Ok(())
    }
}

impl std::str::FromStr for PortPath {
    type Err = String;

    /// Reads `2.3`. USB allows six hubs in a row below the root hub's port (`MAX_TOPO_LEVEL`, `drivers/usb/core/hub.c`).
    fn from_str(text: &str) -> Result<Self, String> {
        const MOST_LEVELS: usize = 7;
        let wrong = || format!("‘{text}’ is not a path of USB ports: write it as 2 or 2.3");
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let ports = text
            .split('.')
            .take(MOST_LEVELS + 1)
            .map(|part| part.parse().ok().filter(|port: &u8| digits(part) && *port > 0).ok_or_else(wrong))
            .collect::<Result<Vec<_>, _>>()?;
        if ports.len() > MOST_LEVELS { Err(wrong()) } else { Ok(Self(ports)) }
    }
}

impl std::fmt::Display for UsbPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.bus, self.path)
    }
}

impl std::str::FromStr for UsbPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "‘{}’ is no USB port: write it as 1-2.3, bus and ports; see: passthru usb",
                text.escape_debug()
            )
        };
        let (bus, path) = text.split_once('-').ok_or_else(wrong)?;
        let is_number = !bus.is_empty() && bus.bytes().all(|byte| byte.is_ascii_digit());
        let bus = bus.parse().ok().filter(|bus| is_number && *bus > 0).ok_or_else(wrong)?;
        Ok(Self { bus, path: path.parse().map_err(|_| wrong())? })
    }
}

impl std::fmt::Display for UsbId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.vendor, self.product)
    }
}

impl std::str::FromStr for UsbId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "‘{}’ is no id of a USB device: write it as 046d:c31c; see: passthru usb",
                text.escape_debug()
            )
        };
        let (vendor, product) = text.split_once(':').ok_or_else(wrong)?;
        let read = |part: &str| part.parse::<Hex16>().map_err(|_| wrong());
        Ok(Self { vendor: read(vendor)?, product: read(product)? })
    }
}

as_text!(UsbPort, "UsbPort", "^[0-9]+-[0-9]+([.][0-9]+)*$");
as_text!(UsbId, "UsbId", "^[0-9a-f]{4}:[0-9a-f]{4}$");

#[cfg(test)]
mod tests {
    use super::{PortPath, UsbRole};
    use proptest::prelude::*;

    #[test]
    fn a_path_of_ports_sorts_by_number_and_not_as_text() {
        let path = |text: &str| text.parse::<PortPath>().expect("a path");
        assert!(path("2") < path("2.1") && path("2.9") < path("2.10") && path("9") < path("10"));
        for wrong in ["", "0", ".", "1.", "1.+2", "256", "1.2.3.4.5.6.7.8"] {
            assert!(wrong.parse::<PortPath>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_boot_protocol_tells_a_keyboard_from_a_mouse() {
        assert_eq!(UsbRole::of_class(3, 1, 1), Some(UsbRole::Keyboard));
        assert_eq!(UsbRole::of_class(3, 1, 2), Some(UsbRole::Mouse));
        assert_eq!(UsbRole::of_class(3, 0, 0), Some(UsbRole::Input));
        assert_eq!(UsbRole::of_class(0xff, 0, 0), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ports in prop::collection::vec(1u8.., 1..=7)) {
            let path = PortPath(ports);
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}") {
            let _ = text.parse::<PortPath>();
        }
    }
}
