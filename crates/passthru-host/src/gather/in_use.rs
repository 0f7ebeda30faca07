//! What the host would lose with each device: storage, network, keyboards, displays.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::input_devices;
use passthru_model::address::PciAddress;
use passthru_model::fact::Fact;
use passthru_model::facts::{HostUse, InUse, Surroundings};
use passthru_model::graphics::Graphics;
use passthru_model::pci::PciFunction;

use super::{Options, controllers, graphics, network, storage};
use crate::host::Host;

/// The uses that were seen, and those that could not be looked for.
pub(super) struct Uses {
    pub(super) fact: Fact<Vec<InUse>>,
    pub(super) gaps: BTreeMap<HostUse, String>,
}

/// Uses while they are collected.
#[derive(Default)]
pub(super) struct Collected {
    found: BTreeSet<InUse>,
    gaps: BTreeMap<HostUse, String>,
}

impl Collected {
    /// A use of the controllers at the end of a path in `/sys/devices`.
    pub(super) fn add(&mut self, kind: HostUse, path: &str, what: &str) {
        for address in controllers(path) {
            self.found.insert(InUse { address, kind, what: what.to_owned() });
        }
    }

    /// A use that could not be looked for to the end. The first reason stays.
    pub(super) fn gap(&mut self, kind: HostUse, why: impl Into<String>) {
        self.gaps.entry(kind).or_insert_with(|| why.into());
    }
}

pub(super) fn of(
    host: &Host,
    options: &Options,
    surroundings: &Surroundings,
    pci: &Fact<BTreeMap<PciAddress, PciFunction>>,
    graphics: &Fact<Graphics>,
) -> Uses {
    let mut uses = Collected::default();
    // Inside a container the mounts and routes are the container's own, and say nothing of the host's.
    if let Some(container) = &surroundings.container {
        let why = format!("inside a container ({container}) the host's own mounts and routes cannot be seen");
        uses.gap(HostUse::Storage, &why);
        uses.gap(HostUse::Network, &why);
    }
    storage::collect(host, &mut uses);
    network::collect(host, options, &mut uses);
    keyboards(host, &mut uses);
    displays(pci, graphics, &mut uses);
    let fact = match pci {
        Fact::Unknown(because) => Fact::Unknown(because.clone()),
        Fact::Known(..) => {
            let seen = format!("{} uses of devices", uses.found.len());
            Fact::known(uses.found.into_iter().collect(), "/sys/devices", seen)
        }
    };
    Uses { fact, gaps: uses.gaps }
}

fn keyboards(host: &Host, uses: &mut Collected) {
    const DEVICES: &str = "/proc/bus/input/devices";
    let bytes = match host.read(DEVICES) {
        Ok(bytes) => bytes,
        // A running kernel without the file has no input devices at all.
        Err(error)
            if error.is_not_found() && host.is_live() && matches!(host.exists("/proc/bus"), Ok(true)) =>
        {
            return;
        }
        Err(error) => return uses.gap(HostUse::Keyboard, error),
    };
    for device in input_devices::parse(&bytes).into_iter().filter(|device| device.is_keyboard) {
        uses.add(HostUse::Keyboard, &device.sysfs, &format!("the keyboard ‘{}’", device.name));
    }
}

/// The boot VGA device, and whatever has a monitor on it.
fn displays(pci: &Fact<BTreeMap<PciAddress, PciFunction>>, graphics: &Fact<Graphics>, uses: &mut Collected) {
    for function in pci.value().into_iter().flat_map(BTreeMap::values) {
        if function.boot_vga == Some(true) {
            let what = "the firmware and the boot console draw on it".to_owned();
            uses.found.insert(InUse { address: function.address, kind: HostUse::Display, what });
        }
        if function.gaps.contains_key("boot_vga") {
            uses.gap(HostUse::Display, format!("{} could not be read", function.attribute("boot_vga")));
        }
    }
    let (monitors, missing) = graphics::monitors(graphics);
    for (device, connector) in monitors {
        uses.add(HostUse::Display, device, &format!("a monitor is connected to {connector}"));
    }
    if let Some(why) = missing {
        uses.gap(HostUse::Display, why);
    }
}
