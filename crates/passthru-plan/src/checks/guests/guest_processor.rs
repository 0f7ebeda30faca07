//! Whether guests are shown the processor that they run on.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{Domain, DomainEdit, Place};

use super::domains::has_devices;
use super::lint::{Lint, nothing};
use crate::checks::Check;
use crate::checks::remarks::Remarks;

pub(super) const LINT: Lint = Lint {
    id: "guest-processor",
    title: "guests with devices are shown the host's own processor",
    section: "Setting up the guest OS",
    why: "host-passthrough gives the guest all features of the processor; any other model costs speed, and some programs stumble over it",
    about: "is given a device of the host",
    concerns: |_, domain| has_devices(domain),
    judge,
    instead: nothing,
    well: "with the host's own processor",
};

pub(super) const CHECK: Check = LINT.check(|facts| LINT.over(facts));

fn judge(facts: &HostFacts, domain: &Domain, remarks: &mut Remarks) {
    let name = &domain.name;
    let cpu = Place::new("cpu");
    let mode = domain.cpu_mode.as_deref().unwrap_or("no mode");
    remarks.seen(domain.path.clone(), format!("<cpu mode='{mode}'>"));
    if mode != "host-passthrough" && mode != "maximum" {
        remarks
            .warn(format!("{name} is shown another processor than the host's ({mode})"))
            .at(&cpu)
            .in_file("Write <cpu mode='host-passthrough'>")
            .in_command("Write -cpu host");
    }
    if domain.kind != "kvm" {
        remarks
            .warn(format!("{name} is of type ‘{}’, which emulates the processor", domain.kind))
            .at_path("")
            .in_file("Write <domain type='kvm'>")
            .in_command("Write -accel kvm")
            .edits([DomainEdit::set(Place::default(), "type", "kvm")]);
    }
    let asks = domain.cpu_features.get("topoext").is_some_and(|policy| policy == "require");
    let threads = domain.topology.map_or(1, |topology| topology.threads);
    match facts.cpu.vendor.value().map(|vendor| vendor == "AuthenticAMD") {
        Some(true) if threads > 1 && !asks => {
            let said = domain.cpu_features.contains_key("topoext");
            remarks
                .warn(format!(
                    "{name} is to have {threads} threads a core, which an AMD guest sees only with topoext"
                ))
                .at(&cpu)
                .in_file("Add <feature policy='require' name='topoext'/> to <cpu>")
                .in_command("Add topoext=on to -cpu")
                .edits((!said).then(|| {
                    DomainEdit::add("cpu", "feature", &[("policy", "require"), ("name", "topoext")])
                }));
        }
        Some(false) if asks => {
            remarks
                .fail(format!(
                    "{name} asks for topoext, which only AMD's processors have, so it does not start"
                ))
                .at(&cpu)
                .in_file("Take the feature topoext out")
                .in_command("Take topoext out of -cpu");
        }
        _ => {}
    }
}
