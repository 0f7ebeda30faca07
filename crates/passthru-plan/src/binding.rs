//! What the files of a host would bind to vfio-pci at boot: read off the facts once, for all checks that ask.

use std::collections::{BTreeMap, BTreeSet};

use passthru_formats::cmdline::CommandLine;
use passthru_formats::modules::canonical;
use passthru_formats::vfio_ids::{self, IdEntry};
use passthru_model::HostFacts;
use passthru_model::address::PciAddress;
use passthru_model::binding::ModprobeCommand;
use passthru_model::kernel::ModuleState;
use passthru_model::pci::PciFunction;

/// One place that gives ids to a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdsSetting {
    /// `FILE:LINE`, or `/proc/cmdline`.
    pub(crate) place: String,
    /// The value, as it is written.
    pub(crate) value: String,
    /// Whether it stands on the kernel command line.
    pub(crate) on_cmdline: bool,
}

impl IdsSetting {
    /// The entries that the kernel understands.
    pub(crate) fn entries(&self) -> impl Iterator<Item = IdEntry> {
        vfio_ids::parse(&self.value).into_iter().flatten()
    }

    /// The entries that it refuses.
    pub(crate) fn refused(&self) -> impl Iterator<Item = String> {
        vfio_ids::parse(&self.value).into_iter().filter_map(Result::err)
    }
}

/// The settings of `ids` for a driver (`vfio_pci`, `pci_stub`), in the order in which they count: the last one holds, for
/// the kernel keeps one text and each setting replaces it. What stands on the command line comes last.
pub(crate) fn ids(facts: &HostFacts, module: &str) -> Vec<IdsSetting> {
    let mut found = Vec::new();
    for said in facts.binding.modprobe.value().into_iter().flat_map(|settings| settings.about(module)) {
        let ModprobeCommand::Options { parameters, .. } = &said.what else { continue };
        for value in parameters.iter().filter_map(|parameter| parameter.strip_prefix("ids=")) {
            found.push(IdsSetting { place: said.place(), value: value.to_owned(), on_cmdline: false });
        }
    }
    if let Some(text) = facts.kernel.cmdline.value()
        && let Some(value) = CommandLine::new(text).value(&format!("{module}.ids"))
    {
        found.push(IdsSetting {
            place: "/proc/cmdline".to_owned(),
            value: value.to_owned(),
            on_cmdline: true,
        });
    }
    found
}

/// The setting that holds. Options in files mean nothing to a driver that is compiled in.
pub(crate) fn effective_ids(facts: &HostFacts, module: &str) -> Option<IdsSetting> {
    let built_in = running_state(facts, module) == Some(ModuleState::BuiltIn);
    ids(facts, module).into_iter().rfind(|setting| setting.on_cmdline || !built_in)
}

/// The kernel parameters that keep modules from being loaded, each a list: of modprobe, of the kernel, of dracut.
pub(crate) const BLACKLIST_PARAMETERS: [&str; 3] =
    ["modprobe.blacklist", "module_blacklist", "rd.driver.blacklist"];

/// The modules that are kept from being loaded for their devices, with underscores, each with the last place that says so:
/// `FILE:LINE`, or `/proc/cmdline`.
pub(crate) fn blacklisted(facts: &HostFacts) -> BTreeMap<String, String> {
    let mut listed = BTreeMap::new();
    for said in facts.binding.modprobe.value().into_iter().flat_map(|settings| &settings.commands) {
        let module = match &said.what {
            ModprobeCommand::Blacklist { module } => module,
            // `install nouveau /bin/false` is the stronger way to say the same.
            ModprobeCommand::Install { module, command }
                if command.ends_with("/false") || command.ends_with("/true") =>
            {
                module
            }
            _ => continue,
        };
        listed.insert(module.clone(), said.place());
    }
    if let Some(text) = facts.kernel.cmdline.value() {
        for name in BLACKLIST_PARAMETERS {
            for module in CommandLine::new(text).items(name) {
                listed.insert(canonical(module), "/proc/cmdline".to_owned());
            }
        }
    }
    listed
}

/// The state of a module in the running kernel, or in the only one that is installed.
pub(crate) fn running_state(facts: &HostFacts, module: &str) -> Option<ModuleState> {
    let installed = facts.kernel.installed.value()?;
    let running = facts.kernel.release.value();
    let kernel =
        installed.iter().find(|kernel| Some(&kernel.release) == running).or(match installed.as_slice() {
            [only] => Some(only),
            _ => None,
        })?;
    kernel.module(module)
}

/// The functions that a setting takes.
pub(crate) fn taken<'a>(facts: &'a HostFacts, setting: &IdsSetting) -> Vec<&'a PciFunction> {
    let entries: Vec<IdEntry> = setting.entries().collect();
    facts
        .functions()
        .filter(|function| {
            entries.iter().any(|entry| entry.matches(function.id, function.subsystem, function.class))
        })
        .collect()
}

/// The functions that something on this host means for guests: by the intent, by ids, by an override, by a domain, or
/// because they are on a vfio driver already. In order of address.
pub(crate) fn meant_for_guests(facts: &HostFacts) -> Vec<&PciFunction> {
    let mut addresses: BTreeSet<PciAddress> = BTreeSet::new();
    if let Ok(Some(intent)) = crate::intent::of(facts) {
        addresses.extend(intent.isolate.iter().map(|device| device.address));
    }
    for module in ["vfio_pci", "pci_stub"] {
        if let Some(setting) = effective_ids(facts, module) {
            addresses.extend(taken(facts, &setting).iter().map(|function| function.address));
        }
    }
    for (address, driver) in facts.binding.driverctl.value().into_iter().flatten() {
        if passthru_model::pci::is_vfio_driver(driver) {
            addresses.insert(*address);
        }
    }
    for domain in facts.virtualisation.domains() {
        addresses.extend(domain.pci.iter().map(|function| function.address));
    }
    facts
        .functions()
        .filter(|function| !function.is_bridge())
        .filter(|function| {
            addresses.contains(&function.address)
                || function.is_on_vfio()
                || function.driver_override.as_deref().is_some_and(passthru_model::pci::is_vfio_driver)
        })
        .collect()
}

/// Whether files set something up for binding at boot at all.
pub(crate) fn is_set_up(facts: &HostFacts) -> bool {
    !ids(facts, "vfio_pci").is_empty()
        || !ids(facts, "pci_stub").is_empty()
        || facts.binding.scripts.value().is_some_and(|scripts| !scripts.is_empty())
        || facts.binding.driverctl.value().is_some_and(|overrides| !overrides.is_empty())
}

/// The loadable drivers that could claim a function ahead of vfio-pci, with underscores: those that its kernels have for it,
/// or, where that is not known, the one that has it now.
pub(crate) fn claimants(facts: &HostFacts, function: &PciFunction) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for kernel in facts.possible_drivers.value().into_iter().flatten() {
        if let Some(drivers) = kernel.drivers.value().and_then(|drivers| drivers.get(&function.address)) {
            found.extend(drivers.loadable.iter().cloned());
        }
    }
    // A driver's name is often its module's, but not always: the module bochs has the driver bochs-drm.
    if let Some(driver) = function.driver.as_deref().filter(|_| found.is_empty() && !function.is_on_vfio()) {
        // xhci_hcd is the driver's name, and xhci_pci that of the module which binds it to PCI.
        let module = canonical(driver);
        found.insert(if module == "xhci_hcd" { "xhci_pci".to_owned() } else { module });
    }
    found.retain(|module| {
        !passthru_model::pci::is_vfio_driver(&module.replace('_', "-")) && module != "pci_stub"
    });
    found
}
