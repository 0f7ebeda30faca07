//! The devices of a command line.

use passthru_formats::qemu_command::{Properties, QemuOption};
use passthru_model::usb::{UsbId, UsbPort};

use super::desktop;
use super::draft::Draft;
use super::libvirt_desktop::toggle;
use super::qemu::CONTROL;
use super::reasons::{
    LEGACY_VGA, NO_BALLOON, NO_KEY, PLACED, PLAIN_VGA, TABLET, USB_CONTROLLER, VIRTIO_INPUT,
};
use crate::spec::{Display, InputDevice, Rom, UsbChoice, UsbDevice};

pub(super) fn device(draft: &mut Draft<'_>, option: &QemuOption) {
    let line = option.line;
    let said = option.properties("driver");
    let driver = said.get("driver").unwrap_or_default();
    match driver {
        "vfio-pci" => passed(draft, option, &said),
        "pcie-root-port" | "ioh3420" | "pci-bridge" | "pcie-pci-bridge" | "ich9-ahci" | "ahci"
        | "i82801b11-bridge" => {
            draft.left_out(line, option.words(), PLACED);
        }
        "usb-host" => usb(draft, option, &said),
        "virtio-keyboard-pci" | "virtio-mouse-pci" => draft.left_out(line, option.words(), VIRTIO_INPUT),
        "VGA" | "secondary-vga" => draft.shows(Display::Vnc),
        "qxl-vga" | "qxl" | "virtio-vga" | "virtio-vga-gl" | "virtio-gpu-pci" | "cirrus-vga"
        | "bochs-display" => {
            draft.shows(Display::Vnc);
            draft.lost(line, option.words(), PLAIN_VGA);
        }
        "qemu-xhci" | "nec-usb-xhci" | "usb-ehci" | "ich9-usb-ehci1" | "ich9-usb-uhci1"
        | "ich9-usb-uhci2" | "ich9-usb-uhci3" | "piix3-usb-uhci" => {
            draft.left_out(line, option.words(), USB_CONTROLLER);
        }
        "usb-tablet" => draft.left_out(line, option.words(), TABLET),
        "virtio-balloon-pci" | "virtio-balloon" => draft.lost(line, option.words(), NO_BALLOON),
        "virtio-scsi-pci" | "virtio-scsi" => {
            draft.disk_queues(line, &option.words(), said.get("num_queues"));
            draft.left_out(line, option.words(), PLACED);
        }
        "virtio-serial-pci" | "virtio-serial" => {
            draft.left_out(line, option.words(), "channels are not carried over");
        }
        // Whatever emulates a TPM is said by -tpmdev, and each guest gets random numbers.
        "tpm-crb" | "tpm-tis" | "virtio-rng-pci" | "virtio-rng" => {}
        "isa-serial" => draft.left_out(line, option.words(), CONTROL),
        "e1000" | "e1000e" | "rtl8139" | "virtio-net" | "virtio-net-pci" => {
            let model = if driver.starts_with("virtio-net") { "virtio" } else { driver };
            let mac = said.get("mac").and_then(|text| text.parse().ok());
            let nic = draft.card(line, "-device", None, Some(model));
            nic.mac = mac.or(nic.mac);
            for (name, value) in said.iter() {
                match name {
                    // The last two go with the queues, which are said with the network.
                    "driver" | "netdev" | "id" | "mac" | "mq" | "vectors" => {}
                    "bus" | "addr" => draft.left_out(line, option.words_of(name, value), PLACED),
                    _ => draft.lost(line, option.words_of(name, value), NO_KEY),
                }
            }
        }
        _ => draft.lost(line, option.words(), NO_KEY),
    }
}

/// A function of the host.
fn passed(draft: &mut Draft<'_>, option: &QemuOption, said: &Properties) {
    let line = option.line;
    let from_path = said.get("sysfsdev").and_then(|path| path.rsplit('/').next());
    let Some(address) = said.get("host").or(from_path).and_then(|text| text.parse().ok()) else {
        return draft.lost(line, option.words(), "it names no PCI function by its address");
    };
    draft.device(line, &option.words(), address);
    for (name, value) in said.iter() {
        match name {
            "romfile" if !value.is_empty() => drop(draft.roms.insert(address, Rom::File(value.into()))),
            "romfile" => drop(draft.roms.insert(address, Rom::Off)),
            "rombar" if matches!(value, "0" | "off") => drop(draft.roms.insert(address, Rom::Off)),
            "driver" | "host" | "sysfsdev" | "id" | "rombar" => {}
            // The builder's under SeaBIOS, and of no use under UEFI.
            "x-vga" => {
                draft.left_out(line, format!("-device vfio-pci,host={address}: {name}={value}"), LEGACY_VGA);
            }
            "bus" | "addr" | "multifunction" => {
                draft.left_out(line, format!("-device vfio-pci,host={address}: {name}={value}"), PLACED);
            }
            _ => draft.lost(line, format!("-device vfio-pci,host={address}: {name}={value}"), NO_KEY),
        }
    }
}

/// A USB device of the host.
fn usb(draft: &mut Draft<'_>, option: &QemuOption, said: &Properties) {
    let hex = |name: &str| said.get(name).and_then(|text| text.parse().ok());
    let id = hex("vendorid").zip(hex("productid")).map(|(vendor, product)| UsbId { vendor, product });
    let number = |name: &str| said.get(name).and_then(|text| text.parse::<u16>().ok());
    let path = said.get("hostport").and_then(|text| text.parse().ok());
    let port = match (number("hostbus"), path, number("hostaddr")) {
        (Some(bus), Some(path), _) => Some(UsbPort { bus, path }),
        (Some(bus), None, Some(address)) => draft.usb_port(bus, address, id),
        _ => None,
    };
    let choice = match (port, id) {
        (Some(port), id) => UsbChoice::Port { port, id },
        (None, Some(id)) if number("hostaddr").is_none() => UsbChoice::Id(id),
        _ => {
            return draft.lost(
                option.line,
                option.words(),
                "it names no device that is plugged in now; see: passthru usb",
            );
        }
    };
    draft.usb.push(UsbDevice { choice, optional: false });
    let known = ["driver", "id", "bus", "port", "hostbus", "hostport", "hostaddr", "vendorid", "productid"];
    desktop::rest(draft, option, said, &known);
}

/// A keyboard or mouse of the host.
pub(super) fn evdev(draft: &mut Draft<'_>, option: &QemuOption) {
    let said = option.properties("qom-type");
    let Some(path) = said.get("evdev") else {
        return draft.lost(option.line, option.words(), "it names no input device");
    };
    let input = InputDevice {
        path: path.into(),
        grab_all: said.is_on("grab_all"),
        repeat: said.is_on("repeat"),
        toggle: toggle(draft, option.line, said.get("grab-toggle")),
    };
    draft.inputs.push(input);
    desktop::rest(draft, option, &said, &["qom-type", "id", "evdev", "grab_all", "repeat", "grab-toggle"]);
}
