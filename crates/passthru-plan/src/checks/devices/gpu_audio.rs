//! The audio function of a guest's GPU.

use passthru_formats::config_space::{Seen, message_interrupts};
use passthru_model::HostFacts;
use passthru_model::finding::Verdict;

use super::subjects::{cards, judged, subjects};
use crate::checks::{Check, Outcome};

pub(super) const CHECK: Check = Check {
    id: "gpu-audio",
    title: "the audio function of a guest's GPU can signal by messages",
    section: "Slowed down audio pumped through HDMI on the video card",
    why: "sound through HDMI crackles where the function interrupts by a line that it shares; the guest can switch it to \
          messages (MSI), if it has them",
    run,
};

/// Base class and subclass of HD audio controllers.
const HD_AUDIO: u16 = 0x0403;

fn run(facts: &HostFacts) -> Outcome {
    let subjects = match subjects(facts) {
        Ok(subjects) => subjects,
        Err(outcome) => return outcome,
    };
    let mut remarks = Vec::new();
    let mut evidence = Vec::new();
    for display in subjects.displays() {
        let audio = cards(facts, &[display])
            .into_iter()
            .find(|function| function.class.base_and_sub() == HD_AUDIO && !function.parents.is_empty());
        let Some(audio) = audio else { continue };
        evidence.push((audio.attribute("config"), format!("{} bytes", audio.config.len())));
        remarks.push(match message_interrupts(&audio.config) {
            Seen::There(()) => (
                Verdict::Pass,
                format!("MSI is there in {}, which Windows may have to be told to use", audio.address),
            ),
            Seen::Absent => (
                Verdict::Warn,
                format!(
                    "{} has no MSI: its sound can crackle while another device shares its interrupt",
                    audio.address
                ),
            ),
            Seen::Unseen => (
                Verdict::Unknown,
                format!(
                    "whether there is MSI in {} is not known: the capabilities could not be read",
                    audio.address
                ),
            ),
        });
    }
    if remarks.is_empty() {
        return Outcome::skip("no GPU that a guest could have has an audio function");
    }
    let outcome = judged(&remarks).all_evidence(evidence);
    match outcome.verdict {
        Verdict::Warn => outcome.by_hand("Use another sound device in the guest if it crackles"),
        Verdict::Unknown => outcome.by_hand("Look as root, who may read all of configuration space"),
        _ => outcome,
    }
}
