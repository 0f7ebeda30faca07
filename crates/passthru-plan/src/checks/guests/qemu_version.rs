//! Whether QEMU is new enough for what is written about it today.

use passthru_model::HostFacts;
use passthru_model::virtualisation::{qemu_package, qemu_version};

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "qemu-version",
    title: "QEMU is new enough",
    section: "Plain QEMU without libvirt",
    why: "QEMU 4.0 brought the flash options of today, 8.1 sound by PipeWire and BARs that can be resized, 9.0 iommufd",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(packages) = facts.virtualisation.packages.value() else {
        return Outcome::unknown(
            "QEMU's version",
            facts.virtualisation.packages.because().unwrap_or_default(),
        );
    };
    let Some((name, text)) = qemu_package(packages) else {
        return Outcome::skip("no package of QEMU is installed by the package manager")
            .seen(&facts.virtualisation.packages);
    };
    let Some(version) = qemu_version(packages) else {
        return Outcome::unknown("QEMU's version", &format!("‘{text}’ is none that can be read"));
    };
    let mut remarks = Remarks::default();
    if let Some(evidence) = facts.virtualisation.packages.evidence() {
        remarks.seen(evidence.path.clone(), format!("{name} {text}"));
    }
    let shown = format!("QEMU {}.{}", version.0, version.1);
    if version < (4, 0) {
        remarks
            .fail(format!(
                "{shown} does not know the options for firmware that passthru uses, which 4.0 brought"
            ))
            .by_hand("Update the system, or take QEMU from the distribution's backports");
    } else if version < (6, 0) {
        remarks
            .warn(format!(
                "{shown} is from before 2021; much that is written about guests today does not hold for it"
            ))
            .by_hand("Update the system, or take QEMU from the distribution's backports");
    }
    let more =
        if version < (8, 1) { ", without PipeWire and resizable BARs, which came with 8.1" } else { "" };
    remarks.outcome(format!("{shown} is installed{more}"))
}
