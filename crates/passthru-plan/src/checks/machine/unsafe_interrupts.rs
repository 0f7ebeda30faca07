//! Whether devices are given away although interrupts are not kept apart.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "unsafe-interrupts",
    title: "no setting gives devices away without interrupt remapping",
    section: "Enabling IOMMU",
    why: "‘allow_unsafe_interrupts’ lets a guest's device raise any interrupt of the host, and is of use only where the hardware \
          cannot remap interrupts",
    run,
};

/// The parameters, by module.
const PARAMETERS: [&str; 2] = ["vfio_iommu_type1.allow_unsafe_interrupts", "iommufd.allow_unsafe_interrupts"];

fn run(facts: &HostFacts) -> Outcome {
    let loaded = [&facts.iommu.unsafe_interrupts, &facts.iommu.iommufd_unsafe_interrupts];
    let in_force: Vec<_> = loaded.into_iter().filter(|fact| fact.value() == Some(&true)).collect();
    let line = facts.kernel.cmdline.value().map(|text| CommandLine::new(text));
    let asked = line.and_then(|line| {
        PARAMETERS
            .into_iter()
            .find(|name| line.value(name).is_some_and(|value| matches!(value, "1" | "y" | "Y" | "on")))
    });
    let mut outcome = match (in_force.is_empty(), asked, &line) {
        (true, None, None) => {
            return Outcome::unknown(
                "whether a setting asks for it",
                facts.kernel.cmdline.because().unwrap_or_default(),
            );
        }
        (true, None, Some(_)) => {
            return match hidden(facts) {
                Some(because) => Outcome::unknown("whether a setting asks for it", because),
                None => Outcome::pass("no setting asks for it").seen(&facts.kernel.cmdline),
            };
        }
        _ => Outcome::warn(match facts.iommu.interrupt_remapping.value() {
            Some(true) => {
                "‘allow_unsafe_interrupts’ is set though interrupts are remapped: it takes protection away for nothing"
            }
            _ => "‘allow_unsafe_interrupts’ lets a guest's device raise any interrupt of the host",
        }),
    };
    for fact in in_force {
        outcome = outcome.seen(fact);
    }
    if asked.is_some() {
        outcome = outcome.seen(&facts.kernel.cmdline);
    }
    outcome.seen(&facts.iommu.interrupt_remapping).by_hand(
        "Take ‘allow_unsafe_interrupts’ out of the kernel command line and of /etc/modprobe.d, unless you chose it and trust the guest",
    )
}

/// Why the parameter of a module that is loaded, or may be, cannot be seen.
fn hidden(facts: &HostFacts) -> Option<&str> {
    let because = facts.iommu.unsafe_interrupts.because()?;
    let loaded = facts.kernel.loaded.value().map(|names| names.iter().any(|name| name == "vfio_iommu_type1"));
    (loaded != Some(false)).then_some(because)
}
