//! Whether a guest can use all the processors that it is given.

use passthru_model::HostFacts;

use super::domains::domains;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-cores",
    title: "guests are shown cores, not sockets",
    section: "VM only uses one core",
    why: "without a topology each vCPU is a socket of its own, and Windows uses one or two sockets at most",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let domains = match domains(facts, "has more than one vCPU", |domain| {
        domain.vcpus.is_some_and(|count| count > 1)
    }) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let mut remarks = Remarks::default();
    for domain in &domains {
        let vcpus = domain.vcpus.unwrap_or_default();
        let Some(topology) = domain.topology else {
            remarks.seen(domain.path.clone(), format!("{vcpus} vCPUs, no <topology>"));
            // libvirt leaves it to QEMU, whose machines since 6.2 prefer cores; Windows makes it matter.
            let old = domain.machine.as_deref().is_some_and(is_before_6_2);
            if domain.is_windows() && old {
                remarks
                    .warn(format!("{} is shown {vcpus} sockets, of which Windows uses one or two", domain.name))
                    .by_hand(format!("Add <topology sockets='1' dies='1' cores='{vcpus}' threads='1'/> to <cpu>: virsh edit {}", domain.name));
            }
            continue;
        };
        remarks.seen(
            domain.path.clone(),
            format!("sockets={} cores={} threads={}", topology.sockets, topology.cores, topology.threads),
        );
        if topology.product() != vcpus {
            remarks
                .fail(format!(
                    "{} has {vcpus} vCPUs, and its topology has {}",
                    domain.name,
                    topology.product()
                ))
                .by_hand(format!(
                    "Let sockets × dies × cores × threads be {vcpus}: virsh edit {}",
                    domain.name
                ));
        }
        if topology.sockets > 2 || (topology.sockets > 1 && domain.is_windows()) {
            remarks
                .warn(format!(
                    "{} is shown {} sockets; Windows uses one or two",
                    domain.name, topology.sockets
                ))
                .by_hand(format!("Write sockets='1' and more cores: virsh edit {}", domain.name));
        }
    }
    remarks.outcome(format!("{} with cores in one socket", count(domains.len(), "guest")))
}

/// Whether a machine is older than QEMU 6.2, whose machines show cores before sockets (`smp_props.prefer_sockets`,
/// `hw/i386/pc.c`).
fn is_before_6_2(machine: &str) -> bool {
    let version = machine.rsplit('-').next().unwrap_or_default();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    matches!((parts.next().flatten(), parts.next().flatten()), (Some(major), Some(minor)) if (major, minor) < (6, 2))
}
