//! Random machines: many independent trees of PCI devices in one, each in a slot of a root bus of its own.

use crate::machine::spec::{Device, Iommu, MachineSpec};

/// Trees on the machine's own root bus; the other slots are taken by the chipset.
const OWN: u8 = 10;
/// Further root buses, and the trees on each.
const MORE: u8 = 2;
const EACH: u8 = 3;
/// Bridges of conventional PCI in a machine, and cards with I/O ports below ports: the firmware gives each 4 KiB of I/O
/// ports, has 36 KiB in all, and stops where they do not suffice.
const CONVENTIONAL: u8 = 5;
const WITH_IO: u8 = 2;

/// Endpoints of PCI Express, and conventional ones, which a link takes as well.
const ENDPOINTS: &[&str] =
    &["qemu-xhci", "virtio-rng-pci", "nvme", "edu", "intel-hda", "sdhci-pci", "usb-ehci"];
/// An endpoint of Intel's, with I/O ports.
const INTEL: &str = "e1000e";
/// Functions of conventional PCI.
const OLD: &[&str] = &["edu", "intel-hda", "sdhci-pci", "usb-ehci"];

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u8) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [byte, ..] = ((mixed ^ (mixed >> 31)) % u64::from(sides.max(1))).to_le_bytes();
        byte
    }

    fn one_in(&mut self, sides: u8) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let sides = u8::try_from(from.len()).unwrap_or(u8::MAX);
        from.get(usize::from(self.roll(sides))).copied().unwrap_or("edu")
    }
}

/// A machine under construction.
#[derive(Debug)]
struct Builder {
    dice: Dice,
    devices: Vec<Device>,
    named: u32,
    ports: u32,
    bridges_left: u8,
    with_io_left: u8,
    /// Whether QEMU's NVMe controller has virtual functions here.
    virtual_functions: bool,
}

/// A machine and how many independent trees are in it.
pub(super) fn machine(seed: u64, iommu: Iommu, virtual_functions: bool) -> (MachineSpec, usize) {
    let mut builder = Builder {
        dice: Dice(seed),
        devices: Vec::new(),
        named: 0,
        ports: 0,
        bridges_left: CONVENTIONAL,
        with_io_left: WITH_IO,
        virtual_functions,
    };
    let mut trees = 0;
    for slot in 0..OWN {
        builder.tree("pcie.0", slot + 3, true);
        trees += 1;
    }
    for number in 0..MORE {
        let id = format!("more{number}");
        // From bus a0 on: what is before suffices for the machine's own root bus, and 24 for each of these.
        let from = 0xa0 + number * 0x18;
        builder.add("pxb-pcie", &[("id", &id), ("bus", "pcie.0"), ("bus_nr", &from.to_string())]);
        for slot in 0..EACH {
            builder.tree(&id, slot, false);
            trees += 1;
        }
    }
    let spec = MachineSpec {
        description: format!("{trees} random trees of seed {seed}"),
        iommu,
        iommu_properties: toml::Table::new(),
        acpi_table: None,
        disk: false,
        uefi: false,
        memory: "1G".to_owned(),
        cpus: 1,
        threads: 1,
        cpu: "max".to_owned(),
        boot_vga: None,
        kernel_args: Vec::new(),
        slot: Vec::new(),
        device: builder.devices,
    };
    (spec, trees)
}

impl Builder {
    fn add(&mut self, kind: &str, props: &[(&str, &str)]) {
        let props = props
            .iter()
            .map(|(key, value)| ((*key).to_owned(), toml::Value::String((*value).to_owned())))
            .collect();
        self.devices.push(Device { kind: kind.to_owned(), props });
    }

    fn name(&mut self) -> String {
        self.named += 1;
        format!("d{}", self.named)
    }

    /// A device in a slot; function 0 of several says so. Returns its name.
    fn put(
        &mut self,
        kind: &str,
        bus: &str,
        (slot, function): (u8, u8),
        several: bool,
        more: &[(&str, &str)],
    ) -> String {
        let id = self.name();
        let addr = format!("{slot:#x}.{function:#x}");
        let mut props = vec![("id", id.as_str()), ("bus", bus), ("addr", addr.as_str())];
        if several && function == 0 {
            props.push(("multifunction", "on"));
        }
        props.extend_from_slice(more);
        self.add(kind, &props);
        id
    }

    /// Ports carry a chassis number, which is unique in the machine.
    fn port(&mut self, kind: &str, bus: &str, at: (u8, u8), several: bool, more: &[(&str, &str)]) -> String {
        self.ports += 1;
        let chassis = self.ports.to_string();
        let mut props = vec![("chassis", chassis.as_str())];
        props.extend_from_slice(more);
        self.put(kind, bus, at, several, &props)
    }

