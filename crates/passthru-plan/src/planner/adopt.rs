//! Taking over what other tools and hands have set up: their lines, files and words go, in the same plan that puts ours there.

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::intent::Intent;
use passthru_model::plan::{Action, Effect, FileState, Step};

use super::loader::BootLoader;
use crate::groups::listed;
use crate::leftovers::{Removal, leftovers, taken_by_others, without};

/// What is taken over.
#[derive(Clone, Debug, Default)]
pub(super) struct Adopted {
    /// The words that go from the settings of the boot loader.
    pub(super) words: Vec<String>,
    /// The steps on files that are not the boot loader's.
    pub(super) steps: Vec<Step>,
}

impl Adopted {
    /// Everything that can be edited for certain; what cannot is noted.
    pub(super) fn of(
        facts: &HostFacts,
        loader: &dyn BootLoader,
        wanted: &Intent,
        notes: &mut Vec<String>,
    ) -> Self {
        let found = leftovers(facts);
        let (changes, words) = without(facts, &found);
        let (words, typed): (Vec<String>, Vec<String>) =
            words.into_iter().partition(|word| loader.has_elsewhere(word));
        let stays = found.iter().filter(|one| match &one.removal {
            Removal::Line { path, .. } | Removal::File(path) => !changes.contains_key(path),
            Removal::Parameter(word) => typed.contains(word),
        });
        for one in stays {
            notes.push(format!(
                "{} {} (‘{}’), and that stays: it is in no file that passthru edits; take it out by hand",
                one.place, one.does, one.text
            ));
        }
        let given_back: Vec<PciAddress> =
            taken_by_others(facts).into_iter().filter(|address| !wanted.isolates(*address)).collect();
        if !given_back.is_empty() {
            notes.push(format!(
                "{} went to vfio-pci by other means so far, and will be the host's again: name them too if guests are to have them",
                listed(&given_back)
            ));
        }
        let steps = changes.into_iter().map(|(path, (before, after))| step(path, before, after)).collect();
        Self { words, steps }
    }
}

fn step(path: String, before: FileState, after: FileState) -> Step {
    let name = path.trim_start_matches("/etc/").replace('/', "-");
    let what = if after == FileState::Absent {
        "remove what another tool or a hand set up for guests, as the intent has it now"
    } else {
        "take out the lines by which another tool or a hand set up devices for guests"
    };
    Step {
        id: format!("adopt-{name}"),
        what: what.to_owned(),
        why: "two ways to take a device act beside each other; `passthru undo` brings this one back"
            .to_owned(),
        effect: Effect::Initramfs,
        action: Action::File { path, before, after },
    }
}
