//! Graphics: cards of DRM with their connectors, framebuffers, consoles.

use std::collections::BTreeMap;

use crate::address::PciAddress;

/// One output of a card (`/sys/class/drm/CARD-CONNECTOR`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connector {
    /// Its name without the card's: `HDMI-A-1`.
    pub name: String,
    /// Whether a monitor is plugged in (`status` is `connected`). `None`: the driver cannot tell.
    pub connected: Option<bool>,
    /// Whether a picture is sent to it (`enabled`).
    pub enabled: Option<bool>,
}

/// One card of DRM (`/sys/class/drm/cardN`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrmCard {
    /// Its number; another one at each boot, perhaps.
    pub number: u32,
    /// The PCI function; `None` for cards on other buses, such as simpledrm's.
    pub address: Option<PciAddress>,
    /// The device that it is, in `/sys/devices`.
    pub device: String,
    /// Its outputs, in order of name.
    pub connectors: Vec<Connector>,
    /// Whether the boot was shown on it (`boot_display`, from Linux 6.18 on); `None` where the kernel does not say.
    pub boot_display: Option<bool>,
}

/// One framebuffer device (`/sys/class/graphics/fbN`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framebuffer {
    /// Its number.
    pub number: u32,
    /// Whose it is: `EFI VGA`, `VESA VGA`, `simple`, `i915drmfb`, … (`name`; the kernel shows the same in `/proc/fb`).
    pub name: String,
    /// The PCI function, where it hangs on one.
    pub address: Option<PciAddress>,
}

impl Framebuffer {
    /// Whether it is what the firmware left, rather than a driver's own (`drivers/video/fbdev/{efifb,vesafb,simplefb}.c`).
    pub fn is_of_firmware(&self) -> bool {
        matches!(
            self.name.as_str(),
            "EFI VGA" | "VESA VGA" | "simple" | "simpledrmdrmfb" | "efidrmdrmfb" | "vesadrmdrmfb"
        )
    }
}

/// One driver of virtual consoles (`/sys/class/vtconsole/vtconN`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Its number.
    pub number: u32,
    /// Its name, such as `(M) frame buffer device`.
    pub name: String,
    /// Whether the consoles are drawn by it.
    pub bound: bool,
}

impl Console {
    /// Whether it draws on a framebuffer.
    pub fn draws(&self) -> bool {
        self.name.contains("frame buffer")
    }
}

/// The platform device that stands for the framebuffer which the firmware set up (`drivers/firmware/sysfb.c`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirmwareScreen {
    /// Its name: `efi-framebuffer.0`, `vesa-framebuffer.0`, `simple-framebuffer.0`.
    pub device: String,
    /// The driver that draws on it.
    pub driver: Option<String>,
    /// The PCI function it belongs to, which is its parent from Linux 6.10 on.
    pub address: Option<PciAddress>,
}

/// Everything known of graphics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graphics {
    /// Cards in order of number.
    pub cards: Vec<DrmCard>,
    /// Framebuffers in order of number.
    pub framebuffers: Vec<Framebuffer>,
    /// Consoles in order of number.
    pub consoles: Vec<Console>,
    /// Screens of the firmware that drivers still draw on, or could.
    pub firmware_screens: Vec<FirmwareScreen>,
    /// What could not be read, by path, and why.
    pub gaps: BTreeMap<String, String>,
}

impl Graphics {
    /// The outputs of a function with a monitor on them.
    pub fn connected(&self, address: PciAddress) -> impl Iterator<Item = &Connector> {
        self.cards
            .iter()
            .filter(move |card| card.address == Some(address))
            .flat_map(|card| &card.connectors)
            .filter(|connector| connector.connected == Some(true))
    }
}
