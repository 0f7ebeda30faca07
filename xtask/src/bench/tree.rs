//! A made host: so many PCI functions in `/sys`, as the kernel shows them, each in an IOMMU group of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;

/// Kinds of functions that take turns: ids, class, driver.
const KINDS: &[(u16, u16, u32, &str)] = &[
    (0x10de, 0x13c2, 0x03_0000, "nouveau"),
    (0x8086, 0x1533, 0x02_0000, "igb"),
    (0x144d, 0xa808, 0x01_0802, "nvme"),
    (0x8086, 0x2922, 0x01_0601, "ahci"),
];

/// What begins each bus: a bridge, as no machine with so many functions is without.
const PORT: (u16, u16, u32, &str) = (0x8086, 0xa340, 0x06_0400, "pcieport");

/// Functions of one bus.
const OF_A_BUS: u32 = 64;

/// Makes the tree. The list of names is the machine's own, where it has one, for lspci reads that too.
pub fn make(root: &Path, functions: u32) -> Result<()> {
    let sys = root.join("sys");
    let groups = sys.join("kernel/iommu_groups");
    let devices = sys.join("bus/pci/devices");
    for place in [&groups, &devices, &sys.join("bus/pci/slots"), &root.join("usr/share/misc")] {
        fs::create_dir_all(place)?;
    }
    for (.., driver) in KINDS.iter().chain([&PORT]) {
        fs::create_dir_all(sys.join("bus/pci/drivers").join(driver))?;
    }
    let names = Path::new("/usr/share/misc/pci.ids");
    if names.exists() {
        fs::copy(names, root.join("usr/share/misc/pci.ids"))?;
    }
    for (number, kind) in (0..functions).zip(KINDS.iter().cycle()) {
        function(&sys, number, if number % OF_A_BUS == 0 { PORT } else { *kind })?;
    }
    Ok(())
}

fn function(sys: &Path, number: u32, (vendor, device, class, driver): (u16, u16, u32, &str)) -> Result<()> {
    let (domain, bus) = (number / OF_A_BUS / 256, number / OF_A_BUS % 256);
    let bus = format!("{domain:04x}:{bus:02x}");
    let address = format!("{bus}:{:02x}.{}", (number >> 3) & 7, number & 7);
    let real = format!("devices/pci{bus}/{address}");
    let place = sys.join(&real);
    fs::create_dir_all(&place)?;
    symlink(format!("../../../{real}"), sys.join("bus/pci/devices").join(&address))?;
    let group = sys.join(format!("kernel/iommu_groups/{number}"));
    fs::create_dir_all(group.join("devices"))?;
    symlink(format!("../../../../{real}"), group.join("devices").join(&address))?;
    fs::write(group.join("type"), "DMA-FQ\n")?;
    fs::write(group.join("reserved_regions"), "0x00000000fee00000 0x00000000feefffff msi\n")?;
    symlink(format!("../../../kernel/iommu_groups/{number}"), place.join("iommu_group"))?;
    symlink(format!("../../../bus/pci/drivers/{driver}"), place.join("driver"))?;
    let modalias = format!(
        "pci:v{vendor:08X}d{device:08X}sv00001458sd0000367Abc{:02X}sc{:02X}i{:02X}\n",
        class >> 16,
        (class >> 8) & 0xff,
        class & 0xff
    );
    let mut resource = format!("{:#018x} {:#018x} {:#018x}\n", 0xf000_0000_u32, 0xf000_0fff_u32, 0x40200);
    resource.push_str(&"0x0000000000000000 0x0000000000000000 0x0000000000000000\n".repeat(12));
    for (name, text) in [
        ("vendor", format!("{vendor:#06x}\n")),
        ("device", format!("{device:#06x}\n")),
        ("class", format!("{class:#08x}\n")),
        ("subsystem_vendor", "0x1458\n".to_owned()),
        ("subsystem_device", "0x367a\n".to_owned()),
        ("revision", "0xa1\n".to_owned()),
        ("irq", "16\n".to_owned()),
        ("numa_node", "-1\n".to_owned()),
        ("power_state", "D0\n".to_owned()),
        ("driver_override", "(null)\n".to_owned()),
        ("reset_method", "flr bus\n".to_owned()),
        ("reset", String::new()),
        ("modalias", modalias),
        ("resource", resource),
    ] {
        fs::write(place.join(name), text)?;
    }
    if class == 0x03_0000 {
        fs::write(place.join("boot_vga"), "0\n")?;
    }
    if class == PORT.2 {
        fs::write(place.join("secondary_bus_number"), "0\n")?;
        fs::write(place.join("subordinate_bus_number"), "0\n")?;
    }
    fs::write(place.join("config"), config(vendor, device, class))?;
    Ok(())
}

/// Configuration space of an endpoint of PCI Express that can reset itself, or of a root port.
fn config(vendor: u16, device: u16, class: u32) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let mut put = |at: usize, part: &[u8]| {
        for (place, byte) in bytes.iter_mut().skip(at).zip(part) {
            *place = *byte;
        }
    };
    put(0x00, &vendor.to_le_bytes());
    put(0x02, &device.to_le_bytes());
    put(0x06, &[0x10]);
    put(0x08, &((class << 8) | 0xa1).to_le_bytes());
    put(0x0e, &[0x80 | u8::from(class == PORT.2)]);
    put(0x2c, &[0x58, 0x14, 0x7a, 0x36]);
    put(0x34, &[0x60]);
    // A port is one by bits 4 to 7 of the PCI Express capabilities register.
    let kind = if class == PORT.2 { 0x42 } else { 0x02 };
    put(0x60, &[0x10, 0, kind, 0, 0, 0, 0, 0x10]);
    bytes
}
