//! Whether groups are the hardware's own, or what an override claims.

use std::collections::BTreeSet;

use passthru_formats::cmdline::CommandLine;
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;

use crate::checks::{Check, Outcome};
use crate::groups::listed;
use crate::predict::{AcsOverride, Assumptions, Prediction, predict};

pub(super) const CHECK: Check = Check {
    id: "acs-override",
    title: "the groups are the hardware's own",
    section: "Bypassing the IOMMU groups (ACS override patch)",
    why: "the override makes a patched kernel believe that devices are apart which are not: a guest can then reach other devices, and \
          through them the host, past the IOMMU; an unpatched kernel ignores it without a word",
    run,
};

/// Words in the releases of kernels that are often built with the patch.
const PATCHED: &[&str] = &["zen", "cachyos", "liquorix", "-pve", "xanmod", "-acs", "acso", "vfio"];

fn run(facts: &HostFacts) -> Outcome {
    let Some(text) = facts.kernel.cmdline.value() else {
        return Outcome::unknown(
            "the kernel command line",
            facts.kernel.cmdline.because().unwrap_or_default(),
        );
    };
    let Some(word) = CommandLine::new(text).value("pcie_acs_override") else {
        return Outcome::pass("no override is asked for: groups are as the hardware makes them")
            .seen(&facts.kernel.cmdline);
    };
    let token = format!("pcie_acs_override={word}");
    let outcome = match effect(facts, word) {
        Effect::Splits(apart) => Outcome::warn(format!(
            "‘{token}’ has split groups: {} can reach each other past the IOMMU all the same",
            listed(&apart)
        )),
        Effect::Nothing => Outcome::warn(format!(
            "‘{token}’ splits no group here: this kernel is not patched, or there is nothing to split"
        )),
        Effect::Unseen(why) => {
            Outcome::warn(format!("‘{token}’ is asked for, and whether it splits groups is not known: {why}"))
        }
    };
    let mut outcome = outcome.seen(&facts.kernel.cmdline);
    if let Some(release) = facts.kernel.release.value()
        && is_often_patched(release)
    {
        outcome = outcome
            .evidence("/proc/sys/kernel/osrelease", format!("{release}, of a kind that is often patched"));
    }
    outcome.by_hand(
        "Take it out of the boot loader's settings, unless its risk is accepted; another slot, a firmware update or a firmware option \
         named ACS part devices for real (‘passthru groups --why ADDRESS’ names slots)",
    )
}

/// Whether a kernel is of a kind that is often built with the patch, by its release.
pub(crate) fn is_often_patched(release: &str) -> bool {
    PATCHED.iter().any(|word| release.contains(word))
}

/// Whether the running kernel has split groups by the override, so that it must have the patch.
pub(crate) fn has_split(facts: &HostFacts) -> bool {
    let line = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let word = CommandLine::new(line).value("pcie_acs_override");
    word.is_some_and(|word| matches!(effect(facts, word), Effect::Splits(_)))
}

/// What the override does here.
enum Effect {
    /// These are in several groups, and would be in one.
    Splits(Vec<PciAddress>),
    /// The groups are as they would be without.
    Nothing,
    /// It cannot be told.
    Unseen(&'static str),
}

fn effect(facts: &HostFacts, word: &str) -> Effect {
    if facts.iommu.groups.value().is_none_or(std::collections::BTreeMap::is_empty) {
        return Effect::Unseen("there are no groups");
    }
    if word.parse::<AcsOverride>().is_err() {
        return Effect::Unseen("its words are not those of the patch");
    }
    let own = predict(facts, &Assumptions::default());
    // A group that the hardware would make for certain, and whose members are in several now, has been split.
    let split = own.groups.iter().filter(|group| group.certain).find(|group| {
        let real: BTreeSet<_> =
            group.addresses().iter().filter_map(|at| facts.function(*at)?.group).collect();
        real.len() > 1
    });
    match split {
        Some(group) => Effect::Splits(group.addresses()),
        None if is_certain(&own) => Effect::Nothing,
        None => Effect::Unseen("not all of configuration space could be read"),
    }
}

fn is_certain(prediction: &Prediction) -> bool {
    prediction.groups.iter().all(|group| group.certain)
}
