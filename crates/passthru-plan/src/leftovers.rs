//! What other tools and hands have set up to keep devices from the host's drivers: found once, for the check that names it, for
//! the notes of a plan, and for the plan that takes it into the intent.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::cmdline::CommandLine;
use passthru_formats::modules::canonical;
use passthru_model::address::PciAddress;
use passthru_model::binding::{ModprobeCommand, Said};
use passthru_model::pci::is_vfio_driver;
use passthru_model::plan::FileState;
use passthru_model::{HostFacts, managed};

use crate::binding::{BLACKLIST_PARAMETERS, blacklisted, claimants, effective_ids, ids, taken};
use crate::planner::{MARK, effective_parameters};

/// Where driverctl keeps its overrides.
const DRIVERCTL: &str = "/etc/driverctl.d/pci-";
/// Where initramfs-tools has scripts that run ahead of udev.
const INIT_TOP: &str = "/etc/initramfs-tools/scripts/init-top/";

/// One thing that was set up elsewhere than by passthru.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Where: `FILE:LINE`, a file, or `/proc/cmdline`.
    pub place: String,
    /// What stands there, shortened to what matters.
    pub text: String,
    /// What it does, as the rest of a sentence that begins with the place.
    pub does: String,
    /// How it is taken out.
    pub(crate) removal: Removal,
}

/// How a leftover is taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The command that begins on a line of a file of modprobe.d becomes another, or goes.
    Line {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What stands there afterwards; `None`: nothing.
        instead: Option<String>,
    },
    /// The file goes.
    File(String),
    /// The word goes from what kernel parameters are made from.
    Parameter(String),
}

/// Everything that was set up by others for functions to go to vfio-pci or pci-stub, or to be kept from their drivers.
///
/// A list of modules not to be loaded is one only where it names a driver of a function that goes to guests: other lists
/// have other reasons.
pub fn leftovers(facts: &HostFacts) -> Vec<Leftover> {
    let mut found = Vec::new();
    let drivers = drivers_of_guests(facts);
    for said in facts.binding.modprobe.value().into_iter().flat_map(|settings| &settings.commands) {
        if said.path != managed::MODPROBE {
            found.extend(command(said, &drivers));
        }
    }
    for (address, driver) in given_by_driverctl(facts) {
        let path = format!("{DRIVERCTL}{address}");
        found.push(Leftover {
            does: format!("has driverctl give {address} to {driver}, after the initramfs"),
            text: driver.to_owned(),
            removal: Removal::File(path.clone()),
            place: path,
        });
    }
    for (path, state) in facts.files.iter().filter(|(path, _)| path.starts_with(INIT_TOP)) {
        let text = String::from_utf8_lossy(state.content().unwrap_or_default()).into_owned();
        if text.contains("driver_override") && text.contains("vfio") && !text.contains(MARK) {
            found.push(Leftover {
                place: path.clone(),
                text: "driver_override".to_owned(),
                does: "is a script that gives devices to vfio-pci in the initramfs".to_owned(),
                removal: Removal::File(path.clone()),
            });
        }
    }
    let line = facts.kernel.cmdline.value().map(String::as_str).unwrap_or_default();
    for word in CommandLine::new(line).parameters() {
        let does = match canonical(word.name()).as_str() {
            "vfio_pci.ids" => "gives ids to vfio-pci",
            "pci_stub.ids" => "gives ids to pci-stub",
            name if BLACKLIST_PARAMETERS.contains(&name)
                && word
                    .value()
                    .is_some_and(|list| list.split(',').any(|one| drivers.contains(&canonical(one)))) =>
            {
                "keeps the driver of a guest's device from being loaded for any device"
            }
            _ => continue,
        };
        // An empty list of ids is what the entry without passthrough says.
        if word.value().is_none_or(str::is_empty) {
            continue;
        }
        if effective_parameters(facts).iter().any(|ours| ours == word.text()) {
            continue;
        }
        found.push(Leftover {
            place: "/proc/cmdline".to_owned(),
            text: word.text().to_owned(),
            does: does.to_owned(),
            removal: Removal::Parameter(word.text().to_owned()),
        });
    }
    found
}

/// The functions that driverctl gives to vfio-pci or pci-stub, each with that driver.
fn given_by_driverctl(facts: &HostFacts) -> impl Iterator<Item = (PciAddress, &str)> {
    let overrides = facts.binding.driverctl.value().into_iter().flatten();
    let given = overrides.map(|(address, driver)| (*address, driver.as_str()));
    given.filter(|(_, driver)| is_vfio_driver(driver) || *driver == "pci-stub")
}

