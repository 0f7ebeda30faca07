//! Whether the firmware started the host by UEFI.

use passthru_model::HostFacts;
use passthru_model::firmware::Start;

use crate::checks::{Check, Outcome, displays};

pub(super) const CHECK: Check = Check {
    id: "uefi-boot",
    title: "the firmware started this host by UEFI",
    section: "Prerequisites",
    why: "started the old way (BIOS, or CSM on a UEFI board), the firmware runs the legacy part of the first graphics card's ROM, \
          and what can be read of that ROM is then a copy that it has changed",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    let (start, board) = (&facts.firmware.start, &facts.firmware.board);
    match start.value() {
        Some(Start::Uefi) => Outcome::pass("the firmware started this host by UEFI").seen(start).seen(board),
        Some(Start::Bios) if facts.pci.value().is_some() && displays(facts).is_empty() => {
            Outcome::skip("the firmware started this host the old way, and there is no display device that it would matter for")
                .seen(start)
        }
        Some(Start::Bios) => Outcome::warn("the firmware started this host the old way, as a BIOS does")
            .seen(start)
            .seen(board)
            .by_hand(
                "Where the board has UEFI and the system can be started by it: turn off CSM (legacy boot) in the firmware setup. \
                 Else give the guest a ROM file for the card that shows the host's first picture",
            ),
        None => Outcome::unknown("how the firmware started this host", start.because().unwrap_or_default()),
    }
}
