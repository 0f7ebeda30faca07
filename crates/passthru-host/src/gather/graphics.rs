//! Graphics: cards of DRM and their connectors (`drivers/gpu/drm/drm_sysfs.c`), framebuffers (`Documentation/ABI/stable/
//! sysfs-class-graphics`), consoles (`drivers/tty/vt/vt.c`), and what the firmware left on the screen
//! (`drivers/firmware/sysfb.c`).

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::sysfs;
use passthru_model::fact::Fact;
use passthru_model::graphics::{Connector, Console, DrmCard, FirmwareScreen, Framebuffer, Graphics};

use super::{because, controllers, last_part};
use crate::host::Host;

const DRM: &str = "/sys/class/drm";
const GRAPHICS: &str = "/sys/class/graphics";
const CONSOLES: &str = "/sys/class/vtconsole";
const PLATFORM: &str = "/sys/bus/platform/devices";

pub(super) fn of(host: &Host) -> Fact<Graphics> {
    let mut reader = Reader { host, graphics: Graphics::default() };
    let Some(names) = reader.list(DRM) else {
        // Without DRM drivers there is no such class; where sysfs itself is not there, nothing is known.
        return match host.exists("/sys/class") {
            Ok(true) if !reader.graphics.gaps.contains_key(DRM) => reader.rest("no class drm"),
            Ok(_) => {
                let why = reader.graphics.gaps.remove(DRM);
                Fact::unknown(why.unwrap_or_else(|| "/sys/class is not there".to_owned()))
            }
            Err(error) => because(&error),
        };
    };
    // Cards by the number in their own names and in those of their connectors: card0, card0-HDMI-A-1.
    let numbers: BTreeSet<u32> =
        names.iter().filter_map(|name| name.split('-').next()?.strip_prefix("card")?.parse().ok()).collect();
    for number in numbers {
        reader.card(number, &names);
    }
    let seen = format!("{} cards", reader.graphics.cards.len());
    reader.rest(&seen)
}

struct Reader<'a> {
    host: &'a Host,
    graphics: Graphics,
}

