//! `<hyperv>` and `<kvm>`.

use passthru_model::virtualisation::DomainElement;
use passthru_plan::hyperv::{Enlightenment, SPINLOCK_RETRIES};

use super::element;
use crate::machine::Machine;

pub(super) fn features(machine: &Machine) -> Vec<DomainElement> {
    let mut all = Vec::new();
    let told = &machine.hyper_v;
    let mut hyperv = element("hyperv", &[("mode", "custom")]);
    for one in &told.on {
        let mut feature = element(one.libvirt(), &[("state", "on")]);
        match one {
            // A timer, and a part of another feature.
            Enlightenment::Time | Enlightenment::StimerDirect => continue,
            Enlightenment::Spinlocks => feature.attributes.push(("retries", SPINLOCK_RETRIES.to_string())),
            Enlightenment::Stimer if told.on.contains(&Enlightenment::StimerDirect) => {
                feature.children.push(element(Enlightenment::StimerDirect.libvirt(), &[("state", "on")]));
            }
            _ => {}
        }
        hyperv.children.push(feature);
    }
    if let Some(id) = &told.vendor_id {
        hyperv.children.push(element("vendor_id", &[("state", "on"), ("value", id)]));
    }
    if !hyperv.children.is_empty() {
        all.push(hyperv);
    }
    if machine.cpu.hide_kvm {
        all.push(element("kvm", &[]).with([element("hidden", &[("state", "on")])]));
    }
    all
}
