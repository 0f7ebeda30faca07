//! Foretold groups against real ones: every difference, with what explains it.

use std::collections::{BTreeMap, BTreeSet};

use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::facts::Bootloader;
use schemars::JsonSchema;
use serde::Serialize;

use super::assume::Assumptions;
use super::quirks::QUIRKS;
use super::topology::Machine;
use super::{AcsOverride, Prediction, predict};

/// Functions that are grouped otherwise than foretold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// The functions, in order of address.
    pub functions: Vec<PciAddress>,
    /// Their real groups; a function that is in none is not listed.
    pub real: Vec<Vec<PciAddress>>,
    /// Their foretold groups.
    pub predicted: Vec<Vec<PciAddress>>,
    /// What explains it, in sentences; empty: nothing that is known.
    pub because: Vec<String>,
}

/// Groups, and which of them each function is in.
struct Sets {
    all: Vec<BTreeSet<PciAddress>>,
    index: BTreeMap<PciAddress, usize>,
}

impl FromIterator<BTreeSet<PciAddress>> for Sets {
    fn from_iter<I: IntoIterator<Item = BTreeSet<PciAddress>>>(sets: I) -> Self {
        let all: Vec<_> = sets.into_iter().collect();
        let places =
            (0..).zip(&all).flat_map(|(place, set)| set.iter().map(move |address| (*address, place)));
        Self { index: places.collect(), all }
    }
}

impl Sets {
    fn of(&self, address: PciAddress) -> Option<&BTreeSet<PciAddress>> {
        self.all.get(*self.index.get(&address)?)
    }

    /// Those that functions are in, in their order.
    fn of_all(&self, functions: &BTreeSet<PciAddress>) -> Vec<Vec<PciAddress>> {
        let places: BTreeSet<usize> =
            functions.iter().filter_map(|address| self.index.get(address).copied()).collect();
        let sets = places.into_iter().filter_map(|place| self.all.get(place));
        sets.map(|set| set.iter().copied().collect()).collect()
    }
}

/// The real groups as the functions' own links show them, which a list of groups only repeats; `None` where there are none.
fn real(facts: &HostFacts) -> Option<Sets> {
    let mut groups: BTreeMap<u32, BTreeSet<PciAddress>> = BTreeMap::new();
    for function in facts.functions() {
        if let Some(id) = function.group {
            groups.entry(id).or_default().insert(function.address);
        }
    }
    (!groups.is_empty()).then(|| groups.into_values().collect::<Sets>())
}

/// All differences; `None` where the host has no groups to compare with.
pub fn compare(facts: &HostFacts, prediction: &Prediction) -> Option<Vec<Difference>> {
    let real = real(facts)?;
    let foretold: Sets =
        prediction.groups.iter().map(|group| group.addresses().into_iter().collect()).collect();
    let mut open: BTreeSet<PciAddress> = facts
        .functions()
        .map(|function| function.address)
        .filter(|address| real.of(*address) != foretold.of(*address))
        .collect();
    let mut found = Vec::new();
    while let Some(first) = open.pop_first() {
        // All that hangs together by a group of either side is one difference.
        let mut functions = BTreeSet::from([first]);
        let mut waiting = vec![first];
        while let Some(address) = waiting.pop() {
            for set in [real.of(address), foretold.of(address)].into_iter().flatten() {
                waiting.extend(set.iter().copied().filter(|other| functions.insert(*other)));
            }
        }
        for function in &functions {
            open.remove(function);
        }
        let (real, predicted) = (real.of_all(&functions), foretold.of_all(&functions));
        let because = explain(facts, prediction, &functions, &real);
        found.push(Difference { functions: functions.into_iter().collect(), real, predicted, because });
    }
    Some(found)
}

