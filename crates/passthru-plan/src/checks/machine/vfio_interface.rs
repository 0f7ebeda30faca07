//! By which way guests can reach devices.

use passthru_model::HostFacts;
use passthru_model::kernel::ModuleState;

use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "vfio-interface",
    title: "the kernel has a way for guests to reach devices",
    section: "Prerequisites",
    why: "QEMU opens a device through a VFIO container, as ever, or through iommufd, which needs QEMU 9.0, libvirt 12.1 and a kernel \
          with VFIO_DEVICE_CDEV",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let fact = &facts.kernel.options;
    let Some(options) = fact.value() else {
        return by_modules(facts).unwrap_or_else(|| {
            Outcome::unknown("what the kernel was built with", fact.because().unwrap_or_default())
        });
    };
    let container = options.is_on("VFIO_IOMMU_TYPE1");
    let iommufd = options.is_on("IOMMUFD") && options.is_on("VFIO_DEVICE_CDEV");
    let seen = |outcome: Outcome| outcome.seen(fact);
    match (options.is_on("VFIO"), container, iommufd) {
        (false, ..) => seen(Outcome::fail("the running kernel was built without VFIO"))
            .by_hand("Boot the distribution's own kernel, or build one with VFIO and VFIO_PCI"),
        (true, true, true) => {
            seen(Outcome::pass("the kernel has both ways: the VFIO container, and iommufd (QEMU 9.0 and later)"))
        }
        (true, true, false) => seen(Outcome::pass("the kernel has the VFIO container; it has no iommufd, and guests do not need it")),
        (true, false, true) => seen(Outcome::warn(
            "the kernel has iommufd alone, which QEMU knows from 9.0 and libvirt from 12.1",
        ))
        .by_hand("See to it that QEMU is 9.0 or later, or boot a kernel with VFIO_CONTAINER"),
        (true, false, false) => seen(Outcome::fail(
            "the kernel has VFIO and neither of the ways to it: no VFIO_IOMMU_TYPE1, no IOMMUFD with VFIO_DEVICE_CDEV",
        ))
        .by_hand("Boot the distribution's own kernel, or build one with VFIO_CONTAINER"),
    }
}

/// What the modules of the running kernel tell where its options are not known: whether there is the container, but nothing of
/// iommufd, whose use for devices has no module of its own.
fn by_modules(facts: &HostFacts) -> Option<Outcome> {
    let release = facts.kernel.release.value()?;
    let kernel = facts.kernel.installed.value()?.iter().find(|kernel| &kernel.release == release)?;
    let there = |name| kernel.module(name).is_some_and(|state| state != ModuleState::Absent);
    there("vfio_iommu_type1").then(|| {
        Outcome::pass("the kernel has the VFIO container; whether it has iommufd too is not known")
            .seen(&kernel.modules)
    })
}
