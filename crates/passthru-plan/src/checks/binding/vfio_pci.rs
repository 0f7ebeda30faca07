//! Whether every installed kernel has vfio-pci.

use passthru_model::HostFacts;
use passthru_model::kernel::ModuleState;

use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "vfio-pci",
    title: "every installed kernel has vfio-pci",
    section: "Isolating the GPU",
    why: "vfio-pci is the driver that holds a device for a guest; a kernel without it leaves the device to the host",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(kernels) = facts.kernel.installed.value() else {
        return Outcome::unknown(
            "which kernels are installed",
            facts.kernel.installed.because().unwrap_or_default(),
        );
    };
    if kernels.is_empty() {
        return Outcome::skip("no installed kernel is to be seen here").seen(&facts.kernel.installed);
    }
    let mut without = Vec::new();
    let mut unknown = Vec::new();
    let mut outcome = Outcome::pass(String::new());
    for kernel in kernels {
        let state = match kernel.module("vfio_pci") {
            _ if kernel.modules.value().is_none() => {
                unknown.push(format!("{}: {}", kernel.release, kernel.modules.because().unwrap_or_default()));
                continue;
            }
            Some(ModuleState::BuiltIn) => "vfio-pci is built in",
            Some(ModuleState::Loadable) => "vfio-pci is a module",
            None | Some(ModuleState::Absent) => {
                without.push(kernel.release.clone());
                "no vfio-pci"
            }
        };
        outcome = outcome.evidence(format!("/lib/modules/{}", kernel.release), state);
    }
    let evidence = outcome.evidence;
    let outcome = if !without.is_empty() {
        Outcome::fail(format!("vfio-pci is missing in {}", without.join(", "))).by_hand(
            "Install the package that carries it (linux-modules-extra on Ubuntu), or remove that kernel",
        )
    } else if unknown.is_empty() {
        Outcome::pass(format!("vfio-pci is there in {}", count(kernels.len(), "installed kernel")))
    } else {
        Outcome::unknown("whether vfio-pci is there", &unknown.join("; "))
    };
    Outcome { evidence, ..outcome }
}
