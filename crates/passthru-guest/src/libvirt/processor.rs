//! `<cpu>` and `<cputune>`.

use passthru_model::cpu_set::CpuSet;
use passthru_model::guest_tuning::Scheduler;
use passthru_model::virtualisation::DomainElement;

use super::element;
use crate::layout::Layout;
use crate::machine::{CpuModel, Machine};
use crate::spec::CacheChoice;

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
    cpu.children.extend(machine.cpu.cache.map(|cache| match cache {
        CacheChoice::Host => element("cache", &[("mode", "passthrough")]),
        CacheChoice::Emulated => element("cache", &[("level", "3"), ("mode", "emulate")]),
    }));
    cpu.children.extend(machine.cpu.topoext.map(|on| {
        element("feature", &[("policy", if on { "require" } else { "disable" }), ("name", "topoext")])
    }));
    cpu
}

/// Where each vCPU, QEMU's own threads and the I/O thread run.
pub(super) fn cputune(machine: &Machine) -> Option<DomainElement> {
    let pins = machine.cpu.pins.as_ref()?;
    let mut cputune = element("cputune", &[]);
    cputune.children.extend(
        pins.vcpus.iter().enumerate().map(|(vcpu, cpu)| {
            element("vcpupin", &[("vcpu", &vcpu.to_string()), ("cpuset", &cpu.to_string())])
        }),
    );
    cputune.children.push(element("emulatorpin", &[("cpuset", &pins.emulator.to_string())]));
    if Layout::of(machine).io_thread {
        let attributes = [("iothread", "1"), ("cpuset", &*pins.iothread.to_string())];
        cputune.children.push(element("iothreadpin", &attributes));
    }
    // libvirt's default is the kernel's.
    if pins.scheduler == Scheduler::RoundRobin {
        let vcpus: CpuSet = (0..u32::try_from(pins.vcpus.len()).unwrap_or(u32::MAX)).collect();
        let vcpus = vcpus.to_string();
        let attributes = [("vcpus", vcpus.as_str()), ("scheduler", "rr"), ("priority", "1")];
        cputune.children.push(element("vcpusched", &attributes));
    }
    Some(cputune)
}