impl Reader<'_> {
    fn gap(&mut self, path: &str, why: impl Into<String>) {
        self.graphics.gaps.insert(path.to_owned(), why.into());
    }

    /// The names in a directory; `None` where it is not there or could not be read, which is noted.
    fn list(&mut self, path: &str) -> Option<Vec<String>> {
        match self.host.list(path) {
            Ok(names) => Some(names),
            Err(error) if error.is_not_found() => None,
            Err(error) => {
                self.gap(path, error);
                None
            }
        }
    }

    /// An attribute that not all kernels or drivers have.
    fn line(&mut self, path: &str) -> Option<String> {
        match self.host.read(path) {
            Ok(bytes) => Some(sysfs::line(&bytes)),
            Err(error) if error.is_not_found() => None,
            Err(error) => {
                self.gap(path, error);
                None
            }
        }
    }

    /// The device that an entry of a class is, without links.
    fn real(&mut self, path: &str) -> Option<String> {
        self.host.real_path(path).map_err(|error| self.gap(path, error)).ok()
    }

    fn card(&mut self, number: u32, names: &[String]) {
        let name = format!("card{number}");
        let path = format!("{DRM}/{name}");
        let prefix = format!("{name}-");
        let mut connectors = Vec::new();
        // The entries are DEVICE/drm/cardN and DEVICE/drm/cardN/cardN-CONNECTOR.
        let mut device = names.contains(&name).then(|| self.real(&path)).flatten();
        for connector in names.iter().filter_map(|other| other.strip_prefix(&prefix)) {
            let path = format!("{DRM}/{prefix}{connector}");
            // The kernel's words are connected, disconnected and unknown (`drm_get_connector_status_name`).
            let Some(status) = self.line(&format!("{path}/status")) else { continue };
            let connected = match status.as_str() {
                "connected" => Some(true),
                "disconnected" => Some(false),
                _ => None,
            };
            // Whether a picture is sent matters only where somebody can see it.
            let enabled = if connected == Some(true) { self.line(&format!("{path}/enabled")) } else { None };
            connectors.push(Connector {
                name: connector.to_owned(),
                connected,
                enabled: enabled.map(|word| word == "enabled"),
            });
            if !device.as_ref().is_some_and(|device| device.starts_with("/sys/devices/")) {
                device = self.real(&path);
            }
        }
        let Some(device) = device else { return };
        let device = device.split_once(&format!("/drm/{name}")).map_or(device.as_str(), |(device, _)| device);
        let boot_display = self.line(&format!("{path}/boot_display")).map(|word| word == "1");
        let address = controllers(device).pop();
        self.graphics.cards.push(DrmCard {
            number,
            address,
            device: device.to_owned(),
            connectors,
            boot_display,
        });
    }

    /// All but the cards.
    fn rest(mut self, seen: &str) -> Fact<Graphics> {
        self.framebuffers();
        self.consoles();
        self.firmware_screens();
        Fact::known(self.graphics, DRM, seen)
    }

    fn framebuffers(&mut self) {
        for name in self.list(GRAPHICS).unwrap_or_default() {
            let Some(number) = name.strip_prefix("fb").and_then(|digits| digits.parse().ok()) else {
                continue;
            };
            let path = format!("{GRAPHICS}/{name}");
            let title = self.line(&format!("{path}/name")).unwrap_or_default();
            let address = self.real(&path).and_then(|real| controllers(&real).pop());
            self.graphics.framebuffers.push(Framebuffer { number, name: title, address });
        }
        self.graphics.framebuffers.sort_by_key(|framebuffer| framebuffer.number);
    }

    fn consoles(&mut self) {
        for name in self.list(CONSOLES).unwrap_or_default() {
            let Some(number) = name.strip_prefix("vtcon").and_then(|digits| digits.parse().ok()) else {
                continue;
            };
            let path = format!("{CONSOLES}/{name}");
            let title = self.line(&format!("{path}/name")).unwrap_or_default();
            let bound = self.line(&format!("{path}/bind")).is_some_and(|word| word == "1");
            self.graphics.consoles.push(Console { number, name: title, bound });
        }
        self.graphics.consoles.sort_by_key(|console| console.number);
    }

    /// The platform devices that sysfb makes are called after the kind of framebuffer.
    fn firmware_screens(&mut self) {
        for name in self.list(PLATFORM).unwrap_or_default() {
            if !name.split_once('.').is_some_and(|(kind, _)| kind.ends_with("-framebuffer")) {
                continue;
            }
            let path = format!("{PLATFORM}/{name}");
            let driver = match self.host.link(&format!("{path}/driver")) {
                Ok(target) => Some(last_part(&target).to_owned()),
                Err(error) if error.is_not_found() => None,
                Err(error) => {
                    self.gap(&path, error);
                    None
                }
            };
            let address = self.real(&path).and_then(|real| controllers(&real).pop());
            self.graphics.firmware_screens.push(FirmwareScreen { device: name, driver, address });
        }
    }
}

/// The outputs with a monitor, each with the path of its card's device, and why something is missing, where it is.
pub(super) fn monitors(graphics: &Fact<Graphics>) -> (Vec<(&str, String)>, Option<String>) {
    let Some(known) = graphics.value() else { return (Vec::new(), graphics.because().map(str::to_owned)) };
    let connected = known.cards.iter().flat_map(|card| {
        card.connectors
            .iter()
            .filter(|connector| connector.connected == Some(true))
            .map(|connector| (card.device.as_str(), connector.name.clone()))
    });
    let of_drm: BTreeMap<_, _> = known.gaps.iter().filter(|(path, _)| path.starts_with(DRM)).collect();
    (connected.collect(), of_drm.into_values().next().cloned())
}
