//! Whether a guest still hides that it is one, as NVIDIA's drivers before 465 made necessary.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainEdit, Place};

use super::domains::has_devices;
use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;

pub(super) const LINT: Lint = Lint {
    id: "hypervisor-hiding",
    title: "guests do not hide that they are guests",
    section: "\"Error 43: Driver failed to load\" on Nvidia GPUs passed to Windows VMs",
    why: "NVIDIA's drivers have allowed guests since version 465 (2021); what was done to deceive older ones costs speed, and error 43 has other causes now",
    about: "is given a device of the host",
    concerns: |_, domain| has_devices(domain),
    judge,
    instead: nothing,
    well: "that hides nothing",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(_: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let vendor_id = Place::new("features/hyperv/vendor_id");
    let hidden = Place::new("features/kvm/hidden");
    if domain.is_hyperv_off() {
        remarks
            .warn(format!("{name} has all of Hyper-V's features off, which makes Windows slow"))
            .seen(domain.path.clone(), "<hyperv>: every state='off'")
            .at_path("features/hyperv")
            .in_file("Turn them on, and the timer hypervclock")
            .in_command("Turn them on, and hv_time");
    }
    if let Some(id) = &domain.vendor_id {
        remarks
            .warn(format!("{name} shows a made-up vendor of Hyper-V, which drivers since 465 do not need"))
            .seen(domain.path.clone(), format!("<vendor_id value='{id}'/>"))
            .at(&vendor_id)
            .in_file("Remove <vendor_id> unless an old driver or another program needs it")
            .in_command("Take hv_vendor_id out of -cpu unless an old driver or another program needs it")
            .edits([DomainEdit::Remove(vendor_id.clone())]);
        if id.chars().count() > 12 {
            remarks
                .fail(format!("the vendor_id of {name} is longer than the 12 characters there are"))
                .at(&vendor_id);
        }
    }
    if domain.kvm_hidden {
        remarks
            .warn(format!("{name} hides KVM, which drivers since 465 do not need"))
            .seen(domain.path.clone(), "<hidden state='on'/>")
            .at(&hidden)
            .in_file("Remove <hidden> unless an old driver or another program needs it")
            .in_command("Take kvm=off out of -cpu unless an old driver or another program needs it")
            .edits([DomainEdit::Remove(hidden)]);
    }
    for (argument, place) in &domain.qemu_arguments {
        if argument.contains("kvm=off")
            || argument.contains("hv_vendor_id")
            || argument.contains("hv-vendor-id")
        {
            remarks
                .warn(format!("{name} hides the hypervisor by an argument for QEMU"))
                .seen(domain.path.clone(), argument.clone())
                .at(place)
                .by_hand("Take it out unless an old driver or another program needs it");
        }
    }
}
