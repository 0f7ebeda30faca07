//! Whether a guest still hides that it is one, as NVIDIA's drivers before 465 made necessary.

use passthru_model::HostFacts;

use super::domains::{domains, has_devices};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "hypervisor-hiding",
    title: "guests do not hide that they are guests",
    section: "\"Error 43: Driver failed to load\" on Nvidia GPUs passed to Windows VMs",
    why: "NVIDIA's drivers have allowed guests since version 465 (2021); what was done to deceive older ones costs speed, and error 43 has other causes now",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let domains = match domains(facts, "is given a device of the host", has_devices) {
        Ok(domains) => domains,
        Err(outcome) => return outcome,
    };
    let mut remarks = Remarks::default();
    for domain in &domains {
        let name = &domain.name;
        if domain.hyperv_off {
            remarks
                .warn(format!("{name} has all of Hyper-V's features off, which makes Windows slow"))
                .seen(domain.path.clone(), "<hyperv>: every state='off'")
                .by_hand(format!("Turn them on, and the timer hypervclock: virsh edit {name}"));
        }
        if let Some(id) = &domain.vendor_id {
            remarks
                .warn(format!(
                    "{name} shows a made-up vendor of Hyper-V, which drivers since 465 do not need"
                ))
                .seen(domain.path.clone(), format!("<vendor_id value='{id}'/>"))
                .by_hand(format!(
                    "Remove <vendor_id> unless an old driver or another program needs it: virsh edit {name}"
                ));
            if id.chars().count() > 12 {
                remarks.fail(format!("the vendor_id of {name} is longer than the 12 characters there are"));
            }
        }
        if domain.kvm_hidden {
            remarks
                .warn(format!("{name} hides KVM, which drivers since 465 do not need"))
                .seen(domain.path.clone(), "<hidden state='on'/>")
                .by_hand(format!(
                    "Remove <hidden> unless an old driver or another program needs it: virsh edit {name}"
                ));
        }
        for argument in domain
            .qemu_arguments
            .iter()
            .filter(|argument| argument.contains("kvm=off") || argument.contains("hv_vendor_id"))
        {
            remarks
                .warn(format!("{name} hides the hypervisor by an argument for QEMU"))
                .seen(domain.path.clone(), argument.clone());
        }
    }
    remarks.outcome(format!("{} that hides nothing", count(domains.len(), "guest")))
}
