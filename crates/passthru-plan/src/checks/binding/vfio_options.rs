//! Whether the settings of vfio-pci are read by anybody.

use passthru_model::HostFacts;
use passthru_model::kernel::ModuleState;

use crate::binding::ids;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "vfio-options",
    title: "the settings of vfio-pci take effect",
    section: "Using vfio-pci",
    why: "a line that is commented out, stands in a file that nobody reads, or is said twice does less than it seems to",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(settings) = facts.binding.modprobe.value() else {
        return Outcome::unknown(
            "what modprobe is told",
            facts.binding.modprobe.because().unwrap_or_default(),
        );
    };
    let all = ids(facts, "vfio_pci");
    let mut remarks = Remarks::default();
    for setting in &all {
        remarks.seen(&setting.place, format!("ids={}", setting.value));
    }
    if all.is_empty()
        && let Some(commented) = settings.commented.first()
    {
        remarks
            .warn(format!("the only settings of vfio-pci are commented out ({})", commented.place()))
            .seen(commented.place(), format!("# {}", commented.what))
            .by_hand("Take the # away if they are to hold");
    }
    let in_files: Vec<_> = all.iter().filter(|setting| !setting.on_cmdline).collect();
    if let [.., before, last] = in_files.as_slice() {
        remarks
            .warn(format!(
                "ids are set at {} and again at {}, and only the last one counts",
                before.place, last.place
            ))
            .by_hand("Write all ids into one line, with commas");
    }
    if let (Some(file), Some(line)) = (in_files.last(), all.iter().find(|setting| setting.on_cmdline))
        && file.value != line.value
    {
        remarks
            .warn(format!("the ids on the kernel command line replace those of {}", file.place))
            .by_hand("Keep the ids in one place");
    }
    if let Some(file) = in_files.first() {
        let built_in = built_in(facts);
        if !built_in.is_empty() {
            remarks
                .fail(format!(
                    "vfio-pci is compiled into {}, which does not read {}",
                    built_in.join(", "),
                    file.place
                ))
                .by_hand(format!("Put vfio-pci.ids={} on the kernel command line", file.value));
        }
    }
    for path in &settings.passed_over {
        remarks
            .warn(format!("{path} speaks of vfio-pci, and modprobe reads only names that end in .conf"))
            .seen(path.clone(), "not read")
            .by_hand(format!("Rename it to {path}.conf"));
    }
    for said in settings.misunderstood.iter().filter(|said| said.what.contains("vfio")) {
        remarks
            .warn(format!("modprobe does not understand {}", said.place()))
            .seen(said.place(), said.what.clone())
            .by_hand("A line is ‘options vfio-pci ids=…’; see modprobe.d(5)");
    }
    for (hidden, by) in settings.hidden.iter().filter(|(hidden, _)| hidden.contains("vfio")) {
        remarks
            .warn(format!("{hidden} is not read: {by} has the same name and counts more"))
            .by_hand("Give one of them another name");
    }
    if all.is_empty() {
        let nothing = "vfio-pci is given no settings of its own";
        return match remarks.outcome(nothing) {
            outcome if outcome.summary == nothing => Outcome::skip(nothing).seen(&facts.binding.modprobe),
            outcome => outcome,
        };
    }
    remarks.outcome("what vfio-pci is told stands in one place that is read")
}

/// The installed kernels in which vfio-pci is compiled in.
fn built_in(facts: &HostFacts) -> Vec<&str> {
    let kernels = facts.kernel.installed.value().into_iter().flatten();
    kernels
        .filter(|kernel| kernel.module("vfio_pci") == Some(ModuleState::BuiltIn))
        .map(|kernel| kernel.release.as_str())
        .collect()
}
