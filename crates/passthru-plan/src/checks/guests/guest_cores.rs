//! Whether a guest can use all the processors that it is given.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Domain;

use super::guest_pinning::show_topology;
use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;

pub(super) const LINT: Lint = Lint {
    id: "guest-cores",
    title: "guests are shown cores, not sockets",
    section: "VM only uses one core",
    why: "without a topology each vCPU is a socket of its own, and Windows uses one or two sockets at most",
    about: "has more than one vCPU",
    concerns: |_, domain| domain.vcpus.is_some_and(|count| count > 1),
    judge,
    instead: nothing,
    well: "with cores in one socket",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(_: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let vcpus = domain.vcpus.unwrap_or_default();
    let Some(topology) = domain.topology else {
        remarks.seen(domain.path.clone(), format!("{vcpus} vCPUs, no <topology>"));
        // libvirt leaves it to QEMU, whose machines since 6.2 prefer cores; Windows makes it matter.
        if domain.is_windows() && domain.machine.as_deref().is_some_and(is_before_6_2) {
            remarks
                .warn(format!("{name} is shown {vcpus} sockets, of which Windows uses one or two"))
                .at_path("cpu")
                .in_file(format!("Add <topology sockets='1' dies='1' cores='{vcpus}' threads='1'/> to <cpu>"))
                .in_command(format!("Write -smp {vcpus},sockets=1,cores={vcpus},threads=1"))
                .edits(show_topology(domain, [1, 1, vcpus, 1]));
        }
        return;
    };
    remarks.seen(
        domain.path.clone(),
        format!("sockets={} cores={} threads={}", topology.sockets, topology.cores, topology.threads),
    );
    let in_cores = |threads: usize| {
        let fits = threads > 0 && vcpus.is_multiple_of(threads);
        show_topology(domain, if fits { [1, 1, vcpus / threads, threads] } else { [1, 1, vcpus, 1] })
    };
    if topology.product() != vcpus {
        remarks
            .fail(format!("{name} has {vcpus} vCPUs, and its topology has {}", topology.product()))
            .at_path("cpu/topology")
            .in_file(format!("Let sockets × dies × cores × threads be {vcpus}"))
            .in_command(format!("Let sockets × dies × cores × threads of -smp be {vcpus}"))
            .edits(in_cores(topology.threads));
    }
    if topology.sockets > 2 || (topology.sockets > 1 && domain.is_windows()) {
        remarks
            .warn(format!("{name} is shown {} sockets; Windows uses one or two", topology.sockets))
            .at_path("cpu/topology")
            .in_file("Write sockets='1' and more cores")
            .in_command("Write sockets=1 and more cores in -smp")
            .edits(in_cores(topology.threads));
    }
}

/// Whether a machine is older than QEMU 6.2, whose machines show cores before sockets (`smp_props.prefer_sockets`,
/// `hw/i386/pc.c`).
fn is_before_6_2(machine: &str) -> bool {
    let version = machine.rsplit('-').next().unwrap_or_default();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    matches!((parts.next().flatten(), parts.next().flatten()), (Some(major), Some(minor)) if (major, minor) < (6, 2))
}
