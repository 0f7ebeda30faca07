//! `-cpu` and `-smp`.

use super::{Arguments, hyper_v};
use crate::machine::{CpuModel, Machine};
use crate::spec::CacheChoice;

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
    }
    // As libvirt says it: the one switches the other off.
    words.extend(cpu.cache.map(|cache| match cache {
        CacheChoice::Host => "host-cache-info=on,l3-cache=off".to_owned(),
        CacheChoice::Emulated => "l3-cache=on,host-cache-info=off".to_owned(),
    }));
    if let Some(bits) = cpu.address_bits {
        words.push(format!("host-phys-bits-limit={bits}"));
    }
    words.extend(cpu.topoext.map(|on| format!("topoext={}", if on { "on" } else { "off" })));
    if cpu.hide_kvm {
        words.push("kvm=off".to_owned());
    }
    words.extend(hyper_v::words(machine));
    out.option("-cpu", words.join(","));
    let shown = cpu.topology;
    let dies = if shown.dies == 1 { String::new() } else { format!(",dies={}", shown.dies) };
    out.option(
        "-smp",
        format!(
            "{},sockets={}{dies},cores={},threads={}",
            cpu.vcpus(),
            shown.sockets,
            shown.cores,
            shown.threads
        ),
    );
}
