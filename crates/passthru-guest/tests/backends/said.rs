//! What each backend says of a guest's processors: of domain XML the pins and the topology, of QEMU's arguments the topology.
//! The tests of real machines (`crates/passthru/tests/machines`) read by it as well.

use passthru_formats::libvirt_domain::{self, ReadElement};
use passthru_formats::qemu_command;
use passthru_guest::run::GuestPaths;
use passthru_guest::{Guest, libvirt, script};
use passthru_plan::pinning::GuestTopology;

fn paths(guest: &Guest) -> GuestPaths {
    GuestPaths::new("/run/passthru/guests".as_ref(), "/var/lib/passthru/guests".as_ref(), guest.name())
}

/// The CPU of each vCPU, those of the emulator, and the topology.
pub(crate) fn by_libvirt(guest: &Guest) -> (Vec<u32>, String, GuestTopology) {
    let xml = libvirt::xml(&guest.machine(&paths(guest)));
    let root = libvirt_domain::tree("box.xml", xml.as_bytes()).expect("a domain");
    let cputune = root.child("cputune").expect("pins");
    let number = |element: &ReadElement, name: &str| {
        element.attribute(name).map_or(1, |text| text.parse::<u32>().expect("a number"))
    };
    let pins = cputune.children.iter().filter(|element| element.name == "vcpupin");
    let mut pins: Vec<(u32, u32)> =
        pins.map(|element| (number(element, "vcpu"), number(element, "cpuset"))).collect();
    pins.sort_unstable();
    assert!(pins.iter().map(|(vcpu, _)| *vcpu).eq((0..).take(pins.len())), "every vCPU has one pin");
    let emulator = cputune.child("emulatorpin").and_then(|pin| pin.attribute("cpuset")).expect("a set");
    let topology = root.at(&["cpu", "topology"]).expect("a topology");
    let part = |name| usize::try_from(number(topology, name)).expect("small");
    let shown = GuestTopology {
        sockets: part("sockets"),
        dies: part("dies"),
        cores: part("cores"),
        threads: part("threads"),
    };
    (pins.into_iter().map(|(_, cpu)| cpu).collect(), emulator.to_owned(), shown)
}

/// The number of vCPUs and the topology.
pub(crate) fn to_qemu(guest: &Guest) -> (usize, GuestTopology) {
    let command = qemu_command::parse(&script::script(guest, &paths(guest))).expect("a command");
    let smp = command.options.iter().find(|option| option.name == "smp").expect("-smp").properties("cpus");
    let part = |name: &str| smp.get(name).map_or(1, |text| text.parse().expect("a number"));
    let shown = GuestTopology {
        sockets: part("sockets"),
        dies: part("dies"),
        cores: part("cores"),
        threads: part("threads"),
    };
    (part("cpus"), shown)
}
