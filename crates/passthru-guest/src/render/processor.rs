//! `-cpu` and `-smp`.

use super::Arguments;
use crate::machine::{CpuModel, Machine};

pub(super) fn processor(out: &mut Arguments, machine: &Machine) {
    let mut words = vec![
        match machine.cpu_model() {
            CpuModel::Host => "host",
            CpuModel::Max => "max",
        }
        .to_owned(),
    ];
    let cpu = &machine.cpu;
    if machine.cpu_model() == CpuModel::Host {
        words.push("migratable=off".to_owned());
        if cpu.host_cache {
            words.push("host-cache-info=on".to_owned());
        }
    }
    if let Some(bits) = cpu.address_bits {
        words.push(format!("phys-bits={bits},host-phys-bits=off"));
    }
    if cpu.topoext {
        words.push("topoext=on".to_owned());
    }
    if cpu.hide_kvm {
        words.push("kvm=off".to_owned());
    }
    out.option("-cpu", words.join(","));
    let shown = cpu.topology;
    let dies = if shown.dies == 1 { String::new() } else { format!(",dies={}", shown.dies) };
    out.option(
        "-smp",
        format!("{},sockets={}{dies},cores={},threads={}", cpu.vcpus(), shown.sockets, shown.cores, shown.threads),
    );
}
