//! The topology as JSON.

use passthru_model::{HostFacts, Topology};
use passthru_plan::pinning::{self, Pinning, Threads};

use super::{memory, worth_showing};
use crate::envelope::topology as envelope;

/// The JSON envelope.
pub(super) fn of(
    facts: &HostFacts,
    topology: &Topology,
    pinning: Option<Pinning>,
) -> envelope::TopologyEnvelope {
    let nodes = topology.nodes.iter().map(|(id, node)| envelope::Node {
        id: *id,
        cpus: node.cpus.clone(),
        memory_kib: node.memory_kib,
        distances: node.distances.clone(),
    });
    let cores = topology.cores.iter().map(|core| envelope::CoreLine {
        cpus: core.cpus.clone(),
        package: core.package,
        node: core.node,
        l3: core.l3,
        kind: core.kind.map(passthru_model::topology::CoreKind::word),
        ranking: core.ranking,
    });
    let devices =
        facts.functions().filter(|function| worth_showing(function)).map(|function| envelope::NodeDevice {
            address: function.address,
            name: facts.name_of(function),
            node: function.numa_node,
        });
    let l3 = topology.l3.iter();
    let packages = topology.packages.iter();
    envelope::TopologyEnvelope {
        schema: "passthru.topology/1",
        online: topology.online.clone(),
        offline: topology.offline.clone(),
        isolated: topology.isolated.clone(),
        packages: packages.map(|part| envelope::Package { id: part.id, cpus: part.cpus.clone() }).collect(),
        nodes: nodes.collect(),
        l3: l3
            .map(|domain| envelope::L3 {
                id: domain.id,
                size_kib: domain.size_kib,
                cpus: domain.cpus.clone(),
            })
            .collect(),
        cores: cores.collect(),
        devices: devices.collect(),
        memory: memory::document(facts),
        most_vcpus: pinning::most(topology, Threads::Siblings),
        pinning: pinning.map(pinning_line),
        unknown: topology
            .gaps
            .iter()
            .map(|(path, why)| if why.starts_with(path) { why.clone() } else { format!("{path}: {why}") })
            .collect(),
    }
}

fn pinning_line(pinning: Pinning) -> envelope::PinningLine {
    envelope::PinningLine {
        vcpus: pinning.pins.iter().enumerate().map(|(vcpu, &cpu)| envelope::Pin { vcpu, cpu }).collect(),
        guest: pinning.guest,
        guest_cpus: pinning.guest_cpus,
        host_cpus: pinning.host_cpus,
        emulator: pinning.emulator,
        iothread: pinning.iothread,
        node: pinning.node,
        l3: pinning.l3,
        choices: pinning.choices,
    }
}
