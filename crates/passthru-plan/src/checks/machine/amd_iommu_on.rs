//! Whether the command line has a parameter for AMD that never was one.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "amd-iommu-on",
    title: "no parameter stands in for a switch that AMD-Vi does not have",
    section: "Enabling IOMMU",
    why: "pages tell to set ‘amd_iommu=on’; the kernel knows no such value (it logs “Unknown option - 'on'”), and AMD-Vi is on by \
          itself wherever the firmware offers it",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(text) = facts.kernel.cmdline.value() else {
        return Outcome::unknown(
            "the kernel command line",
            facts.kernel.cmdline.because().unwrap_or_default(),
        );
    };
    if CommandLine::new(text).items("amd_iommu").any(|item| item == "on") {
        return Outcome::warn(
            "‘amd_iommu=on’ does nothing: the kernel knows no such value, and AMD-Vi is on by itself",
        )
        .seen(&facts.kernel.cmdline)
        .by_hand("Take it out of the boot loader's settings, so that it hides no real cause");
    }
    Outcome::pass("‘amd_iommu=on’ is not there").seen(&facts.kernel.cmdline)
}
