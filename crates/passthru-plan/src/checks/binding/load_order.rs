//! Whether vfio-pci comes ahead of the drivers that could claim the same devices.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::binding::{Generator, ModprobeCommand, ModprobeSettings};

use crate::binding::{claimants, effective_ids, taken};
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};
use crate::groups::listed;

pub(super) const CHECK: Check = Check {
    id: "driver-order",
    title: "vfio-pci comes ahead of the drivers of the same devices",
    section: "Using vfio-pci",
    why: "whichever driver is loaded first has the device; a softdep line has vfio-pci loaded ahead of another, in the initramfs too",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(settings) = facts.binding.modprobe.value() else {
        return Outcome::unknown(
            "what modprobe is told",
            facts.binding.modprobe.because().unwrap_or_default(),
        );
    };
    let Some(setting) = effective_ids(facts, "vfio_pci") else {
        return Outcome::skip("no ids are given to vfio-pci");
    };
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which devices the ids take", because);
    }
    let mut loose: BTreeMap<String, Vec<PciAddress>> = BTreeMap::new();
    let mut held = true;
    for function in taken(facts, &setting).into_iter().filter(|function| !function.is_bridge()) {
        held &= function.is_on_vfio();
        for module in claimants(facts, function) {
            if !comes_after_vfio(settings, &module) {
                loose.entry(module).or_default().push(function.address);
            }
        }
    }
    let mut remarks = Remarks::default();
    remarks.seen(setting.place.clone(), format!("ids={}", setting.value));
    if loose.is_empty() {
        return remarks.outcome("every driver of these devices waits for vfio-pci");
    }
    let modules: Vec<&str> = loose.keys().map(String::as_str).collect();
    let functions: BTreeSet<PciAddress> = loose.values().flatten().copied().collect();
    let functions: Vec<PciAddress> = functions.into_iter().collect();
    if held {
        // It went well at this boot, perhaps by the order of an initramfs; nothing says that it always will.
        let order = if forced_early(facts) { ", by the initramfs's list of modules" } else { "" };
        return Outcome::pass(format!(
            "vfio-pci was first at this boot{order}; no softdep line says so for {}",
            modules.join(", ")
        ))
        .evidence(setting.place, format!("ids={}", setting.value));
    }
    let lines: Vec<String> = modules.iter().map(|module| format!("softdep {module} pre: vfio-pci")).collect();
    remarks
        .warn(format!(
            "nothing has vfio-pci loaded ahead of {} for {}",
            modules.join(", "),
            listed(&functions)
        ))
        .by_hand(format!(
            "Add to the same file of modprobe.d, and make the initramfs anew: {}",
            lines.join("; ")
        ));
    remarks.outcome(String::new())
}

/// Whether a module is loaded only after vfio-pci, or not at all by its aliases.
fn comes_after_vfio(settings: &ModprobeSettings, module: &str) -> bool {
    settings.commands.iter().any(|said| match &said.what {
        ModprobeCommand::Softdep { module: of, pre, .. } => {
            // A line for drm holds for all drivers of graphics, which need it.
            (of == module || of == "drm") && pre.iter().any(|one| one == "vfio_pci")
        }
        ModprobeCommand::Blacklist { module: of } => of == module,
        _ => false,
    })
}

/// Whether a generator's list puts vfio-pci ahead of everything that udev loads: dracut's `force_drivers`, mkinitcpio's
/// `MODULES` with its own init.
fn forced_early(facts: &HostFacts) -> bool {
    facts.binding.initramfs.value().into_iter().flatten().any(|settings| {
        matches!(settings.generator, Generator::Mkinitcpio | Generator::Dracut)
            && settings.modules.iter().any(|listed| listed.what == "vfio_pci")
    })
}
