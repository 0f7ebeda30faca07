//! Whether programs of the host still see a card that is for guests.

use passthru_model::HostFacts;

use crate::binding::meant_for_guests;
use crate::checks::remarks::Remarks;
use crate::checks::{Check, Outcome, count};

pub(super) const CHECK: Check = Check {
    id: "guest-card-nodes",
    title: "programs of the host see no card that is for guests",
    section: "Chromium ignores integrated graphics for acceleration",
    why: "browsers and games take the strongest card that they see; one on vfio-pci has no node in /dev/dri, so nobody opens it",
    run,
};

fn run(facts: &HostFacts) -> Outcome {
    if let Some(because) = facts.pci.because() {
        return Outcome::unknown("which cards there are", because);
    }
    let cards: Vec<_> =
        meant_for_guests(facts).into_iter().filter(|function| function.class.is_display()).collect();
    if cards.is_empty() {
        return Outcome::skip("no graphics card is meant for guests");
    }
    let Some(graphics) = facts.graphics.value() else {
        return Outcome::unknown("which cards have nodes", facts.graphics.because().unwrap_or_default());
    };
    let mut remarks = Remarks::default();
    for card in &cards {
        match graphics.cards.iter().find(|drm| drm.address == Some(card.address)) {
            Some(drm) => {
                let node = format!("/dev/dri/card{}", drm.number);
                remarks
                    .warn(format!(
                        "{} is meant for guests, and programs of the host can open it as {node}",
                        card.address
                    ))
                    .seen(format!("/sys/class/drm/card{}", drm.number), card.address.to_string())
                    .by_command(
                        "Have it bound to vfio-pci at boot",
                        format!("passthru isolate {}", card.address),
                    );
            }
            None => {
                remarks.seen("/sys/class/drm", format!("no node of {}", card.address));
            }
        }
    }
    remarks.outcome(format!("{} for guests without a node", count(cards.len(), "card")))
}
