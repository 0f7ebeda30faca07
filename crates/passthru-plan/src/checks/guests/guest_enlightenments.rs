//! Whether Windows is told that it is a guest, and whether what it is told fits together.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainEdit, Place};

use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;
use crate::hyperv::{Enlightenment, NEEDS, USUAL};

pub(super) const LINT: Lint = Lint {
    id: "guest-enlightenments",
    title: "enlightenments for Windows are on, with what they need",
    section: "Setting up the guest OS",
    why: "Windows on KVM is fast when it knows where it runs (Hyper-V's enlightenments); one without those that it needs keeps the guest from starting",
    about: "is a Windows or has enlightenments for one",
    concerns: |_, domain| domain.is_windows() || !domain.hyperv.is_empty(),
    judge,
    instead: nothing,
    well: "with enlightenments that fit together",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(_: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let on: Vec<&str> =
        domain.hyperv.iter().filter(|(_, on)| **on).map(|(feature, _)| feature.as_str()).collect();
    remarks.seen(domain.path.clone(), format!("<hyperv>: {}", on.join(", ")));
    for (feature, needed) in NEEDS {
        if !on.contains(&feature.libvirt()) || has(domain, needed) {
            continue;
        }
        let what = if needed == Enlightenment::Time { "timer" } else { "feature" };
        let (in_command, feature, needed_word) = (needed.word(), feature.libvirt(), needed.libvirt());
        remarks
            .fail(format!(
                "{name} has the enlightenment {feature} on without the {what} {needed_word}, which it needs"
            ))
            .at(&Place::new("features/hyperv").child(feature))
            .in_file(format!("Turn {needed_word} on, or {feature} off"))
            .in_command(format!("Add hv_{in_command} to -cpu, or take hv_{feature} out"))
            .edits([turned_on(domain, needed)]);
    }
    // A list that is there and all off is what ‘hypervisor-hiding’ is about.
    if domain.is_windows() && domain.hyperv.is_empty() && !domain.hyperv_by_mode {
        remarks
            .warn(format!("{name} is a Windows without any enlightenment, which makes it slow"))
            .at_path("features/hyperv")
            .in_file("Add <hyperv> with relaxed, vapic, vpindex, synic, stimer and tlbflush, and the timer hypervclock")
.in_command("Add hv_relaxed, hv_vapic, hv_vpindex, hv_runtime, hv_synic, hv_time, hv_stimer, hv_frequencies and hv_tlbflush to -cpu")
            .edits(USUAL.into_iter().filter(|one| !has(domain, *one)).map(|one| turned_on(domain, one)));
    }
}

/// Whether an enlightenment is on, or the timer there.
fn has(domain: &Domain, one: Enlightenment) -> bool {
    let name = one.libvirt();
    if one == Enlightenment::Time {
        // One that is named and not said to be there is not (tried with libvirt 9.0: no hv-time).
        return domain.timers.get(name).is_some_and(|(present, _)| *present == Some(true));
    }
    domain.hyperv.get(name) == Some(&true)
}

/// The change that turns an enlightenment or the timer on.
fn turned_on(domain: &Domain, one: Enlightenment) -> DomainEdit {
    let name = one.libvirt();
    if one == Enlightenment::Time {
        return match domain.timers.get(name) {
            Some((_, place)) => DomainEdit::set(place.clone(), "present", "yes"),
            None => DomainEdit::add("clock", "timer", &[("name", name), ("present", "yes")]),
        };
    }
    if domain.hyperv.contains_key(name) {
        DomainEdit::set(Place::new("features/hyperv").child(name), "state", "on")
    } else {
        DomainEdit::add("features/hyperv", name, &[("state", "on")])
    }
}
