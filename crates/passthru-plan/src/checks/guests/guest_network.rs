//! Whether the networks that guests hang on are there.

use passthru_model::HostFacts;

use super::domains::{domains, libvirt};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-network",
    title: "the networks of guests are there and start at boot",
    section: "Further Tuning",
    why: "a guest on a network of libvirt that is not defined or not started does not start either",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let domains = match domains(facts, "is on a network of libvirt", |domain| !domain.networks.is_empty()) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let networks = match libvirt(facts) {
        Ok(libvirt) => &libvirt.networks,
        Err(outcome) => return outcome,
    };
    let Some(known) = networks.value() else {
        return Outcome::unknown("which networks there are", networks.because().unwrap_or_default());
    };
    let mut remarks = Remarks::default();
    for domain in &domains {
        for network in &domain.networks {
            remarks.seen(domain.path.clone(), format!("<source network='{network}'/>"));
            match known.get(network) {
                None => {
                    remarks
                        .fail(format!("{} is on the network ‘{network}’, which is not defined", domain.name))
                        .by_hand(format!(
                            "Define it (virsh net-define), or choose another: virsh edit {}",
                            domain.name
                        ));
                }
                Some(false) => {
                    remarks
                        .warn(format!("the network ‘{network}’ of {} does not start at boot", domain.name))
                        .by_hand(format!("virsh net-autostart {network}"));
                }
                Some(true) => {}
            }
        }
    }
    remarks.outcome(format!("{} on networks that start at boot", count(domains.len(), "guest")))
}
