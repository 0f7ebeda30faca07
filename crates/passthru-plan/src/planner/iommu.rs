//! What has to be done for the IOMMU to be on at the next boot.

use std::collections::BTreeSet;

use passthru_formats::cmdline::{self, Change, CommandLine, Parameter};
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::iommu::FirmwareTable;

use super::Reason;
use super::loader::{BootLoader, Passed};

/// The parameter that turns Intel's IOMMU on.
pub(crate) const INTEL_ON: &str = "intel_iommu=on";

/// What the kernel command line needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// Words to take out of the settings, as they are written there.
    pub(crate) remove: Vec<String>,
    /// Words to take out whole, as they are written there: what others have set up.
    pub(crate) words: Vec<String>,
    /// The word to add.
    pub(crate) add: Option<&'static str>,
    /// The words to add for what else the intent has the kernel told, in order.
    pub(crate) set: Vec<String>,
    /// Words that we added for that to files which are not ours, and that go.
    pub(crate) gone: Vec<String>,
    /// What the reader should know.
    pub(crate) notes: Vec<String>,
}

impl Parameters {
    /// The same as changes of single words, for command lines that stand on a line of their own.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for word in &self.remove {
            match (cmdline::without_item(word, "off"), Parameter::new(word)) {
                (Some(shorter), Ok(old)) => {
                    changes.extend(Parameter::new(&shorter).ok().map(|new| Change::Replace { old, new }));
                }
                (None, Ok(old)) => changes.push(Change::Remove(old)),
                (_, Err(_)) => {}
            }
        }
        let one = |word: &str| Parameter::new(word).ok();
        let words = self.words.iter().chain(&self.gone);
        changes.extend(words.filter_map(|word| one(word)).map(Change::Remove));
        changes.extend(self.added().filter_map(one).map(Change::Add));
        changes
    }

    /// All words to add, in order.
    pub(crate) fn added(&self) -> impl Iterator<Item = &str> {
        self.add.into_iter().chain(self.set.iter().map(String::as_str))
    }
}

/// The words of a command line that turn the IOMMU off, with the item that does.
pub(crate) fn off_words(line: &str) -> Vec<String> {
    let turns_off = |name: &str| {
        ["intel_iommu", "amd_iommu", "iommu"]
            .iter()
            .any(|one| passthru_formats::cmdline::same_name(name, one))
    };
    CommandLine::new(line)
        .parameters()
        .filter(|word| {
            turns_off(word.name())
                && word.value().is_some_and(|value| value.split(',').any(|item| item == "off"))
        })
        .map(|word| word.text().to_owned())
        .collect()
}

/// Judges what is needed for `targets` to have an IOMMU group after the next boot.
pub(crate) fn needs(
    facts: &HostFacts,
    targets: &[PciAddress],
    loader: &dyn BootLoader,
    reasons: &mut Vec<Reason>,
) -> Parameters {
    let running = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    let mut needed = Parameters { remove: loader.off_words(&off_words(running)), ..Parameters::default() };
    let mut pending = !needed.remove.is_empty();
    for word in off_words(running) {
        if needed.remove.contains(&word) {
            continue;
        }
        match loader.passed(facts, &word) {
            Passed::Never => {
                needed.notes.push(format!(
                    "‘{word}’ is on the running command line and in no setting: it was typed for this boot, or its \
                     removal waits for the next boot"
                ));
            }
            Passed::BySettings => {}
            passed @ (Passed::ByOthers | Passed::Unknown) => reasons.push(Reason::ParameterElsewhere {
                token: word,
                looked: loader.paths(),
                elsewhere: loader.elsewhere(passed),
            }),
        }
        pending = true;
    }
    let grouped =
        |address: &PciAddress| facts.function(*address).is_some_and(|function| function.group.is_some());
    let covered = targets.iter().all(grouped);
    if covered && !pending {
        if loader.has_ours(INTEL_ON) {
            needed.add = Some(INTEL_ON);
        }
        return needed;
    }
    let none = BTreeSet::new();
    let tables = match &facts.iommu.tables {
        passthru_model::Fact::Known(tables, _) => tables,
        passthru_model::Fact::Unknown(because) if !covered => {
            reasons.push(super::select::unknown(facts, "whether the firmware offers an IOMMU", because));
            return needed;
        }
        passthru_model::Fact::Unknown(_) => &none,
    };
    let units = facts.iommu.units.value().is_some_and(|units| !units.is_empty());
    let told_on = CommandLine::new(running).items("intel_iommu").any(|item| item == "on");
    if tables.contains(&FirmwareTable::Dmar) {
        // An ‘off’ that goes, or a kernel whose default is off: the parameter settles both, and does no harm elsewhere.
        if !loader.has_elsewhere(INTEL_ON) {
            needed.add = Some(INTEL_ON);
        }
        if !covered && !pending && told_on {
            needed.add = loader.has_ours(INTEL_ON).then_some(INTEL_ON);
            if units {
                reasons.extend(
                    targets.iter().filter(|one| !grouped(one)).map(|one| Reason::NoGroup { address: *one }),
                );
            } else {
                reasons.push(Reason::IommuNotDriven { table: "DMAR", hint: "DMAR:" });
            }
        }
    } else if covered || pending {
        if tables.is_empty() && !covered {
            reasons.push(no_iommu(facts));
        }
    } else if units {
        reasons
            .extend(targets.iter().filter(|one| !grouped(one)).map(|one| Reason::NoGroup { address: *one }));
    } else if let Some(table) = tables.first() {
        let hint = if *table == FirmwareTable::Ivrs { "AMD-Vi:" } else { "iommu:" };
        reasons.push(Reason::IommuNotDriven { table: table.signature(), hint });
    } else {
        reasons.push(no_iommu(facts));
    }
    if !covered {
        needed.notes.push(
            "the IOMMU is off now, so which devices share a group is not known yet; after the reboot `passthru verify` checks it, \
             and a device without a group stays with the host"
                .to_owned(),
        );
    }
    needed
}

fn no_iommu(facts: &HostFacts) -> Reason {
    let surroundings = match (&facts.surroundings.container, &facts.surroundings.hypervisor) {
        (Some(container), _) => {
            format!("; this runs in a container ({container}), so look on the machine itself")
        }
        (None, Some(hypervisor)) => {
            format!(
                "; this is a virtual machine ({hypervisor}), which has an IOMMU only if it was given a virtual one"
            )
        }
        (None, None) => String::new(),
    };
    Reason::NoIommu { surroundings }
}
