//! `passthru usb --json`.

use passthru_model::{Hex16, PciAddress};
use schemars::JsonSchema;
use serde::Serialize;

/// `passthru usb --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UsbEnvelope {
    /// `passthru.usb/1`.
    pub schema: &'static str,
    /// USB controllers in order of address.
    pub controllers: Vec<Controller>,
    /// Buses whose controller is no PCI function.
    pub other_buses: Vec<Bus>,
    /// What could not be read, and why.
    pub unknown: Vec<String>,
}

/// One controller.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Controller {
    /// The PCI function.
    pub address: PciAddress,
    /// Its name.
    pub name: String,
    /// The driver bound now.
    pub driver: Option<String>,
    /// Its IOMMU group; null: none.
    pub group: Option<u32>,
    /// Whether the kernel can reset it by itself; null where that could not be read.
    pub reset: Option<bool>,
    /// Reset methods in the order in which the kernel tries them.
    pub reset_methods: Vec<String>,
    /// `keyboard` and `mouse`, where one hangs here.
    pub carries: Vec<&'static str>,
    /// Whether it can go to a guest.
    pub outlook: String,
    /// What to know before it is given away.
    pub notes: Vec<String>,
    /// Its buses.
    pub buses: Vec<Bus>,
}

/// One bus.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Bus {
    /// Its number.
    pub number: u16,
    /// Megabits a second.
    pub speed_mbps: Option<u32>,
    /// Ports of its root hub.
    pub ports: Option<u16>,
    /// What is plugged in, in order of port; hubs among them.
    pub devices: Vec<UsbDeviceLine>,
}

/// One device.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UsbDeviceLine {
    /// The ports on the way from the root hub: `2.3`. Stays when the device is plugged in anew.
    pub port: String,
    /// Its number on the bus; another one each time it is plugged in.
    pub number: Option<u16>,
    /// Vendor.
    pub vendor: Hex16,
    /// Product.
    pub product: Hex16,
    /// What it calls itself.
    pub name: String,
    /// What it is: `keyboard`, `mouse`, `storage`, …
    pub roles: Vec<&'static str>,
    /// The seat it belongs to, of keyboards and mice; null of others, and where that cannot be seen.
    pub seat: Option<String>,
    /// The user whose session is shown at that seat now; null: nobody, or it cannot be seen.
    pub user: Option<String>,
    /// Megabits a second.
    pub speed_mbps: Option<u32>,
    /// Drivers of its interfaces.
    pub drivers: Vec<String>,
}
