//! Whether a guest with devices of the host is without a memory balloon.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainEdit, Place};

use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;

pub(super) const LINT: Lint = Lint {
    id: "guest-balloon",
    title: "guests with devices have no memory balloon",
    section: "Performance tuning",
    why: "a balloon gives memory back to the host, which cannot be while a device may write anywhere in it; what is left of it is a device that costs time",
    about: "has a device of the host",
    concerns: |_, domain| domain.has_vfio(),
    judge,
    instead: nothing,
    well: "without a balloon",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(_: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let balloon = Place::new("devices/memballoon");
    let said = domain.balloon.as_deref();
    remarks.seen(domain.path.clone(), format!("<memballoon model='{}'>", said.unwrap_or("not said")));
    let what = match said {
        Some("none") => return,
        Some(model) => {
            format!("{name} has a memory balloon ({model}), which does nothing beside a device of the host")
        }
        None => format!(
            "{name} says nothing of a memory balloon, so libvirt adds one, which does nothing beside a device of the host"
        ),
    };
    let add = DomainEdit::add("devices", "memballoon", &[("model", "none")]);
    remarks
        .warn(what)
        .at(&balloon)
        .in_file("Write <memballoon model='none'/>")
        .in_command("Take the virtio-balloon out")
        .edits(said.map(|_| DomainEdit::Remove(balloon)).into_iter().chain([add]));
}