/// The drivers, as modules, of what goes to guests by the intent or by leftovers.
fn drivers_of_guests(facts: &HostFacts) -> BTreeSet<String> {
    let mut addresses = taken_by_others(facts);
    if let Ok(Some(intent)) = crate::intent::of(facts) {
        addresses.extend(intent.isolate.iter().map(|device| device.address));
    }
    let lists = blacklisted(facts);
    let functions = addresses.iter().filter_map(|address| facts.function(*address));
    functions
        .flat_map(|function| claimants(facts, function))
        .filter(|module| lists.contains_key(module))
        .collect()
}

/// The functions that leftovers give to vfio-pci or pci-stub, bridges left out.
pub(crate) fn taken_by_others(facts: &HostFacts) -> BTreeSet<PciAddress> {
    let mut addresses = BTreeSet::new();
    for module in ["vfio_pci", "pci_stub"] {
        let others = ids(facts, module).iter().any(|setting| !setting.place.starts_with(managed::MODPROBE));
        if let Some(setting) = effective_ids(facts, module).filter(|_| others) {
            addresses.extend(taken(facts, &setting).iter().map(|function| function.address));
        }
    }
    addresses.extend(given_by_driverctl(facts).map(|(address, _)| address));
    addresses.retain(|address| facts.function(*address).is_some_and(|function| !function.is_bridge()));
    addresses
}

/// What a command of modprobe.d is, where it is a leftover.
fn command(said: &Said<ModprobeCommand>, drivers: &BTreeSet<String>) -> Option<Leftover> {
    let is_stub = |module: &str| matches!(module, "vfio_pci" | "pci_stub");
    let shown = |module: &str| module.replace('_', "-");
    let (text, does, instead) = match &said.what {
        ModprobeCommand::Options { module, parameters } if is_stub(module) => {
            let (ids, others): (Vec<&String>, Vec<&String>) =
                parameters.iter().partition(|parameter| parameter.starts_with("ids="));
            let first = ids.first()?;
            let words =
                |list: &[&String]| list.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(" ");
            let instead =
                (!others.is_empty()).then(|| format!("options {} {}", shown(module), words(&others)));
            let text = format!("options {} {first}", shown(module));
            (text, format!("gives devices to {} by their ids", shown(module)), instead)
        }
        ModprobeCommand::Softdep { module, pre, post } if pre.iter().any(|one| is_stub(one)) => {
            let kept = |list: &[String]| {
                let others = list.iter().filter(|one| !is_stub(one)).flat_map(|one| [" ", one.as_str()]);
                others.collect::<String>()
            };
            let (before, after) = (kept(pre), kept(post));
            let part = |name: &str, list: &str| {
                if list.is_empty() { String::new() } else { format!(" {name}:{list}") }
            };
            let rest = [part("pre", &before), part("post", &after)].concat();
            let instead = (!rest.is_empty()).then(|| format!("softdep {module}{rest}"));
            (
                format!("softdep {module} pre: vfio-pci"),
                format!("has vfio-pci loaded ahead of {module}"),
                instead,
            )
        }
        ModprobeCommand::Install { module, command } if is_stub(module) => (
            format!("install {} {command}", shown(module)),
            format!("has a script run in the place of loading {}", shown(module)),
            None,
        ),
        ModprobeCommand::Blacklist { module } if drivers.contains(module) => (
            format!("blacklist {module}"),
            "keeps the driver of a guest's device from being loaded for any device".to_owned(),
            None,
        ),
        _ => return None,
    };
    let (path, line) = (said.path.clone(), said.line);
    Some(Leftover { place: said.place(), text, does, removal: Removal::Line { path, line, instead } })
}

/// The files as they stand and as they are once these leftovers are taken out, and the words that are to go from the kernel
/// command line.
pub(crate) fn without(
    facts: &HostFacts,
    leftovers: &[Leftover],
) -> (BTreeMap<String, (FileState, FileState)>, Vec<String>) {
    let mut lines: BTreeMap<String, BTreeMap<usize, Option<String>>> = BTreeMap::new();
    let mut changes = BTreeMap::new();
    let mut words = Vec::new();
    for leftover in leftovers {
        match &leftover.removal {
            Removal::Line { path, line, instead } => {
                lines.entry(path.clone()).or_default().insert(*line, instead.clone());
            }
            Removal::File(path) => {
                if let Some(before) = facts.files.get(path) {
                    changes.insert(path.clone(), (before.clone(), FileState::Absent));
                }
            }
            Removal::Parameter(word) => words.push(word.clone()),
        }
    }
    for (path, edits) in lines {
        let Some(before @ FileState::File { content, .. }) = facts.files.get(&path) else { continue };
        let text = passthru_formats::modprobe::edited(&content.0, &edits);
        let nothing_left = text.iter().all(u8::is_ascii_whitespace);
        let after = if nothing_left { FileState::Absent } else { before.with_content(text) };
        changes.insert(path, (before.clone(), after));
    }
    (changes, words)
}
