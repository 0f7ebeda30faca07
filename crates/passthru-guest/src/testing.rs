//! A host for tests: a GPU with audio in one group, a USB controller that shares its group with nothing.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::cpu_set::CpuSet;
use passthru_model::facts::{CpuFacts, GuestFirmware, HostKind, KvmState, Surroundings};
use passthru_model::intent::DeviceIdentity;
use passthru_model::iommu::{IommuFacts, IommuGroup, UnitRegisters};
use passthru_model::kernel::{InstalledKernel, KernelFacts};
use passthru_model::memory::{HugePageCounts, HugePages, TransparentHugePages};
use passthru_model::pci::Resource;
use passthru_model::topology::{Core, L3Domain, NumaNode, Part, Topology};
use passthru_model::usb::{PortPath, Usb, UsbBus, UsbDevice, UsbId, UsbRole};
use passthru_model::{Fact, HostFacts, PciAddress, PciFunction, PciId};

pub(crate) fn address(text: &str) -> PciAddress {
    text.parse().expect("an address")
}

fn known<T>(value: T) -> Fact<T> {
    Fact::known(value, "/test", "test")
}

/// One function, unbound, in no group.
pub(crate) fn function(at: &str, id: &str, class: &str) -> PciFunction {
    PciFunction {
        address: address(at),
        id: id.parse().expect("an id"),
        subsystem: PciId::default(),
        class: class.parse().expect("a class"),
        revision: 0,
        driver: None,
        driver_override: None,
        group: None,
        reset_methods: vec!["bus".to_owned()],
        boot_vga: None,
        modalias: String::new(),
        numa_node: None,
        resources: Vec::new(),
        has_rom: false,
        has_details: true,
        config: Vec::new(),
        parents: Vec::new(),
        physical_function: None,
        gaps: BTreeMap::new(),
    }
}

/// A memory BAR.
pub(crate) fn memory_bar(index: u8, start: u64, size: u64) -> Resource {
    Resource { index, start, end: start + size - 1, flags: 0x200 }
}

/// Configuration space with an MSI capability at 0x50.
pub(crate) fn config_with_msi() -> Vec<u8> {
    let mut config = vec![0; 256];
    config[6] = 0x10;
    config[0x34] = 0x50;
    config[0x50] = 0x05;
    config
}

fn functions() -> Vec<PciFunction> {
    let mut gpu = function("0000:01:00.0", "10de:13c2", "030000");
    gpu.subsystem = "1458:3679".parse().expect("an id");
    gpu.resources = vec![memory_bar(0, 0xf600_0000, 0x0100_0000), memory_bar(1, 0xe000_0000, 0x1000_0000)];
    gpu.has_rom = true;
    gpu.config = config_with_msi();
    let mut audio = function("0000:01:00.1", "10de:0fbb", "040300");
    audio.subsystem = gpu.subsystem;
    audio.resources = vec![memory_bar(0, 0xf708_0000, 0x4000)];
    for card in [&mut gpu, &mut audio] {
        card.group = Some(1);
        card.driver = Some("vfio-pci".to_owned());
        card.parents = vec![address("0000:00:01.0")];
    }
    let mut port = function("0000:00:01.0", "8086:1901", "060400");
    port.group = Some(1);
    port.driver = Some("pcieport".to_owned());
    let mut usb = function("0000:00:14.0", "8086:a12f", "0c0330");
    usb.group = Some(4);
    usb.driver = Some("xhci_hcd".to_owned());
    vec![port, usb, gpu, audio]
}

fn firmware(name: &str, features: &[&str]) -> GuestFirmware {
    GuestFirmware {
        descriptor: format!("/usr/share/qemu/firmware/{name}.json"),
        description: name.to_owned(),
        code: format!("/usr/share/OVMF/OVMF_CODE_4M{}.fd", if features.is_empty() { "" } else { ".ms" }),
        vars: format!("/usr/share/OVMF/OVMF_VARS_4M{}.fd", if features.is_empty() { "" } else { ".ms" }),
        format: "raw".to_owned(),
        features: features.iter().map(ToString::to_string).collect(),
        machines: vec!["pc-i440fx-*".to_owned(), "pc-q35-*".to_owned()],
        present: true,
    }
}

/// One USB device, at a port of the controller's bus.
fn usb_device(number: u16, port: u8, id: &str, name: &str, roles: &[UsbRole]) -> UsbDevice {
    let id: UsbId = id.parse().expect("an id");
    UsbDevice {
        bus: 1,
        port: PortPath(vec![port]),
        number: Some(number),
        vendor: id.vendor,
        product: id.product,
        maker: None,
        name: Some(name.to_owned()),
        class: 0,
        interfaces: Vec::new(),
        roles: roles.iter().copied().collect(),
        seat: None,
        speed_mbps: Some(12),
        removable: None,
    }
}

/// A keyboard, a hub and two sticks of one make, on one controller.
fn usb() -> Usb {
    let bus = UsbBus {
        number: 1,
        controller: Some(address("0000:00:14.0")),
        parent: "/sys/devices/pci0000:00/0000:00:14.0".to_owned(),
        ports: Some(8),
        speed_mbps: Some(480),
    };
    Usb {
        buses: [(1, bus)].into(),
        devices: vec![
            usb_device(2, 1, "046d:c31c", "Keyboard K120", &[UsbRole::Keyboard]),
            usb_device(3, 2, "05e3:0608", "Hub", &[UsbRole::Hub]),
            usb_device(4, 3, "0781:5581", "Ultra", &[UsbRole::Storage]),
            usb_device(7, 4, "0781:5581", "Ultra", &[UsbRole::Storage]),
        ],
        gaps: BTreeMap::new(),
    }
}

