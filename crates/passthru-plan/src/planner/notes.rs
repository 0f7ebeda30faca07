//! What the reader of a plan should know before agreeing.

use passthru_formats::cmdline::same_name;
use passthru_model::address::PciAddress;
use passthru_model::intent::Intent;
use passthru_model::plan::Plan;
use passthru_model::{HostFacts, managed};

use crate::groups::listed;
use crate::stake::Stakes;

/// Notes the twins that stay with the host.
pub(super) fn twins(facts: &HostFacts, wanted: &Intent, notes: &mut Vec<String>) {
    let stakes = Stakes::of(facts);
    for function in wanted.isolate.iter().filter_map(|device| facts.function(device.address)) {
        let stay: Vec<PciAddress> =
            stakes.twins(function).filter(|address| !wanted.isolates(*address)).collect();
        if !stay.is_empty() {
            notes.push(format!(
                "{} has the same PCI ID ({}) as {}, which the host keeps: the address tells them apart",
                function.address,
                function.id,
                listed(&stay)
            ));
        }
    }
}

/// What is worth knowing of the plan as a whole.
pub(super) fn last(facts: &HostFacts, isolating: bool, plan: &mut Plan) {
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
    if !isolating {
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

/// Notes other files that give devices to vfio-pci by their ids: they act beside ours, and take twins too.
pub(super) fn others(facts: &HostFacts, notes: &mut Vec<String>) {
    for (path, state) in &facts.files {
        if !path.starts_with("/etc/modprobe.d/") || path == managed::MODPROBE {
            continue;
        }
        let text = String::from_utf8_lossy(state.content().unwrap_or_default()).into_owned();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["options", module, options @ ..] = words.as_slice()
                && same_name(module, "vfio_pci")
                && let Some(ids) = options.iter().find(|option| option.starts_with("ids="))
            {
                notes.push(format!(
                    "{path} gives devices to vfio-pci too (‘{ids}’): every device with these ids, whatever is chosen here"
                ));
            }
        }
    }
}
