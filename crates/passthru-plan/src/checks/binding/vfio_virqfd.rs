//! Whether the module vfio_virqfd, which is gone, is still named.

use passthru_model::HostFacts;
use passthru_model::kernel::ModuleState;

use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "vfio-virqfd",
    title: "no list names the module vfio_virqfd",
    section: "Using vfio-pci",
    why: "Linux 6.2 made vfio_virqfd a part of vfio; generators of the initramfs stop or complain at a module that is not there",
    run,
};

const MODULE: &str = "vfio_virqfd";

fn run(facts: &HostFacts) -> Outcome {
    let (initramfs, load) = (&facts.binding.initramfs, &facts.binding.modules_load);
    if let Some(because) = initramfs.because().or(load.because()) {
        return Outcome::unknown("which modules are named", because);
    }
    let lists = initramfs.value().into_iter().flatten().flat_map(|settings| &settings.modules);
    let named: Vec<_> =
        lists.chain(load.value().into_iter().flatten()).filter(|listed| listed.what == MODULE).collect();
    if named.is_empty() {
        return Outcome::pass("no list names vfio_virqfd").seen(initramfs);
    }
    let old = old_kernel(facts);
    let mut remarks = Remarks::default();
    for listed in named {
        let remark = format!("{} names {MODULE}", listed.place());
        match &old {
            // One kernel still has it; the lists are for all kernels alike.
            Some(release) => {
                remarks.warn(format!("{remark}, which only kernels before 6.2 such as {release} have"))
            }
            None => remarks.fail(format!("{remark}, which Linux has not had since 6.2")),
        }
        .seen(listed.place(), MODULE)
        .by_hand(format!("Take {MODULE} out of {}, and make the initramfs anew", listed.path));
    }
    remarks.outcome(String::new())
}

/// An installed kernel that is older than 6.2, by its release or because it has the module.
fn old_kernel(facts: &HostFacts) -> Option<String> {
    let installed = facts.kernel.installed.value().into_iter().flatten();
    let running = facts.kernel.release.value().into_iter().cloned();
    let has_it: Vec<String> = installed
        .filter(|kernel| {
            kernel.module(MODULE).is_some_and(|state| state != ModuleState::Absent) || is_old(&kernel.release)
        })
        .map(|kernel| kernel.release.clone())
        .collect();
    has_it.into_iter().chain(running.filter(|release| is_old(release))).next()
}

fn is_old(release: &str) -> bool {
    let mut parts = release.split(['.', '-']).map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < (6, 2),
        _ => false,
    }
}
