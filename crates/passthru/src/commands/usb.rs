//! `passthru usb`: which port and device hang on which controller and group, and which one carries the keyboard.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use passthru_host::{Subject, Subjects};
use passthru_model::usb::{PortPath, Usb, UsbBus, UsbDevice, UsbRole};
use passthru_plan::usb::{ControllerView, Sitting, UsbView};

use crate::commands::groups;
use crate::context::Context;
use crate::envelope::usb as envelope;
use crate::exit::{Exit, Failure};
use crate::printer::{self, FAINT, STRONG, plain};

/// What the controllers are judged by: their groups too, and what else the host uses of these.
const SUBJECTS: Subjects = groups::SUBJECTS.with(&[Subject::Usb]);

/// Who sits at devices, by bus and port.
type Sittings = BTreeMap<(u16, PortPath), Sitting>;

/// Prints the controllers with their buses and devices.
pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let facts = context.facts_of(SUBJECTS)?;
    let view = passthru_plan::usb::view(&facts);
    let empty = Usb::default();
    let usb = facts.usb.value().unwrap_or(&empty);
    if context.printer.json {
        context.printer.json_document(&as_envelope(usb, view))?;
    } else {
        context.printer.data(&as_text(usb, &view))?;
    }
    Ok(Exit::Done)
}

fn as_envelope(usb: &Usb, view: UsbView) -> envelope::UsbEnvelope {
    let sitting = view.sitting;
    let bus = |number: &u16| usb.buses.get(number).map(|bus| bus_line(usb, bus, &sitting));
    let controller = |view: ControllerView| envelope::Controller {
        address: view.address,
        name: view.name,
        driver: view.driver,
        group: view.group,
        reset: view.reset,
        reset_methods: view.reset_methods,
        carries: view.carries.into_iter().map(UsbRole::word).collect(),
        outlook: view.outlook,
        notes: view.notes,
        buses: view.buses.iter().filter_map(bus).collect(),
    };
    envelope::UsbEnvelope {
        schema: "passthru.usb/1",
        other_buses: view.other_buses.keys().filter_map(bus).collect(),
        controllers: view.controllers.into_iter().map(controller).collect(),
        unknown: view.unknown,
    }
}

fn bus_line(usb: &Usb, bus: &UsbBus, sitting: &Sittings) -> envelope::Bus {
    let device = |device: &UsbDevice| envelope::UsbDeviceLine {
        port: device.port.to_string(),
        number: device.number,
        vendor: device.vendor,
        product: device.product,
        name: device.label(),
        roles: device.roles.iter().map(|role| role.word()).collect(),
        seat: device.seat.clone(),
        user: sitting.get(&(device.bus, device.port.clone())).and_then(|sitting| sitting.user.clone()),
        speed_mbps: device.speed_mbps,
        drivers: device.interfaces.iter().filter_map(|interface| interface.driver.clone()).collect(),
    };
    envelope::Bus {
        number: bus.number,
        speed_mbps: bus.speed_mbps,
        ports: bus.ports,
        devices: usb.devices.iter().filter(|device| device.bus == bus.number).map(device).collect(),
    }
}

fn as_text(usb: &Usb, view: &UsbView) -> String {
    let mut out = String::new();
    for controller in &view.controllers {
        out.push_str(&controller_text(controller));
        for bus in controller.buses.iter().filter_map(|number| usb.buses.get(number)) {
            out.push_str(&bus_text(usb, bus, &view.sitting));
        }
    }
    for (number, parent) in &view.other_buses {
        let bus = usb.buses.get(number);
        match bus.and_then(|bus| bus.controller) {
            Some(address) => {
                let _ = writeln!(out, "{STRONG}{address}{STRONG:#}, of which nothing more is known");
            }
            None => {
                let _ = writeln!(out, "{STRONG}not on PCI{STRONG:#}: {}", plain(parent));
            }
        }
        out.extend(bus.map(|bus| bus_text(usb, bus, &view.sitting)));
    }
    for because in &view.unknown {
        let line = format!("unknown, because {}", plain(because));
        let _ = writeln!(out, "{}", printer::wrap(&line, printer::width(), 2));
    }
    if out.is_empty() {
        out.push_str("This host has no USB\n");
    }
    out
}

/// A controller: what it is, what hangs on it, what can be done with it.
fn controller_text(view: &ControllerView) -> String {
    let group =
        view.group.map_or_else(|| "no IOMMU group".to_owned(), |group| format!("IOMMU group {group}"));
    let reset = groups::reset_mark(view.reset, &view.reset_methods);
    let mut out = format!(
        "{STRONG}{}{STRONG:#} {} ({}), {group}{reset}\n",
        view.address,
        plain(&view.name),
        plain(view.driver.as_deref().unwrap_or("no driver")),
    );
    let words: Vec<&str> = view.carries.iter().map(|role| role.word()).collect();
    if !words.is_empty() {
        let verb = if words.len() == 1 { "hangs" } else { "hang" };
        let _ = writeln!(out, "  {STRONG}the {} {verb} here{STRONG:#}", words.join(" and the "));
    }
    for line in std::iter::once(&view.outlook).filter(|line| !line.is_empty()).chain(&view.notes) {
        let _ = writeln!(out, "  {FAINT}{}{FAINT:#}", printer::wrap(&plain(line), printer::width(), 2));
    }
    if view.buses.is_empty() {
        let why = match view.driver.as_deref() {
            Some(driver) if passthru_model::pci::is_vfio_driver(driver) => "it is set aside for a guest",
            _ => "no USB driver has it",
        };
        let _ = writeln!(out, "  no bus: {why}");
    }
    out
}

/// A bus with its devices, a line each.
fn bus_text(usb: &Usb, bus: &UsbBus, sitting: &Sittings) -> String {
    let speed = bus.speed_mbps.map_or_else(String::new, |mbps| format!(", {}", speed(mbps)));
    let ports = bus.ports.map_or_else(String::new, |ports| format!(", {ports} ports"));
    let mut out = format!("  bus {:03}{speed}{ports}\n", bus.number);
    let devices: Vec<&UsbDevice> = usb.devices.iter().filter(|device| device.bus == bus.number).collect();
    if devices.is_empty() {
        out.push_str("    nothing is plugged in\n");
    }
    let wide = devices.iter().map(|device| device.kernel_name().len()).max().unwrap_or(0);
    for device in devices {
        let roles: Vec<&str> = device.roles.iter().map(|role| role.word()).collect();
        let roles = if roles.is_empty() { String::new() } else { format!(": {}", roles.join(", ")) };
        let who = sitting
            .get(&(device.bus, device.port.clone()))
            .map_or_else(String::new, |sitting| format!("; {}", plain(&sitting.words)));
        let _ = writeln!(
            out,
            "    port {:<wide$} [{}:{}] {}{roles}{who}",
            device.kernel_name(),
            device.vendor,
            device.product,
            plain(&device.label()),
        );
    }
    out
}

/// Megabits as people say them.
fn speed(mbps: u32) -> String {
    if mbps >= 1000 && mbps.is_multiple_of(1000) {
        format!("{} Gbit/s", mbps / 1000)
    } else {
        format!("{mbps} Mbit/s")
    }
}
