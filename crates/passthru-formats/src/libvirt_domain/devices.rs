//! What a domain says of one device.

use passthru_model::address::PciAddress;
use passthru_model::virtualisation::{Domain, DomainDisk, DomainPci, GuestFunction, Place};
use roxmltree::Node;

use super::{attribute, child, unit};

/// Reads one device.
pub(super) fn read(device: Node<'_, '_>, place: Place, domain: &mut Domain) {
    let kind = || attribute(device, "type").unwrap_or_default();
    let model = || child(device, "model").and_then(|model| attribute(model, "type")).unwrap_or_default();
    match device.tag_name().name() {
        "hostdev" => match device.attribute("type") {
            Some("pci") => domain.pci.extend(host_function(device, place)),
            Some("usb") => domain.usb.extend(child(device, "source").and_then(usb_source)),
            Some("mdev") => domain.mediated += 1,
            _ => {}
        },
        "channel" | "redirdev" if kind() == "spicevmc" => domain.spice_only.push(place),
        "memballoon" => domain.balloon = attribute(device, "model"),
        "input" if kind() == "evdev" => {
            let file = child(device, "source").and_then(|source| attribute(source, "dev"));
            domain.evdev.extend(file.map(|file| (file, place)));
        }
        "shmem" => {
            let size = child(device, "size").and_then(|size| {
                size.text()?
                    .trim()
                    .parse::<u64>()
                    .ok()?
                    .checked_mul(unit(size.attribute("unit").unwrap_or("b"))?)
            });
            domain.shared_memory.insert(attribute(device, "name").unwrap_or_default(), size);
        }
        "graphics" => domain.graphics.push(kind()),
        "video" => domain.video.push(model()),
        "sound" => domain.sound.push(attribute(device, "model").unwrap_or_default()),
        "audio" => domain.audio.push(kind()),
        "tpm" => {
            let backend =
                child(device, "backend").and_then(|backend| attribute(backend, "type")).unwrap_or_default();
            domain.tpm.push((attribute(device, "model").unwrap_or_default(), backend));
        }
        "filesystem" => {
            domain.virtiofs |=
                child(device, "driver").is_some_and(|driver| driver.attribute("type") == Some("virtiofs"));
        }
        "disk" => {
            let source = child(device, "source");
            let file =
                source.and_then(|source| attribute(source, "file").or_else(|| attribute(source, "dev")));
            domain.disks.extend(file.map(|path| DomainDisk {
                path,
                is_cdrom: device.attribute("device") == Some("cdrom"),
                place,
            }));
        }
        "interface" if kind() == "network" => {
            let network = child(device, "source").and_then(|source| attribute(source, "network"));
            domain.networks.extend(network.map(|network| (network, place)));
        }
        _ => {}
    }
}

/// A number as libvirt writes it: `0x1f`, `31`.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// An address by the attributes that libvirt writes it in; those that are left out are 0.
pub(super) fn pci_address<'a>(attribute: impl Fn(&str) -> Option<&'a str>) -> Option<PciAddress> {
    let part = |name: &str| attribute(name).map_or(Some(0), number);
    let small = |name: &str| u8::try_from(part(name)?).ok();
    PciAddress::new(part("domain")?, small("bus")?, small("slot")?, small("function")?).ok()
}

fn host_function(device: Node<'_, '_>, place: Place) -> Option<DomainPci> {
    let small =
        |node: Node<'_, '_>, name: &str| u8::try_from(node.attribute(name).map_or(Some(0), number)?).ok();
    let source = child(child(device, "source")?, "address")?;
    let address = pci_address(|name| source.attribute(name))?;
    let guest = child(device, "address").and_then(|place| {
        Some(GuestFunction {
            bus: small(place, "bus")?,
            slot: small(place, "slot")?,
            function: small(place, "function")?,
            multifunction: place.attribute("multifunction").map(|said| said == "on"),
        })
    });
    Some(DomainPci {
        address,
        managed: device.attribute("managed") == Some("yes"),
        rom_file: child(device, "rom").and_then(|rom| attribute(rom, "file")),
        guest,
        iommufd: child(device, "driver").is_some_and(|driver| driver.attribute("iommufd") == Some("yes")),
        place,
    })
}

fn usb_source(source: Node<'_, '_>) -> Option<String> {
    let id =
        |name: &str| child(source, name).and_then(|node| attribute(node, "id")).and_then(|id| number(&id));
    if let (Some(vendor), Some(product)) = (id("vendor"), id("product")) {
        return Some(format!("{vendor:04x}:{product:04x}"));
    }
    let place = child(source, "address")?;
    Some(format!(
        "{}.{}",
        attribute(place, "bus")?,
        attribute(place, "device").or_else(|| attribute(place, "port"))?
    ))
}
