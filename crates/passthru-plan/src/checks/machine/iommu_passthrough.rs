//! Whether the host's own devices go untranslated.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "iommu-passthrough",
    title: "the host's own devices are kept to their own memory",
    section: "Enabling IOMMU",
    why: "‘iommu=pt’ is handed on as needed for passthrough and is not: a guest's device is translated with it and without it. \
          It only lets the host's own devices reach all memory, for speed",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let groups = &facts.iommu.groups;
    let Some(text) = facts.kernel.cmdline.value() else {
        return Outcome::unknown(
            "the kernel command line",
            facts.kernel.cmdline.because().unwrap_or_default(),
        );
    };
    if groups.value().is_some_and(std::collections::BTreeMap::is_empty) {
        return Outcome::skip("the IOMMU is off");
    }
    let line = CommandLine::new(text);
    let asked = line.items("iommu").any(|item| item == "pt")
        || line.value("iommu.passthrough").is_some_and(|value| matches!(value, "1" | "y" | "Y" | "on"));
    let encrypted = line.value("mem_encrypt") == Some("on");
    let identity = groups.value().map_or(0, |groups| {
        groups.values().filter(|group| group.kind.as_deref() == Some("identity")).count()
    });
    if asked && encrypted {
        return Outcome::warn(
            "‘iommu=pt’ does not go with memory encryption: the kernel translates the host's devices all the same",
        )
        .seen(&facts.kernel.cmdline)
        .by_hand("Take ‘iommu=pt’ out of the boot loader's settings");
    }
    // Before Linux 5.11 groups do not say how they are translated; then the kernel's own default decides.
    let told = groups.value().is_some_and(|groups| groups.values().any(|group| group.kind.is_some()));
    let default = facts.kernel.options.value().map(|options| options.is_on("IOMMU_DEFAULT_PASSTHROUGH"));
    if asked || identity > 0 || (!told && default == Some(true)) {
        let what = if asked { "‘iommu=pt’ is set" } else { "this kernel does so by default" };
        let of = if identity > 0 {
            format!(" ({} untranslated)", count(identity, "group"))
        } else {
            String::new()
        };
        let mut outcome = Outcome::warn(format!(
            "{what}: the host's own devices may reach all memory{of}; guests have no use for it"
        ))
        .seen(&facts.kernel.cmdline);
        if let Some((id, _)) = groups
            .value()
            .and_then(|groups| groups.iter().find(|(_, group)| group.kind.as_deref() == Some("identity")))
        {
            outcome = outcome.evidence(format!("/sys/kernel/iommu_groups/{id}/type"), "identity");
        }
        return outcome.by_hand(
            "Nothing, if the host's devices are to be as fast as can be. To have them kept to their own memory, take ‘iommu=pt’ out \
             of the boot loader's settings",
        );
    }
    if let Some(because) = groups.because() {
        return Outcome::unknown("whether the host's own devices are translated", because)
            .seen(&facts.kernel.cmdline);
    }
    if !told && default.is_none() {
        return Outcome::pass("no parameter asks for the host's own devices to go untranslated")
            .seen(&facts.kernel.cmdline);
    }
    Outcome::pass("the host's own devices are translated as well").seen(&facts.kernel.cmdline).seen(groups)
}
