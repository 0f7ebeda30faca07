//! Whether guests are shown the processor that they run on.

use passthru_model::HostFacts;

use super::domains::{domains, has_devices};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-processor",
    title: "guests with devices are shown the host's own processor",
    section: "Setting up the guest OS",
    why: "host-passthrough gives the guest all features of the processor; any other model costs speed, and some programs stumble over it",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let domains = match domains(facts, "is given a device of the host", has_devices) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let is_amd = facts.cpu.vendor.value().map(|vendor| vendor == "AuthenticAMD");
    let mut remarks = Remarks::default();
    for domain in &domains {
        let mode = domain.cpu_mode.as_deref().unwrap_or("no mode");
        remarks.seen(domain.path.clone(), format!("<cpu mode='{mode}'>"));
        if mode != "host-passthrough" && mode != "maximum" {
            remarks
                .warn(format!("{} is shown another processor than the host's ({mode})", domain.name))
                .by_hand(format!("Write <cpu mode='host-passthrough'>: virsh edit {}", domain.name));
        }
        if domain.kind != "kvm" {
            remarks
                .warn(format!("{} is of type ‘{}’, which emulates the processor", domain.name, domain.kind))
                .by_hand(format!("Write <domain type='kvm'>: virsh edit {}", domain.name));
        }
        let asks = domain.cpu_features.get("topoext").is_some_and(|policy| policy == "require");
        let threads = domain.topology.map_or(1, |topology| topology.threads);
        match is_amd {
            Some(true) if threads > 1 && !asks => {
                remarks
                    .warn(format!(
                        "{} is to have {threads} threads a core, which an AMD guest sees only with topoext",
                        domain.name
                    ))
                    .by_hand(format!(
                        "Add <feature policy='require' name='topoext'/> to <cpu>: virsh edit {}",
                        domain.name
                    ));
            }
            Some(false) if asks => {
                remarks
                    .fail(format!(
                        "{} asks for topoext, which only AMD's processors have, so it does not start",
                        domain.name
                    ))
                    .by_hand(format!("Take the feature topoext out: virsh edit {}", domain.name));
            }
            _ => {}
        }
    }
    remarks.outcome(format!("{} with the host's own processor", count(domains.len(), "guest")))
}
