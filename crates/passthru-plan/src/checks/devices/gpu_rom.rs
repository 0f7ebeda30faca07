//! Whether a guest's GPU shows a ROM of its own.

use passthru_model::HostFacts;
use passthru_model::facts::HostKind;
use passthru_model::finding::Verdict;
use passthru_model::pci::PciFunction;

use super::subjects::{judged, subjects};
use crate::checks::{Check, Outcome};
use crate::rom;

pub(super) const CHECK: Check = Check {
    id: "gpu-rom",
    title: "the ROM of a guest's GPU is the card's own",
    section: "UEFI (OVMF) Compatability in VBIOS",
    why: "OVMF draws with the driver in the card's ROM; of the GPU that the machine boots on, the host sees a copy that the \
          firmware may have changed, and a GPU in the processor has none",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let mut remarks = Vec::new();
    let mut evidence = Vec::new();
    // A copy of /sys seldom holds ROMs; the range that a ROM has among a function's addresses tells of it all the same.
    let has_range =
        |function: &PciFunction| function.resources.iter().any(|range| range.index == rom::ROM_INDEX);
    let are_told = facts.surroundings.kind == HostKind::Live || facts.functions().any(|one| one.has_rom);
    for function in subjects.displays() {
        let has_rom = function.has_rom || has_range(function);
        let at = function.address;
        let path = function.attribute("rom");
        if let Some(why) = function.gaps.get("rom") {
            remarks.push((Verdict::Unknown, format!("whether a ROM is shown by {at} is not known: {why}")));
        } else if !has_rom && function.physical_function.is_some() {
            remarks.push((
                Verdict::Pass,
                format!("{at} is a virtual function, which has no ROM and shows no picture"),
            ));
        } else if !has_rom && !are_told {
            remarks.push((
                Verdict::Unknown,
                format!("whether a ROM is shown by {at} is not known: this copy of /sys holds none"),
            ));
        } else if !has_rom {
            evidence.push((path, "is not there".to_owned()));
            remarks.push((
                Verdict::Warn,
                format!("no ROM is shown by {at}: OVMF draws there only with one in a file, before the guest's driver is loaded"),
            ));
        } else if rom::is_shadow(function, None) {
            evidence.push((path, "the copy at c0000".to_owned()));
            remarks.push((
                Verdict::Warn,
                format!("what {at} shows is the firmware's copy of the ROM; give the guest the card's own in a file"),
            ));
        } else {
            evidence.push((path, "is there".to_owned()));
            remarks.push((
                Verdict::Pass,
                format!("{at} shows a ROM of its own (‘passthru rom check {at}’ says what is in it)"),
            ));
        }
    }
    if remarks.is_empty() {
        return Outcome::skip("no display is chosen for guests");
    }
    let outcome = judged(&remarks).all_evidence(evidence);
    if outcome.verdict == Verdict::Warn {
        return outcome.by_hand(
            "Make another GPU the primary one in the firmware's setup and read the ROM with ‘passthru rom dump’, or get it from \
             the maker's firmware update; ‘passthru rom check FILE --device ADDRESS’ judges it",
        );
    }
    outcome
}
