//! `<cpu>` and `<cputune>`.

use passthru_model::virtualisation::DomainElement;

use super::element;
use crate::machine::{CpuModel, Machine};

pub(super) fn cpu(machine: &Machine) -> DomainElement {
    let shown = machine.cpu.topology;
    let (sockets, dies) = (shown.sockets.to_string(), shown.dies.to_string());
    let (cores, threads) = (shown.cores.to_string(), shown.threads.to_string());
    let mut topology = vec![("sockets", sockets.as_str())];
    if shown.dies > 1 {
        topology.push(("dies", &dies));
    }
    topology.extend([("cores", cores.as_str()), ("threads", &threads)]);
    let mut cpu = match machine.cpu_model() {
        CpuModel::Host => {
            element("cpu", &[("mode", "host-passthrough"), ("check", "none"), ("migratable", "off")])
        }
        CpuModel::Max => element("cpu", &[("mode", "maximum"), ("check", "none")]),
    };
    cpu.children.push(element("topology", &topology));
    if machine.cpu.host_cache && machine.cpu_model() == CpuModel::Host {
        cpu.children.push(element("cache", &[("mode", "passthrough")]));
    }
    if let Some(bits) = machine.cpu.address_bits {
        // `mode='passthrough' limit=…` would say it without a number of bits of its own, and libvirt before 9.3 overlooks it.
        cpu.children.push(element("maxphysaddr", &[("mode", "emulate"), ("bits", &bits.to_string())]));
    }
    if machine.cpu.topoext {
        cpu.children.push(element("feature", &[("policy", "require"), ("name", "topoext")]));
    }
    cpu
}

/// Where each vCPU and QEMU's own threads run.
pub(super) fn cputune(machine: &Machine) -> Option<DomainElement> {
    let pins = machine.cpu.pins.as_ref()?;
    let mut cputune = element("cputune", &[]);
    cputune.children.extend(pins.vcpus.iter().enumerate().map(|(vcpu, cpu)| {
        element("vcpupin", &[("vcpu", &vcpu.to_string()), ("cpuset", &cpu.to_string())])
    }));
    cputune.children.push(element("emulatorpin", &[("cpuset", &pins.emulator.to_string())]));
    Some(cputune)
}
