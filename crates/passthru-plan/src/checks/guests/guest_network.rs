//! Whether the networks that guests hang on are there.

use passthru_model::HostFacts;
use passthru_model::virtualisation::Domain;

use super::domains::libvirt;
use super::lint::Lint;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const LINT: Lint = Lint {
    id: "guest-network",
    title: "the networks of guests are there and start at boot",
    section: "Further Tuning",
    why: "a guest on a network of libvirt that is not defined or not started does not start either",
    about: "is on a network of libvirt",
    concerns: |_, domain| !domain.networks.is_empty(),
    judge,
    instead: |facts| match libvirt(facts) {
        Ok(libvirt) => Some(Outcome::unknown("which networks there are", libvirt.networks.because()?)),
        Err(outcome) => Some(outcome),
    },
    well: "on networks that start at boot",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let Some(known) = libvirt(facts).ok().and_then(|libvirt| libvirt.networks.value()) else { return };
    for (network, place) in &domain.networks {
        remarks.seen(domain.path.clone(), format!("<source network='{network}'/>"));
        match known.get(network) {
            None => {
                remarks
                    .fail(format!("{} is on the network ‘{network}’, which is not defined", domain.name))
                    .at(place)
                    .in_file("Define it (virsh net-define), or choose another");
            }
            Some(false) => {
                remarks
                    .warn(format!("the network ‘{network}’ of {} does not start at boot", domain.name))
                    .at(place)
                    .by_hand(format!("virsh net-autostart {network}"));
            }
            Some(true) => {}
        }
    }
}
