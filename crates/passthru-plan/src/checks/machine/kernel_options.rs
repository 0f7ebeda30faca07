//! Whether every installed kernel was built with what passthrough needs.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;
use passthru_model::fact::Fact;
use passthru_model::iommu::FirmwareTable;
use passthru_model::kernel::KernelOptions;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "kernel-options",
    title: "every installed kernel was built for passthrough",
    section: "Enabling IOMMU",
    why: "an update can bring a kernel without the IOMMU's driver, without VFIO, or with the IOMMU off by default; it shows only \
          after the reboot",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let installed = facts.kernel.installed.value().map(Vec::as_slice).unwrap_or_default();
    let running = facts.kernel.release.value().map_or("the running kernel", String::as_str);
    let mut kernels: Vec<(&str, &Fact<KernelOptions>)> =
        installed.iter().map(|kernel| (kernel.release.as_str(), &kernel.options)).collect();
    if !kernels.iter().any(|(release, _)| *release == running) {
        kernels.push((running, &facts.kernel.options));
    }
    let mut outcome = Outcome::pass(String::new());
    let (mut lacking, mut off, mut unknown, mut known) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (release, fact) in kernels {
        let Some(options) = fact.value() else {
            unknown.push(format!("{release}: {}", fact.because().unwrap_or_default()));
            continue;
        };
        outcome = outcome.seen(fact);
        known.push(release.to_owned());
        let without: Vec<&str> = needed(facts).into_iter().filter(|name| !options.is_on(name)).collect();
        if !without.is_empty() {
            lacking.push(format!("{release} lacks {}", without.join(", ")));
        } else if needs_word(facts, options) {
            off.push(release.to_owned());
        }
    }
    let evidence = outcome.evidence;
    let outcome = if !lacking.is_empty() {
        Outcome::fail(lacking.join("; "))
            .by_hand("Install the distribution's own kernel, or build this one with these options; remove the kernels that lack them")
    } else if !off.is_empty() {
        Outcome::warn(format!("with {} the IOMMU is off until ‘intel_iommu=on’ is set", off.join(", ")))
            .by_command(
                "Isolating a device adds the parameter where it is needed",
                "passthru isolate ADDRESS",
            )
    } else if known.is_empty() {
        Outcome::unknown("what the kernels were built with", &unknown.join("; "))
    } else {
        let rest =
            if unknown.is_empty() { String::new() } else { format!("; not known of {}", unknown.join("; ")) };
        Outcome::pass(format!("{} was built with what passthrough needs{rest}", known.join(", ")))
    };
    Outcome { evidence, ..outcome }
}

/// The options that this machine needs.
fn needed(facts: &HostFacts) -> Vec<&'static str> {
    let mut needed = vec!["VFIO_PCI", "KVM", "IRQ_REMAP"];
    if let Some(tables) = facts.iommu.tables.value() {
        needed.extend(tables.contains(&FirmwareTable::Dmar).then_some("INTEL_IOMMU"));
        needed.extend(tables.contains(&FirmwareTable::Ivrs).then_some("AMD_IOMMU"));
    }
    needed
}

/// Whether VT-d stays off unless a parameter says otherwise, and none does. A firmware that opted in may turn it on all the
/// same, so nothing is said where the kernel drives it.
fn needs_word(facts: &HostFacts, options: &KernelOptions) -> bool {
    let vtd = facts.iommu.tables.value().is_some_and(|tables| tables.contains(&FirmwareTable::Dmar));
    let told = facts
        .kernel
        .cmdline
        .value()
        .is_none_or(|text| CommandLine::new(text).items("intel_iommu").any(|item| item == "on"));
    let driven = facts.iommu.units.value().is_none_or(|units| !units.is_empty());
    let by_default = ["INTEL_IOMMU_DEFAULT_ON", "INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF"]
        .iter()
        .any(|name| options.is_on(name));
    vtd && !told && !driven && !by_default
}
