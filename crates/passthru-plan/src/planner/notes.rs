//! What the reader of a plan should know before agreeing.

use passthru_formats::intent_toml;
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::boot_settings::BootSettings;
use passthru_model::host_settings::HostSettings;
use passthru_model::intent::{INTENT_PATH, Intent};
use passthru_model::plan::Plan;

use crate::groups::listed;
use crate::stake::Stakes;

/// Notes the twins that stay with the host.
pub(super) fn twins(facts: &HostFacts, wanted: &Intent, notes: &mut Vec<String>) {
    let stakes = Stakes::of(facts);
    let by_ids = wanted.method.ids_parameter().is_some();
    let told = if by_ids { "the board maker's ids tell" } else { "the address tells" };
    for function in wanted.isolate.iter().filter_map(|device| facts.function(device.address)) {
        let stay: Vec<PciAddress> =
            stakes.twins(function).filter(|address| !wanted.isolates(*address)).collect();
        if !stay.is_empty() {
            notes.push(format!(
                "{} has the same PCI ID ({}) as {}, which the host keeps: {told} them apart",
                function.address,
                function.id,
                listed(&stay)
            ));
        }
    }
}

/// What the intent still says beside its devices once none is left, which somebody could take for being in force. `text`: the
/// intent file afterwards.
pub(super) fn kept(before: &Intent, text: &str) -> Option<String> {
    let after = intent_toml::parse(text).ok()?;
    if before.isolate.is_empty() || !after.isolate.is_empty() {
        return None;
    }
    let boot = (after.boot != BootSettings::default()).then_some("[boot]");
    let alone =
        HostSettings { virtual_functions: after.host.virtual_functions.clone(), ..HostSettings::default() };
    let host = (after.host != alone).then_some("[host]");
    let tables: Vec<&str> = boot.into_iter().chain(host).collect();
    (!tables.is_empty()).then(|| {
        format!(
            "what {INTENT_PATH} says under {} stays written there, and does nothing until a device is isolated again; take it out of \
             the file if it is not to come back then",
            tables.join(" and ")
        )
    })
}

/// What is worth knowing of the plan as a whole.
pub(super) fn last(facts: &HostFacts, wanted: &Intent, plan: &mut Plan) {
    let isolating = !wanted.isolate.is_empty();
    if plan.is_empty() {
        // Nothing is done, so nothing needs to be known before agreeing.
        plan.notes.clear();
        return;
    }
    if isolating
        && facts.iommu.interrupt_remapping.value() == Some(&false)
        && facts.iommu.units.value().is_some_and(|units| !units.is_empty())
    {
        plan.notes.push(
            "interrupts are not remapped on this host, so the kernel will refuse to start a guest with these devices; \
             look for interrupt remapping or x2APIC in the firmware setup"
                .to_owned(),
        );
    }
    if wanted.is_nothing() {
        plan.notes.push(
            "kernel parameters that were taken out when a device was isolated, such as intel_iommu=off, come back with \
             `passthru undo` only"
                .to_owned(),
        );
    }
    if plan.needs_reboot() {
        plan.notes.push(
            "it takes effect at the next boot; then `passthru verify` says whether it worked".to_owned(),
        );
    }
}

/// Notes what other tools and hands have set up: it acts beside ours, and ids take twins too.
pub(super) fn others(facts: &HostFacts, notes: &mut Vec<String>) {
    for one in crate::leftovers(facts) {
        notes.push(format!(
            "{} {} too (‘{}’), whatever is chosen here; --adopt takes that out",
            one.place, one.does, one.text
        ));
    }
}
