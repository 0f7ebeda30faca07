//! Whether the integrated graphics is kept out of the IOMMU, as old advice for its sound has it.

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;

use crate::binding::meant_for_guests;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "integrated-graphics",
    title: "the integrated graphics is not kept out of the IOMMU without need",
    section: "No HDMI audio output on host when intel_iommu is enabled",
    why: "intel_iommu=igfx_off was for the sound of old graphics; the graphics then has no group, and cannot be given to a guest",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let Some(text) = facts.kernel.cmdline.value() else {
        return Outcome::unknown(
            "the kernel command line",
            facts.kernel.cmdline.because().unwrap_or_default(),
        );
    };
    if facts.cpu.vendor.value().is_some_and(|vendor| vendor != "GenuineIntel") {
        return Outcome::skip("the processor is not Intel's");
    }
    let mut remarks = Remarks::default();
    let off =
        CommandLine::new(text).items("intel_iommu").any(|item| matches!(item, "igfx_off" | "intgpu_off"));
    remarks.seen("/proc/cmdline", if off { "intel_iommu=igfx_off" } else { "no igfx_off" });
    if off {
        let wanted = meant_for_guests(facts).into_iter().any(|function| {
            function.class.is_display() && function.id.vendor.0 == 0x8086 && function.address.bus() == 0
        });
        if wanted {
            remarks
                .fail("igfx_off keeps the integrated graphics without a group, and it is meant for a guest")
        } else {
            remarks.warn("igfx_off is a last resort for the sound of old integrated graphics")
        }
        .by_hand("Remove igfx_off; where the sound then fails, iommu=pt is the better cure");
    }
    remarks.outcome("no parameter keeps the integrated graphics out of the IOMMU")
}