/// The host.
pub(crate) fn facts() -> HostFacts {
    let functions: BTreeMap<_, _> =
        functions().into_iter().map(|function| (function.address, function)).collect();
    let mut groups: BTreeMap<u32, IommuGroup> = BTreeMap::new();
    for function in functions.values() {
        let Some(id) = function.group else { continue };
        let empty = IommuGroup { id, members: Vec::new(), kind: None, reserved: Vec::new() };
        groups.entry(id).or_insert(empty).members.push(function.address);
    }
    HostFacts {
        surroundings: Surroundings {
            kind: HostKind::Live,
            root: true,
            container: None,
            hypervisor: None,
            distribution: None,
        },
        pci: known(functions),
        iommu: IommuFacts {
            tables: known(BTreeSet::new()),
            units: known(BTreeSet::new()),
            groups: known(groups),
            interrupt_remapping: known(true),
            unsafe_interrupts: known(false),
            ..IommuFacts::unknown("not needed here")
        },
        kernel: KernelFacts {
            release: known("6.12.43-amd64".to_owned()),
            cmdline: known(String::new()),
            loaded: known(Vec::new()),
            installed: known(vec![InstalledKernel {
                release: "6.12.43-amd64".to_owned(),
                image: Some("/boot/vmlinuz-6.12.43-amd64".to_owned()),
                initramfs: None,
                modules: known(BTreeMap::new()),
                options: Fact::unknown("not needed here"),
            }]),
            options: Fact::unknown("not needed here"),
        },
        cpu: CpuFacts {
            vendor: known("GenuineIntel".to_owned()),
            model: known("Test".to_owned()),
            count: known(8),
            flags: known(BTreeSet::new()),
            ..CpuFacts::unknown("not needed here")
        },
        kvm: known(KvmState::Usable),
        bootloader: Fact::unknown("not needed here"),
        initramfs: Fact::unknown("not needed here"),
        guest_firmware: known(vec![
            firmware("40-secure", &["enrolled-keys", "secure-boot", "requires-smm"]),
            firmware("60-plain", &[]),
        ]),
        qemu: known(Some("/usr/bin/qemu-system-x86_64".to_owned())),
        in_use: known(Vec::new()),
        in_use_gaps: BTreeMap::new(),
        files: BTreeMap::new(),
        unreadable_files: BTreeMap::new(),
        names: BTreeMap::new(),
        // What these tests do not look at.
        usb: known(usb()),
        ..HostFacts::unknown("not needed here")
    }
}

/// Processors of so many cores with two threads each, CPU N and CPU N + `cores` being siblings, in L3 domains of `in_one`
/// cores and one NUMA node for each of `nodes`.
pub(crate) fn processors(cores: u32, in_one: u32, nodes: u32) -> Topology {
    let mut topology = Topology::default();
    for core in 0..cores {
        let cpus: CpuSet = [core, core + cores].into_iter().collect();
        let (l3, node) = (usize::try_from(core / in_one).expect("small"), core * nodes / cores);
        let package = usize::try_from(node).expect("small");
        topology.online = topology.online.union(&cpus);
        if topology.l3.len() <= l3 {
            topology.l3.push(L3Domain { id: None, size_kib: Some(32 << 10), cpus: CpuSet::new() });
        }
        topology.l3[l3].cpus = topology.l3[l3].cpus.union(&cpus);
        if topology.packages.len() <= package {
            topology.packages.push(Part { id: Some(node), cpus: CpuSet::new() });
        }
        topology.packages[package].cpus = topology.packages[package].cpus.union(&cpus);
        let at = topology
            .nodes
            .entry(node)
            .or_insert_with(|| NumaNode { memory_kib: Some(64 << 20), ..NumaNode::default() });
        at.cpus = at.cpus.union(&cpus);
        topology.cores.push(Core {
            id: None,
            cpus,
            package: Some(package),
            die: None,
            cluster: None,
            l3: Some(l3),
            node: Some(node),
            kind: None,
            ranking: None,
        });
    }
    topology
}

/// The host with processors of AMD, an IOMMU that reaches less far than they do, and static huge pages on every node.
pub(crate) fn tuned_facts(topology: Topology) -> HostFacts {
    let mut facts = facts();
    let amd = UnitRegisters::Amd { capability: 0, features: 0 };
    facts.iommu.registers = known(BTreeMap::from([("ivhd0".to_owned(), amd)]));
    facts.cpu.vendor = known("AuthenticAMD".to_owned());
    facts.cpu.physical_bits = known(52);
    facts.cpu.count = known(topology.online.len());
    let pool = |pages: u64| {
        let counts = HugePageCounts { total: pages, free: pages, ..HugePageCounts::default() };
        HugePages { all: counts, nodes: topology.nodes.keys().map(|node| (*node, counts)).collect() }
    };
    facts.memory.huge_pages = known(BTreeMap::from([(1 << 20, pool(1 << 10)), (2 << 10, pool(1 << 19))]));
    let transparent =
        TransparentHugePages { enabled: Some("madvise".to_owned()), ..TransparentHugePages::default() };
    facts.memory.transparent = known(Some(transparent));
    facts.topology = known(topology);
    facts
}

/// Changes one function of a host.
pub(crate) fn change(facts: &mut HostFacts, at: &str, with: impl FnOnce(&mut PciFunction)) {
    let Fact::Known(functions, _) = &mut facts.pci else { panic!("known functions") };
    with(functions.get_mut(&address(at)).expect("the function"));
}

/// The GPU and its audio, by identity.
pub(crate) fn gpu_identities() -> Vec<DeviceIdentity> {
    functions().iter().filter(|function| function.address.bus() == 1).map(DeviceIdentity::of).collect()
}
