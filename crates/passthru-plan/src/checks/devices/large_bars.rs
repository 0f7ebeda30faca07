//! Whether the BARs of a guest's GPU have addresses, and of which size.

use passthru_formats::config_space::{memory_bars, resizable_bars};
use passthru_model::HostFacts;
use passthru_model::finding::Verdict;
use passthru_model::pci::{PciFunction, Resource};

use super::subjects::{judged, subjects};
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "large-bars",
    title: "the BARs of a guest's GPU have addresses and a size that guests can do with",
    section: "\"BAR 3: cannot reserve [mem]\" error in dmesg after starting VM",
    why: "large BARs need addresses above 4 GiB, which the firmware gives out only with “Above 4G decoding”; a resized BAR keeps \
          its size in the guest, where some drivers and firmwares do not get along with it",
    run,
};

/// The range got no address (`IORESOURCE_UNSET`, `include/linux/ioport.h`).
const UNSET: u64 = 0x2000_0000;
/// The range may be read ahead (`IORESOURCE_PREFETCH`), as those with a GPU's memory may.
const PREFETCH: u64 = 0x2000;
const GIB: u64 = 1 << 30;
/// A BAR from this size on is one that was resized (Resizable BAR, Smart Access Memory).
const LARGE: u64 = 4 * GIB;
/// AMD's GPUs, of which black screens with resized BARs are reported (PRACTICE 8.7).
const ATI: u16 = 0x1002;

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let mut remarks = Vec::new();
    let mut evidence = Vec::new();
    for function in subjects.displays() {
        if let Some(why) = function.gaps.get("resource") {
            remarks
                .push((Verdict::Unknown, format!("the BARs are not known of {}: {why}", function.address)));
            continue;
        }
        let bars: Vec<&Resource> =
            function.resources.iter().filter(|range| range.index < 6 && range.is_memory()).collect();
        if bars.is_empty() {
            remarks.push((Verdict::Unknown, format!("the BARs are not known of {}", function.address)));
            continue;
        }
        let sizes: Vec<String> =
            bars.iter().map(|range| format!("BAR {} {}", range.index, size(range.size()))).collect();
        evidence.push((function.attribute("resource"), sizes.join(", ")));
        remarks.push(of_bars(facts, function, &bars, subjects.worse()));
    }
    if remarks.is_empty() {
        return Outcome::skip("no display is chosen for guests");
    }
    let outcome = judged(&remarks).all_evidence(evidence);
    if outcome.verdict > Verdict::Unknown {
        return outcome.by_hand(
            "Switch “Above 4G decoding” on in the firmware's setup where a BAR has no address; switch “Resizable BAR” off where \
             guests stay black, or write a smaller size into resourceN_resize before vfio-pci takes the device",
        );
    }
    outcome
}

fn of_bars(
    facts: &HostFacts,
    function: &PciFunction,
    bars: &[&Resource],
    worse: Verdict,
) -> (Verdict, String) {
    let at = function.address;
    // A range without an address begins at 0 and keeps its size.
    let unset = |range: &&&Resource| range.flags & UNSET != 0 || (range.start == 0 && range.end > 0);
    if let Some(range) = bars.iter().find(unset) {
        return (worse, format!("BAR {} of {at} ({}) has no address", range.index, size(range.size())));
    }
    if let Some(index) = forgotten(function) {
        return (worse, format!("BAR {index} of {at} has no address: the kernel found no room for it"));
    }
    let Some(largest) = bars.iter().max_by_key(|range| (range.flags & PREFETCH != 0, range.size())) else {
        return (Verdict::Unknown, format!("the BARs are not known of {at}"));
    };
    let bytes = largest.size();
    if bytes >= LARGE && function.id.vendor.0 == ATI {
        return (
            Verdict::Warn,
            format!(
                "BAR {} of {at} is resized to {}; with AMD's GPUs guests stay black with that now and then",
                largest.index,
                size(bytes)
            ),
        );
    }
    if bytes >= LARGE {
        return (
            Verdict::Pass,
            format!("BAR {} of {at} is resized to {}, and stays so in a guest", largest.index, size(bytes)),
        );
    }
    let could = could_be(facts, function, largest.index).filter(|most| *most > bytes);
    let more = could.map_or_else(String::new, |most| {
        format!(" and could be {}, which only the host can choose before a guest starts", size(most))
    });
    (Verdict::Pass, format!("BAR {} of {at} is {}{more}", largest.index, size(bytes)))
}

/// A BAR that the function has and the kernel has no range of: where no address could be found, kernels forget the range with
/// its size (`reset_resource` in `drivers/pci/setup-bus.c`, 6.12), and only the function's register still tells of it.
fn forgotten(function: &PciFunction) -> Option<u8> {
    let kept = |index: u8| function.resources.iter().any(|range| range.index == index);
    memory_bars(&function.config).there()?.iter().map(|bar| bar.index).find(|index| !kept(*index))
}

/// The largest size that a BAR can have, by configuration space or by the kernel's file.
fn could_be(facts: &HostFacts, function: &PciFunction, index: u8) -> Option<u64> {
    let own = resizable_bars(&function.config).there();
    let own = own
        .and_then(|bars| bars.iter().find(|bar| bar.bar == index).and_then(|bar| bar.all().last().copied()));
    own.or_else(|| {
        let state = facts.device_states.value()?.get(&function.address)?;
        state.resizable.iter().find(|bar| bar.index == index)?.largest()
    })
}

/// A size as people say it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes >= GIB && bytes.is_multiple_of(GIB) => format!("{} GiB", bytes / GIB),
        _ if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}
