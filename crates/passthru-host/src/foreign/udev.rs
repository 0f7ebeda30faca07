//! A host out of udev's database or a recording of umockdev.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use passthru_formats::udev_database::Device;

use crate::archive::Archive;

/// Subsystems that are buses, with their devices below `/sys/bus`; all others are classes, below `/sys/class`.
const BUSES: &[&str] = &["acpi", "hid", "i2c", "pci", "platform", "scsi", "serio", "usb", "virtio"];

/// The tree that the devices were in.
pub(super) fn tree(devices: &[Device]) -> Result<Archive, String> {
    let is_recording = devices.iter().any(|device| !device.attributes.is_empty());
    let mut archive =
        Archive::of(if is_recording { "the recording of a few devices" } else { "udev's database" });
    let mut seen = BTreeSet::new();
    let mut inputs = String::new();
    for device in devices {
        // A device that was looked at twice is told of twice.
        if seen.insert(device.path.as_str()) {
            one(&mut archive, device)
                .map_err(|reason| format!("line {} of the devices' database: {reason}", device.line))?;
            input(&mut inputs, device);
        }
    }
    // The database is whole: what it does not name is not there. A recording has what was asked for.
    for bus in ["pci", "usb"] {
        if !is_recording {
            archive.put_directory(&format!("/sys/bus/{bus}/devices"))?;
            archive.put_directory(&format!("/sys/bus/{bus}/drivers"))?;
        }
    }
    if !inputs.is_empty() || !is_recording {
        archive.put("/proc/bus/input/devices", inputs)?;
    }
    Ok(archive)
}

/// Adds to a report what of the database it does not hold itself. Where both disagree, the files of the report stay.
pub(super) fn fill(archive: &mut Archive, devices: &[Device]) {
    for device in devices {
        // A conflict is one of this device alone.
        let _ = one(archive, device);
    }
}

fn one(archive: &mut Archive, device: &Device) -> Result<(), String> {
    let path = format!("/sys{}", device.path);
    archive.put_directory(&path)?;
    for (name, bytes) in &device.attributes {
        archive.put(&format!("{path}/{name}"), bytes.clone())?;
    }
    let Some(subsystem) = device.property("SUBSYSTEM").filter(|name| is_a_name(name)) else { return Ok(()) };
    for (name, text) in attributes(device, subsystem) {
        let file = format!("{path}/{name}");
        if !archive.has(&file) {
            archive.put(&file, text)?;
        }
    }
    let is_bus = BUSES.contains(&subsystem);
    let entry = if is_bus {
        format!("/sys/bus/{subsystem}/devices/{}", device.name())
    } else {
        format!("/sys/class/{subsystem}/{}", device.name())
    };
    if !archive.has(&entry) {
        archive.put_link(&entry, path.clone())?;
    }
    if is_bus {
        match device.property("DRIVER") {
            Some(driver) if is_a_name(driver) => {
                archive.put_directory(&format!("/sys/bus/{subsystem}/drivers/{driver}"))?;
                let link = format!("{path}/driver");
                if !archive.has(&link) {
                    archive.put_link(&link, format!("/sys/bus/{subsystem}/drivers/{driver}"))?;
                }
            }
            // The kernel names the driver in every event of a device that has one (`dev_uevent`, `drivers/base/core.c`).
            _ => archive.put_absent(format!("{path}/driver")),
        }
    }
    Ok(())
}

/// Attributes of sysfs that the kernel's properties repeat (`pci_uevent`, `drivers/pci/pci-driver.c`; `usb_uevent`,
/// `drivers/usb/core/driver.c`).
fn attributes(device: &Device, subsystem: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut put = |name, text: String| found.push((name, text + "\n"));
    if let Some(alias) = device.property("MODALIAS") {
        put("modalias", alias.to_owned());
    }
    let pair = |name: &str| device.property(name)?.split_once(':');
    match (subsystem, device.property("DEVTYPE")) {
        ("pci", _) => {
            let both =
                [("vendor", "device", "PCI_ID"), ("subsystem_vendor", "subsystem_device", "PCI_SUBSYS_ID")];
            for (first, second, property) in both {
                if let Some((vendor, product)) = pair(property) {
                    put(first, format!("0x{}", vendor.to_ascii_lowercase()));
                    put(second, format!("0x{}", product.to_ascii_lowercase()));
                }
            }
            if let Some(class) =
                device.property("PCI_CLASS").and_then(|text| u32::from_str_radix(text, 16).ok())
            {
                put("class", format!("0x{class:06x}"));
            }
        }
        ("usb", Some("usb_device")) => {
            let mut ids = device.property("PRODUCT").unwrap_or_default().split('/');
            for name in ["idVendor", "idProduct", "bcdDevice"] {
                if let Some(id) = ids.next().and_then(|text| u16::from_str_radix(text, 16).ok()) {
                    put(name, format!("{id:04x}"));
                }
            }
            for (name, property) in [("busnum", "BUSNUM"), ("devnum", "DEVNUM")] {
                if let Some(number) = device.property(property).and_then(|text| text.parse::<u32>().ok()) {
                    put(name, number.to_string());
                }
            }
            put_classes(
                &mut put,
                device.property("TYPE"),
                ["bDeviceClass", "bDeviceSubClass", "bDeviceProtocol"],
            );
        }
        ("usb", Some("usb_interface")) => {
            let names = ["bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"];
            put_classes(&mut put, device.property("INTERFACE"), names);
        }
        _ => {}
    }
    found
}

/// Three decimal numbers with slashes between, as three attributes of two hexadecimal digits.
fn put_classes(put: &mut impl FnMut(&'static str, String), property: Option<&str>, names: [&'static str; 3]) {
    for (name, number) in names.into_iter().zip(property.unwrap_or_default().split('/')) {
        if let Ok(number) = number.parse::<u8>() {
            put(name, format!("{number:02x}"));
        }
    }
}

/// A block of `/proc/bus/input/devices` (`input_devices_seq_show`, `drivers/input/input.c`).
fn input(out: &mut String, device: &Device) {
    let is_input = device.property("SUBSYSTEM") == Some("input") && device.name().starts_with("input");
    if !is_input {
        return;
    }
    let text = |name: &str| device.property(name).unwrap_or_default();
    let _ = writeln!(out, "N: Name={}\nS: Sysfs={}", text("NAME"), device.path);
    for bitmap in ["EV", "KEY", "REL", "ABS"] {
        if let Some(bits) = device.property(bitmap) {
            let _ = writeln!(out, "B: {bitmap}={bits}");
        }
    }
    out.push('\n');
}

/// A name that goes into a path.
fn is_a_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}
