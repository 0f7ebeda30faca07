//! Whether what the firmware left on the screen sits in a BAR that a guest is to have.

use passthru_model::HostFacts;
use passthru_model::finding::Verdict;
use passthru_model::io_memory::is_boot_framebuffer;
use passthru_model::pci::PciFunction;

use super::subjects::{judged, subjects};
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "boot-framebuffer",
    title: "no framebuffer of the firmware sits on a guest's GPU",
    section: "\"BAR 3: cannot reserve [mem]\" error in dmesg after starting VM",
    why: "the kernel keeps drawing into the framebuffer that the firmware set up; while it does, a guest cannot have the \
          range of addresses it is in (“BAR: can't reserve”)",
    run,
};

/// Since this Linux, vfio-pci takes the framebuffer away from a VGA device that it binds (`vfio_pci_core_register_device`).
const EVICTS_SINCE: (u32, u32) = (6, 0);
/// The class of VGA devices; only of these does vfio-pci take the framebuffer away (`vfio_pci_is_vga`).
const VGA: u16 = 0x0300;

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let displays: Vec<&PciFunction> = subjects.displays().collect();
    if displays.is_empty() {
        return Outcome::skip("no display is chosen for guests");
    }
    let Some(map) = facts.io_memory.value() else {
        return without_map(facts);
    };
    let mut remarks = Vec::new();
    let mut outcome_evidence = Vec::new();
    for function in &displays {
        let bars = function.resources.iter().filter(|range| range.index < 6 && range.is_memory());
        let found = bars
            .flat_map(|range| map.inside(range.start, range.end).map(move |inside| (range.index, inside)))
            .find(|(_, inside)| is_boot_framebuffer(&inside.name));
        let Some((bar, inside)) = found else {
            let text = format!("no framebuffer of the firmware is in a BAR of {}", function.address);
            remarks.push((Verdict::Pass, text));
            continue;
        };
        outcome_evidence.push(format!("{:x}-{:x} : {}", inside.start, inside.end, inside.name));
        let what =
            format!("the firmware's framebuffer ({}) is in BAR {bar} of {}", inside.name, function.address);
        remarks.push(of_found(facts, function, &what, subjects.worse()));
    }
    let mut outcome = judged(&remarks);
    for line in outcome_evidence {
        outcome = outcome.evidence("/proc/iomem", line);
    }
    if outcome.verdict > Verdict::Pass {
        return outcome.by_hand(
            "Make another GPU the primary one in the firmware's setup. Else unbind the framebuffer before a guest is \
             started: write the name of the *-framebuffer.0 device to the file unbind of its driver in \
             /sys/bus/platform/drivers",
        );
    }
    outcome
}

fn of_found(facts: &HostFacts, function: &PciFunction, what: &str, worse: Verdict) -> (Verdict, String) {
    if function.class.base_and_sub() != VGA {
        let text =
            format!("{what}; vfio-pci leaves it there, since the device is of class {}", function.class);
        return (worse, text);
    }
    if function.is_on_vfio() {
        return (worse, format!("{what} although vfio-pci has the device"));
    }
    match facts.kernel.release.value().and_then(|release| version(release)) {
        Some(version) if version >= EVICTS_SINCE => {
            (Verdict::Pass, format!("{what}; vfio-pci takes it away when it binds the device"))
        }
        Some((major, minor)) => (
            Verdict::Warn,
            format!("{what}, and vfio-pci of Linux {major}.{minor} does not take it away (6.0 and later do)"),
        ),
        None => (
            Verdict::Warn,
            format!("{what}, and whether vfio-pci takes it away depends on the kernel (6.0 and later do)"),
        ),
    }
}

/// Without root: where nothing of the firmware is left to draw on, there is nothing to find.
fn without_map(facts: &HostFacts) -> Outcome {
    let because = facts.io_memory.because().unwrap_or_default();
    match facts.graphics.value() {
        Some(graphics)
            if graphics.firmware_screens.is_empty()
                && !graphics
                    .framebuffers
                    .iter()
                    .any(passthru_model::graphics::Framebuffer::is_of_firmware)
                && graphics.gaps.is_empty()
                && !graphics.cards.is_empty() =>
        {
            Outcome::pass("nothing draws into a framebuffer of the firmware").seen(&facts.graphics)
        }
        _ => Outcome::unknown("who sits in the BARs of displays", because),
    }
}

/// The first two numbers of a release.
pub(crate) fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