    fn endpoint(&mut self, kind: &str, bus: &str, at: (u8, u8), several: bool) {
        let serial = self.named.to_string();
        let more: &[(&str, &str)] = match kind {
            "nvme" => &[("serial", serial.as_str())],
            "e1000e" => &[("romfile", "")],
            _ => &[],
        };
        self.put(kind, bus, at, several, more);
    }

    /// One to four functions.
    fn card(&mut self, kinds: &[&'static str], bus: &str, slot: u8) {
        let count = 1 + self.dice.roll(4).min(self.dice.roll(4));
        for function in 0..count {
            let kind = self.dice.pick(kinds);
            self.endpoint(kind, bus, (slot, function), count > 1);
        }
    }

    fn tree(&mut self, bus: &str, slot: u8, own: bool) {
        match self.dice.roll(10) {
            0 if own => self.card(&[INTEL, INTEL, "qemu-xhci", "nvme", "edu"], bus, slot),
            1 if own && self.bridges_left > 1 => {
                self.bridges_left -= 1;
                let bridge = self.put("i82801b11-bridge", bus, (slot, 0), false, &[]);
                self.old_bus(&bridge);
            }
            _ => {
                let count = 1 + self.dice.roll(4).min(self.dice.roll(4));
                for function in 0..count {
                    let off = if self.dice.one_in(2) { "on" } else { "off" };
                    let more = [("disable-acs", off), ("io-reserve", "0")];
                    let port = self.port("pcie-root-port", bus, (slot, function), count > 1, &more);
                    self.below(&port, 0);
                }
            }
        }
    }

    /// What is below a port.
    fn below(&mut self, bus: &str, depth: u8) {
        match self.dice.roll(10) {
            0 => {}
            1 | 2 if depth < 2 => self.switch(bus, depth),
            3 if self.bridges_left > 0 => {
                self.bridges_left -= 1;
                let bridge = self.put("pcie-pci-bridge", bus, (0, 0), false, &[]);
                self.old_bus(&bridge);
            }
            4 if self.virtual_functions => self.with_virtual_functions(bus),
            5 if self.with_io_left > 0 => {
                self.with_io_left -= 1;
                self.card(&[INTEL], bus, 0);
            }
            _ => self.card(ENDPOINTS, bus, 0),
        }
    }

    /// A switch, its ports in one slot or in slots of their own.
    fn switch(&mut self, bus: &str, depth: u8) {
        let up = self.put("x3130-upstream", bus, (0, 0), false, &[]);
        let (count, one_slot) = (1 + self.dice.roll(3), self.dice.one_in(2));
        for number in 0..count {
            let at = if one_slot { (0, number) } else { (number, 0) };
            let down = self.port("xio3130-downstream", &up, at, one_slot && count > 1, &[]);
            self.below(&down, depth + 1);
        }
    }

    /// Cards of conventional PCI, now and then with a bridge to more of them.
    fn old_bus(&mut self, bus: &str) {
        for slot in 1..=1 + self.dice.roll(3) {
            self.card(OLD, bus, slot);
        }
        if self.bridges_left > 0 && self.dice.one_in(2) {
            self.bridges_left -= 1;
            self.ports += 1;
            let number = self.ports.to_string();
            let bridge = self.put("pci-bridge", bus, (9, 0), false, &[("chassis_nr", number.as_str())]);
            self.card(OLD, &bridge, 2);
        }
    }

    /// A controller with three virtual functions, which the test turns on.
    fn with_virtual_functions(&mut self, bus: &str) {
        let subsystem = self.name();
        self.add("nvme-subsys", &[("id", &subsystem)]);
        let serial = self.named.to_string();
        let more = [
            ("serial", serial.as_str()),
            ("subsys", subsystem.as_str()),
            ("sriov_max_vfs", "3"),
            ("max_ioqpairs", "9"),
            ("msix_qsize", "10"),
            ("sriov_vq_flexible", "6"),
            ("sriov_vi_flexible", "3"),
        ];
        self.put("nvme", bus, (0, 0), false, &more);
    }
}

#[cfg(test)]
mod tests {
    use super::machine;
    use crate::machine::spec::Iommu;

    #[test]
    fn a_seed_gives_the_same_machine_again_and_another_seed_another() {
        let lines = |seed| format!("{:?}", machine(seed, Iommu::Intel, true).0.device);
        assert_eq!(lines(7), lines(7));
        assert_ne!(lines(7), lines(8));
    }

    #[test]
    fn machines_have_all_that_groups_depend_on() {
        let all: Vec<_> = (0..8).flat_map(|seed| machine(seed, Iommu::Amd, true).0.device).collect();
        let all = format!("{all:?}");
        for kind in
            ["pcie-root-port", "x3130-upstream", "pcie-pci-bridge", "i82801b11-bridge", "sriov_max_vfs"]
        {
            assert!(all.contains(kind), "{kind}");
        }
    }
}