fn explain(
    facts: &HostFacts,
    prediction: &Prediction,
    functions: &BTreeSet<PciAddress>,
    real: &[Vec<PciAddress>],
) -> Vec<String> {
    let mut because = Vec::new();
    let cmdline = facts.kernel.cmdline.value().map_or("", String::as_str);
    let word = |start: &str| cmdline.split_whitespace().find_map(|word| word.strip_prefix(start));
    let ungrouped: Vec<PciAddress> = functions
        .iter()
        .copied()
        .filter(|address| !real.iter().any(|group| group.contains(address)))
        .filter(|address| prediction.group_of(*address).is_some())
        .collect();
    if !ungrouped.is_empty() {
        because.push(without_group(facts, &ungrouped, cmdline));
    }
    if let Some(text) = word("pcie_acs_override=")
        && let Ok(acs_override) = text.parse::<AcsOverride>()
    {
        let assumptions = Assumptions { acs_override: Some(acs_override) };
        let with = predict(facts, &assumptions);
        if real.iter().all(|group| {
            group
                .first()
                .and_then(|first| with.group_of(*first))
                .is_some_and(|other| other.addresses() == *group)
        }) {
            because.push(format!(
                "the kernel was started with pcie_acs_override={text}, and is one that knows it"
            ));
        }
    }
    because.extend(by_reading(prediction, functions, real));
    because.extend(by_version(facts, functions));
    because
}

/// Functions that no IOMMU covers.
fn without_group(facts: &HostFacts, functions: &[PciAddress], cmdline: &str) -> String {
    let list = crate::groups::listed(functions);
    let graphics = functions.iter().all(|address| {
        facts.function(*address).is_some_and(|f| f.class.is_display() && f.id.vendor.0 == 0x8086)
    });
    let debian = matches!(facts.bootloader.value(), Some(Bootloader::Grub(grub)) if grub.drop_ins)
        || facts.surroundings.distribution.as_deref().is_some_and(|name| name.contains("Debian"));
    if graphics && (debian || cmdline.contains("intgpu_off") || cmdline.contains("igfx_off")) {
        return format!(
            "{list} has no group because this kernel leaves the processor's graphics to itself; intel_iommu=on changes that"
        );
    }
    format!("the kernel gave {list} no group: no IOMMU that the firmware describes covers it")
}

/// What could not be read leaves room, and the real groups are within it.
fn by_reading(
    prediction: &Prediction,
    functions: &BTreeSet<PciAddress>,
    real: &[Vec<PciAddress>],
) -> Option<String> {
    let groups: Vec<_> = functions.iter().filter_map(|address| prediction.group_of(*address)).collect();
    let open = groups.iter().any(|group| !group.certain);
    let best: BTreeMap<PciAddress, &Vec<PciAddress>> = groups
        .iter()
        .flat_map(|group| &group.at_best)
        .flat_map(|set| set.iter().map(move |address| (*address, set)))
        .collect();
    let within = real.iter().all(|group| {
        let foretold =
            group.first().and_then(|first| prediction.group_of(*first)).map(super::PredictedGroup::addresses);
        let not_larger = foretold.is_some_and(|all| group.iter().all(|address| all.contains(address)));
        let not_smaller = group
            .iter()
            .all(|address| best.get(address).is_none_or(|set| set.iter().all(|other| group.contains(other))));
        not_larger && not_smaller
    });
    (open && within).then(|| {
        format!(
            "not all could be read ({}), and what was foretold is the worst case",
            prediction.unseen.join("; ")
        )
    })
}

/// Quirks that the running kernel is too old for.
fn by_version(facts: &HostFacts, functions: &BTreeSet<PciAddress>) -> Vec<String> {
    let Some(release) = facts.kernel.release.value() else { return Vec::new() };
    let mut parts = release.split(['.', '-']).map_while(|part| part.parse::<u16>().ok());
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else { return Vec::new() };
    let mut found = BTreeSet::new();
    let machine = Machine::new(facts, &Assumptions::default());
    for node in functions.iter().filter_map(|address| machine.node(*address)) {
        let (id, kind) = (node.function.id, node.express());
        for quirk in
            QUIRKS.iter().filter(|quirk| quirk.is_for(id.vendor.0, id.device.0) && quirk.concerns(kind))
        {
            if let Some((since_major, since_minor)) = quirk.since.filter(|since| *since > (major, minor)) {
                found.insert(format!(
                    "the running kernel {release} may be too old to know {} (Linux {since_major}.{since_minor})",
                    quirk.name
                ));
            }
        }
    }
    found.into_iter().collect()
}
